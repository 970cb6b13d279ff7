"""One run's ledger: every fact of it in the bucket is written and read here, by both sides."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from ...errors import UsageError
from .attempts import Attempt, AttemptKey, AttemptState
from .claims import LeaseClaims, NoticeClaims
from .facts import (
    GivenUp,
    History,
    LedgerSummary,
    SubmittedJob,
    job_number,
)
from .job_lists import lines_of
from .keys import (
    UPLOADS,
    RunKeys,
    app_prefix,
    job_list_count,
    parse_attempt,
    record_key,
)
from .machine_facts import MachineFacts
from .objects import Objects
from .record import RunRecord, read_record
from .survey import Survey, survey_run
from .unreadable import LeftOut, Unreadable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

MOST_REASON = 2_000  # bytes of why a run was stopped
_NO_REASON = "no reason is given."


class RunLedger:
    """The ledger of one run."""

    def __init__(self, s3: S3Client, bucket: str, app_name: str, run_id: str) -> None:
        self.keys = RunKeys(app_name, run_id)
        self.objects = Objects(s3, bucket)
        self.notices = NoticeClaims(self.objects, self.keys)
        self.left_out = LeftOut()  # what could not be read
        self.machines = MachineFacts(self.objects, self.keys, self.left_out)

    @classmethod
    def of(cls, s3: S3Client, record: RunRecord) -> RunLedger:
        """The ledger of a record's run."""
        return cls(s3, record.bucket, record.app_name, record.keys.run_id)

    def lease_claims(self, job_id: str) -> LeaseClaims:
        """The claims of one job's lease."""
        return LeaseClaims(self.objects, self.keys, job_id)

    def survey(self, *, keeps_attempts: bool = False) -> Survey:
        """What the keys of the whole ledger say, with the names of all attempts if asked for."""
        return survey_run(self.objects, self.keys, keeps_attempts=keeps_attempts)

    def summary(self) -> LedgerSummary:
        """How far the run is, in numbers; raises what listing its ledger does."""
        return self.survey().summary

    def read_record(self) -> RunRecord | None:
        """The record of the run, from beside its ledger; None if there is no such run.

        Of one that cannot be read, the app's counts if it is this run's; raises UsageError.
        """
        try:
            return read_record(self.objects, self.keys.record)
        except UsageError as error:
            other = read_record(self.objects, record_key(self.keys.app_name))
            if other is None or other.run_id != self.keys.run_id:
                raise
            logger.warning("%s The app's copy of it is used.", error)
            return other

    # What was submitted

    def write_job_list(self, chunk: str, lines: Sequence[bytes]) -> str:
        """Write one list of submitted jobs (`SubmittedJob.to_line`) and return its key.

        `chunk` names the list within the run: the same chunk and count written again replace it.
        """
        key = self.keys.job_list(chunk, len(lines))
        # Level 1: a million lines take seconds, not a minute, and job lists compress well anyway.
        body = gzip.compress(b"\n".join(lines) + b"\n", compresslevel=1, mtime=0)
        self.objects.put(key, body)
        return key

    def submitted_jobs(self) -> Iterator[SubmittedJob]:
        """Every submitted job, list by list in the order of their keys."""
        for key in self.objects.keys(self.keys.job_lists):
            try:
                yield from self.left_out.read(SubmittedJob.from_line, lines_of(self.objects, key))
            except Unreadable as error:
                self.left_out.add(key, error)

    def count_submitted(self) -> int:
        """How many jobs were submitted, read off the keys of the job lists."""
        return sum(self._count(key) for key in self.objects.keys(self.keys.job_lists))

    def _count(self, key: str) -> int:
        try:
            return job_list_count(key)
        except Unreadable as error:
            self.left_out.add(key, error)
            return 0

    def has_jobs(self) -> bool:
        """Whether any job was submitted, or done though it was sent by hand."""
        prefixes = (self.keys.job_lists, self.keys.done_markers)
        return any(self.objects.first_page(prefix, most=1)[0] for prefix in prefixes)

    def unfinished_jobs(self) -> Iterator[SubmittedJob]:
        """The submitted jobs that are neither done nor given up, each once."""
        # Job ids are hexadecimal: a million of them as numbers take a tenth of their texts' memory.
        prefixes = (self.keys.done_markers, self.keys.dead_markers)
        ended = {job_number(one) for prefix in prefixes for one in self._marked(prefix)}
        for job in self.submitted_jobs():
            number = job_number(job.job_id)
            if number not in ended:
                ended.add(number)
                yield job

    def names(self, job_ids: Collection[str]) -> dict[str, str]:
        """The names of jobs, as they were submitted; those sent by hand are left out."""
        if not job_ids:
            return {}
        wanted = set(job_ids)
        return {job.job_id: job.name for job in self.submitted_jobs() if job.job_id in wanted}

    # Attempts

    def write_attempt(self, attempt: Attempt) -> None:
        """Write one attempt under the key that says how it stands."""
        self.objects.put(self.keys.attempt(attempt.key), attempt.to_json())

    def attempts(self, job_id: str = "") -> Iterator[AttemptKey]:
        """How every attempt of the run or of one job ended, or that it began if it did not end.

        By job id and then by start. Of two ends, as an attempt has that was done as another was,
        the later in the alphabet counts.
        """
        prefix = self.keys.attempts_of(job_id) if job_id else self.keys.attempts
        return self._last_of_each(self._attempt_keys(self.objects.keys(prefix)))

    def attempts_of(self, survey: Survey) -> Iterator[AttemptKey]:
        """The same of a survey that kept the attempts' names."""
        keys = (self.keys.attempts + name for name in survey.attempt_names)
        return self._last_of_each(self._attempt_keys(keys))

    @staticmethod
    def _last_of_each(keys: Iterable[AttemptKey]) -> Iterator[AttemptKey]:
        last: AttemptKey | None = None
        for key in keys:
            if last is None or (key.job_id, key.attempt_id) != (last.job_id, last.attempt_id):
                if last is not None:
                    yield last
                last = key
            elif key.state is not AttemptState.STARTED:
                last = key
        if last is not None:
            yield last

    def read_attempts(self, keys: Iterable[AttemptKey]) -> Iterator[Attempt]:
        """The bodies of attempts, in their order; those that are gone are left out."""
        found = self.objects.fetch_all(self.keys.attempt(key) for key in keys)
        yield from self.left_out.read(Attempt.from_json, found)

    def history(self, job_id: str, since: float) -> History:
        """Count the attempts that began after `since` (seconds since 1970), by their keys alone."""
        known = [key for key in self.attempts(job_id) if key.started >= int(since * 1000) / 1000]
        failed = [key for key in known if key.state is AttemptState.FAILED]
        vanished = sum(key.state is AttemptState.STARTED for key in known)
        done = [key for key in known if key.state is AttemptState.DONE]
        return History(
            len(known),
            len(failed) + vanished,
            vanished,
            last_failed=failed[-1] if failed else None,
            done=done[0] if done else None,
        )

    def why_failed(self, history: History) -> str:
        """Why a job is given up whose attempts were too many: the last reason, if all said one."""
        if history.vanished or history.last_failed is None:
            return (
                f"{history.failures} attempts failed or disappeared, "
                f"{history.vanished} of them disappeared: a worker that disappears has usually "
                "run out of memory."
            )
        last = [attempt.reason for attempt in self.read_attempts([history.last_failed])]
        return f"{history.failures} attempts failed; the last one: {''.join(last)}"

    def explain(self, keys: Iterable[AttemptKey]) -> dict[str, Attempt]:
        """For each reason that these attempts name, one that tells it in full."""
        examples: dict[str, AttemptKey] = {}
        for key in keys:
            if key.reason:
                examples.setdefault(key.reason, key)
        reasons = {(key.job_id, key.attempt_id): reason for reason, key in examples.items()}
        found = self.read_attempts(examples.values())
        return {reasons[attempt.job_id, attempt.attempt_id]: attempt for attempt in found}

    # Jobs that are done or given up

    def is_done(self, job_id: str) -> bool:
        """Whether an attempt has put its outputs in place and said so."""
        return self.objects.exists(self.keys.done(job_id))

    def has_done(self) -> bool:
        """Whether any job is done."""
        return bool(self.objects.first_page(self.keys.done_markers, most=1)[0])

    def has_ended(self, job_id: str) -> bool:
        """Whether a job is done or given up."""
        return self.is_done(job_id) or self.objects.exists(self.keys.dead(job_id))

    def mark_done(self, attempt: Attempt | AttemptKey) -> bool:
        """Write the done marker, after the attempt's end; False if another attempt was first.

        The SDK sends a request again whose answer was lost: then the marker that is there is our
        own, which is why it holds the attempt's id, and nothing else.
        """
        key, own = self.keys.done(attempt.job_id), attempt.attempt_id.encode()
        return self.objects.put_first(key, own) or self.objects.fetch(key) == own

    def done_attempts(self) -> Iterator[AttemptKey]:
        """Of each job that is done, an attempt that has its results in place."""
        done = self.ended_jobs()[0]
        last = ""
        for key in self._attempt_keys(self.objects.keys(self.keys.attempts)):
            if key.state is AttemptState.DONE and key.job_id != last and key.job_id in done:
                last = key.job_id
                yield key

    def ended_jobs(self) -> tuple[set[str], set[str]]:
        """The ids of the jobs that are done, and of those that were given up and are not done."""
        done, dead = (
            set(self._marked(prefix)) for prefix in (self.keys.done_markers, self.keys.dead_markers)
        )
        return done, dead - done

    def _marked(self, prefix: str) -> Iterator[str]:
        """The ids of the jobs that have a mark below a prefix."""
        for key in self.objects.keys(prefix):
            job_id = key.removeprefix(prefix)
            try:
                job_number(job_id)
            except Unreadable as error:
                self.left_out.add(key, error)
            else:
                yield job_id

    def find_given_up(self, job_id: str, message_id: str) -> GivenUp | None:
        """What is noted of the giving up of a job that this very message brought; or None.

        A message has the same id at each receipt, and one that is sent again has another.
        """
        body = self.objects.fetch(self.keys.dead(job_id))
        for found in self.left_out.read(
            GivenUp.from_json, [] if body is None else [(self.keys.dead(job_id), body)]
        ):
            return found if found.message_id == message_id else None
        return None

    def begin_giving_up(self, job: GivenUp) -> bool:
        """Note that a job is to be given up; False if that is noted for the same message."""
        if self.objects.put_first(self.keys.dead(job.job_id), job.to_json()):
            return True
        if self.find_given_up(job.job_id, job.message_id):
            return False
        self.write_given_up(job)  # the job was sent again, by hand
        return True

    def write_given_up(self, job: GivenUp) -> None:
        """Write why a job is given up, and whether its dead-letter message has been sent."""
        self.objects.put(self.keys.dead(job.job_id), job.to_json())

    def given_up_jobs(self, job_ids: Iterable[str] | None = None) -> Iterator[GivenUp]:
        """Jobs that were given up, with the reason: these in their order, or all."""
        if job_ids is None:
            job_ids = self._marked(self.keys.dead_markers)
        places = (self.keys.dead(job_id) for job_id in job_ids)
        yield from self.left_out.read(GivenUp.from_json, self.objects.fetch_all(places))

    def count_given_up(self, enough: int) -> int:
        """How many jobs were given up, counted until there are `enough`."""
        count = 0
        for page in self.objects.pages(self.keys.dead_markers):
            count += len(page)
            if count >= enough:
                break
        return count

    def forget_given_up(self, job_ids: Iterable[str]) -> None:
        """Delete the marks of jobs that are to be tried again, of those without one too."""
        self.objects.delete_all([self.keys.dead(job_id) for job_id in job_ids])

    def forget_checkpoint(self, job_id: str) -> None:
        """Delete the checkpoint of a job that needs none any more."""
        self.objects.delete(self.keys.checkpoint(job_id))

    # The run as a whole

    def why_stopped(self) -> str:
        """Why the workers take no more jobs of the run; empty while they do."""
        body = self.objects.fetch(self.keys.stopped, MOST_REASON)
        return "" if body is None else body.decode(errors="replace") or _NO_REASON

    def stop(self, reason: str) -> None:
        """Say that no more jobs of the run are to be taken, and why; workers and monitor obey."""
        self.objects.put(self.keys.stopped, reason.encode())

    def resume(self) -> None:
        """Let workers take jobs of the run again: forget why it was stopped, and broken machines.

        What people were told of it is forgotten too, for they will want to hear how it ends now.
        """
        broken = [*self.objects.keys(self.keys.broken_machines)]
        told = [*self.objects.keys(self.keys.notices)]
        suspects = [*self.objects.keys(self.keys.not_started)]
        here = (self.keys.stopped, self.keys.closed, self.keys.monitor_state)
        self.objects.delete_all([*broken, *told, *suspects, *here])

    def read_monitor_state(self) -> bytes | None:
        """What the last look of the Lambda left for the next."""
        return self.objects.fetch(self.keys.monitor_state)

    def write_monitor_state(self, body: bytes) -> None:
        self.objects.put(self.keys.monitor_state, body)

    def read_machine_book(self) -> bytes | None:
        """The machines that the run had, as they were seen last."""
        return self.objects.fetch(self.keys.machine_book)

    def write_machine_book(self, body: bytes) -> None:
        """Write the book; its object's age tells how long ago the run was last looked at."""
        self.objects.put(self.keys.machine_book, body)

    def write_made_with(self, name: str, body: bytes | BinaryIO) -> None:
        """Keep a file that the run was made with."""
        self.objects.put(self.keys.made_with + name, body)

    def made_with(self, size: int) -> Iterator[tuple[str, bytes]]:
        """The kept files by name, `size` bytes of each at most."""
        for item in self.objects.items(self.keys.made_with):
            body = self.objects.fetch_start(item.key, size) if item.size else b""
            yield item.key.removeprefix(self.keys.made_with), body

    def _attempt_keys(self, keys: Iterable[str]) -> Iterator[AttemptKey]:
        """Read keys of attempts; a start is passed over after the end of the same attempt."""
        start = ""
        for key in keys:
            if start and key.startswith(start):
                continue
            try:
                parsed = parse_attempt(key)
                job_number(parsed.job_id)
            except Unreadable as error:
                self.left_out.add(key, error)
            else:
                start = f"{self.keys.attempts_of(parsed.job_id)}{parsed.attempt_id}.started."
                yield parsed


def list_runs(s3: S3Client, bucket: str, app_name: str) -> list[str]:
    """The ids of an app's runs, in the order in which they began."""
    names = Objects(s3, bucket).folders(app_prefix(app_name))
    return [name for name in names if name != UPLOADS]
