"""`submitJob`: check every job of a job file, write them into the run's ledger, queue them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ...aws.messaging.messages import Message, queue_message_limit, send_messages
from ...aws.messaging.queues import find_queue
from ...command_lines import run_line
from ...errors import DistributedSomethingError, UsageError
from ...inputs.job_files import JobFile
from ...inputs.jobs import Group, JobMaker, JobMessage, add_if_new, fingerprint_of
from ...inputs.key_slips import misspelt_columns, misspelt_keys, slip_of_column
from ...protocol.jobs import RESERVED_KEYS, BadJob
from ...protocol.ledger.facts import SubmittedJob
from ...protocol.ledger.keys import new_attempt_id
from ...protocol.ledger.record import RunRecord, find_record, save_record
from ...protocol.ledger.run_ledger import RunLedger
from ..runs.provenance import keep_jobs
from ..runs.runs import ensure_run
from ..runs.work_ahead import stopped_notes
from .again import Again, find_again, hash_of, listed_jobs
from .no_command import warn_of_no_command
from .odd_values import OddValues, say_programs, shared_limits
from .open_jobs import keys_in, open_jobs
from .order import find_order, in_order
from .shared_outputs import refuse_shared_outputs
from .type_runs import jobs_of_type

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.forms.programs import NoProgram
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

CHUNK = 5000  # jobs in one list of the ledger
_KINDS = 10  # of faults that are shown
_CHECK_EVERY = 10_000  # groups between two words on progress

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Submitted:
    """What was queued; `duplicates` are groups that equal an earlier one, each queued once."""

    run_id: str
    count: int
    duplicates: int
    queue_name: str


@dataclass(frozen=True)
class Checked:
    """What a look at every group found."""

    groups: int
    largest: int  # bytes of the largest message, as SQS counts
    no_programs: tuple[NoProgram, ...] = ()  # with which commands begin


def submit_job(
    aws: Aws,
    settings: Settings,
    job_file: Path,
    *,
    folder: Path | None,
    limit: int | None = None,
    family: str | None = None,
    tag_offset: int = 0,
    rehearsal: Path | None = None,
    by_size: bool = False,
    has_own_code: bool = False,
    on_progress: Progress = lambda _done, _total: None,
    confirm: Callable[[Again], bool] = lambda _: True,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Submitted:
    """Queue the jobs of a job file (the first `limit` groups of it) in the app's live or a new run.

    `family` is a word of `protocol.families.FAMILIES`, if not what the file's keys suggest;
    `tag_offset` the number of the first job where each machine type has a run of its own;
    `rehearsal` the last one's report. Long jobs go first, by size of inputs with `by_size`.
    `has_own_code` says that workers surely have a something.py that makes commands.

    Creates nothing before every group was found right; raises UsageError, NotFound for the queue,
    and DistributedSomethingError if `confirm` says no to jobs that the app's last run has already.
    `on_progress` gets the groups checked and None, then the jobs sent and their total.
    """
    file = open_jobs(settings, job_file, family, keys_in(aws, settings))
    file = jobs_of_type(file, settings, tag_offset)
    work = _check_work(aws, settings, file, limit, on_progress, has_own_code=has_own_code)
    last, listed = _confirm_again(aws, settings, work, confirm)
    run, listed = _begin(aws, settings, work, last, listed, folder, now)
    jobs = _ordered_jobs(aws, work, last, rehearsal, settings if by_size else None)
    sent = send_messages(
        aws.sqs,
        work.queue_url,
        run.run_id,
        _listed_first(aws, run, jobs, listed, now),
        on_sent=lambda sent: on_progress(sent, work.groups),
        sleep=sleep,
    )
    return Submitted(run.run_id, sent, work.groups - sent, settings.sqs_queue_name)


@dataclass(frozen=True)
class _Work:
    """A job file that was found right, and the queue that takes its jobs."""

    file: JobFile
    maker: JobMaker
    limit: int | None  # groups
    groups: int
    queue_url: str

    def jobs(self) -> Iterator[JobMessage]:
        return unique_jobs(self.file, self.maker, self.limit)


def _check_work(
    aws: Aws,
    settings: Settings,
    file: JobFile,
    limit: int | None,
    on_progress: Progress,
    *,
    has_own_code: bool,
) -> _Work:
    """Check all that can be checked before anything is made."""
    say_family(file)
    maker = make_maker(file)
    checked = check_groups(file, maker, limit, on_progress, has_own_code=has_own_code)
    say_programs(file, checked.no_programs)
    refuse_shared_outputs(settings, file, maker, limit)
    queue_url = find_queue(aws.sqs, settings.sqs_queue_name)
    _check_size(checked.largest, queue_message_limit(aws.sqs, queue_url), settings, file)
    return _Work(file, maker, limit, checked.groups, queue_url)


def _confirm_again(
    aws: Aws, settings: Settings, work: _Work, confirm: Callable[[Again], bool]
) -> tuple[RunRecord | None, set[int]]:
    """The app's last run and the jobs that it lists; asks if some of these are among them."""
    last = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    listed = listed_jobs(aws, last)
    if last is not None and len(listed):
        again = find_again(aws, last, listed, work.jobs())
        if again.count and not confirm(again):
            raise DistributedSomethingError(f"None of the jobs of {work.file.path} were queued.")
    return last, listed


def _begin(
    aws: Aws,
    settings: Settings,
    work: _Work,
    last: RunRecord | None,
    listed: set[int],
    folder: Path | None,
    now: Callable[[], float],
) -> tuple[RunRecord, set[int]]:
    """The run that the jobs go to, with what it is made with, and the jobs that it lists."""
    run = ensure_run(aws, settings, folder=folder, now=now)
    if last is None or run.run_id != last.run_id:
        listed = listed_jobs(aws, run)
    for note in stopped_notes(aws, run):
        logger.warning("%s", note)
    run = _note_checkpoints(aws, run, work.maker.keys.checkpoint, folder)
    keep_jobs(aws, run, settings, work.file)
    return run, listed


def _ordered_jobs(
    aws: Aws,
    work: _Work,
    last: RunRecord | None,
    rehearsal: Path | None,
    by_size: Settings | None,
) -> Iterator[JobMessage]:
    """The jobs, long ones first where it is known which they are."""
    order = find_order(aws, work.maker, last, rehearsal, by_size)
    if order.source:
        logger.info("Long jobs are queued first, by %s.", order.source)
    return in_order(work.jobs(), order)


def _note_checkpoints(
    aws: Aws, run: RunRecord, has_checkpoints: bool, folder: Path | None
) -> RunRecord:
    """Say in the run's record whether all its jobs keep checkpoints: they may then be moved."""
    noted = replace(run, has_checkpoints=has_checkpoints and run.has_checkpoints is not False)
    if noted.has_checkpoints != bool(run.has_checkpoints) or run.has_checkpoints is None:
        save_record(aws.s3, noted, folder)
    return noted


def say_family(file: JobFile) -> None:
    """Log which form a job file has, and a warning that names what of it is not sent."""
    logger.info("%s is read as a %s job file.", file.path, file.family.title)
    if file.dropped:
        logger.warning(
            "Left out, because %s does not use them: %s. With --family something, everything is "
            "kept.",
            file.family.title,
            ", ".join(file.dropped),
        )


def make_maker(file: JobFile) -> JobMaker:
    """The maker of a file's jobs; raises UsageError with all that is wrong with its shared keys."""
    try:
        maker = JobMaker(file.shared, file.family)
    except BadJob as error:
        raise _usage_error(file, error.problems) from None
    given = {*file.shared, *file.dropped}
    slips = [*misspelt_keys(given, maker.keys, file.family), *shared_limits(file, maker.keys)]
    if slips:
        raise _usage_error(file, slips)
    return maker


def check_groups(
    file: JobFile,
    maker: JobMaker,
    limit: int | None = None,
    on_progress: Progress = lambda _done, _total: None,
    *,
    has_own_code: bool = False,
) -> Checked:
    """Look at every group; raises UsageError with the first group of each kind of fault."""
    check = _Check(file, maker)
    groups = 0
    for groups, group in enumerate(islice(file.groups(), limit), start=1):
        check.look_at(groups, group)
        if groups % _CHECK_EVERY == 0:
            on_progress(groups, None)
    if check.faults:
        raise _usage_error(file, check.sentences())
    check.odd.warn()
    if not groups:
        raise UsageError(f"{file.path} has no groups: there is nothing to queue.")
    if not has_own_code:
        warn_of_no_command(file, check.lacking, groups)
    return Checked(groups, check.largest, check.odd.no_programs)


class _Check:
    """What is known after some of the groups: their faults, and which names there are."""

    def __init__(self, file: JobFile, maker: JobMaker) -> None:
        self.faults: dict[str, tuple[str, int]] = {}  # kind: its first sentence, how many groups
        self.largest = 0
        self.lacking = 0  # groups whose jobs have no command
        self.odd = OddValues(file, maker)
        self._file = file
        self._maker = maker
        self._plain_names: set[str] = set()  # of values, which are surely no slips
        self._groups: set[int] = set()
        self._names: set[int] = set()

    def look_at(self, number: int, group: Group) -> None:
        look = self._maker.look(group)
        if look.size > self.largest:
            self.largest = look.size
        if not (self._maker.keys.command or (group.own and group.own.get("command"))):
            self.lacking += 1
        self.odd.look_at_command(group.own)
        for problem in look.problems:
            self._add(problem.kind, f"{self._file.noun} {number}: {problem.sentence}")
        if isinstance(group.value, dict):
            if not group.value.keys() <= self._plain_names:
                self._look_at_names(number, group, group.value)
            self.odd.look_at_values(number, group.value)
        if not self.faults and self._maker.output_of(group) is None:
            self._compare_names(number, group, look.fingerprint)

    def _look_at_names(self, number: int, group: Group, values: dict[str, object]) -> None:
        """Look for names of values that were likely to be reserved keys; most rows have no new."""
        refused = list(self.odd.look_at_names(values))
        if self._file.noun in ("Row", "Line"):
            message = self._maker.message(group)
            refused += misspelt_columns(values, message, self._maker.family)
        for sentence in refused:
            self._add(sentence, f"{self._file.noun} {number}: {sentence}")
        self._plain_names |= {
            value
            for value in values
            if value == "name" or not (value in RESERVED_KEYS or slip_of_column(value))
        }

    def _compare_names(self, number: int, group: Group, fingerprint: int) -> None:
        """Refuse two jobs that would write to the same place without anyone having said so."""
        name = self._maker.name(group)
        is_new = add_if_new(self._groups, fingerprint)
        if is_new and not add_if_new(self._names, fingerprint_of(name)):
            self._add(
                "name",
                f"{self._file.noun} {number}: its name {name!r} is an earlier job's too, and both "
                "would write to the same place; give them different `name`s or `output`s, such as "
                f'"name": "{name[:20]}-{{job_id}}".',
            )

    def _add(self, kind: str, sentence: str) -> None:
        first, count = self.faults.get(kind, (sentence, 0))
        self.faults[kind] = (first, count + 1)

    def sentences(self) -> list[str]:
        shown = [
            first if count == 1 else f"{first} ({count - 1} more like it.)"
            for first, count in list(self.faults.values())[:_KINDS]
        ]
        more = len(self.faults) - _KINDS
        return [*shown, f"And {more} other kinds of error."] if more > 0 else shown


def _usage_error(file: JobFile, problems: list[str]) -> UsageError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return UsageError("\n  ".join([f"{file.path} has {count}; nothing was queued:", *problems]))


def _check_size(largest: int, limit: int, settings: Settings, file: JobFile) -> None:
    if largest > limit:
        raise UsageError(
            f"{file.path} makes a message of {largest:,} bytes, and the queue "
            f"{settings.sqs_queue_name} takes {limit:,}: run `{run_line('setup')}` to raise that."
        )


def unique_jobs(file: JobFile, maker: JobMaker, limit: int | None = None) -> Iterator[JobMessage]:
    """A file's jobs, or the first `limit` of them, each once."""
    seen: set[int] = set()
    for group in islice(file.groups(), limit):
        job = maker.make(group)
        if add_if_new(seen, hash_of(job.job_id)):
            yield job


def _listed_first(
    aws: Aws,
    run: RunRecord,
    jobs: Iterator[JobMessage],
    listed: set[int],
    now: Callable[[], float],
) -> Iterator[Message]:
    """The jobs' messages, each given out only once its job is in a list of the run's ledger.

    Those that are `listed` there are sent again, but not counted again.
    """
    submission = new_attempt_id(now())
    chunk = 0
    while jobs_here := list(islice(jobs, CHUNK)):
        lines = [
            _line(job) for job in jobs_here if not listed or add_if_new(listed, hash_of(job.job_id))
        ]
        if lines:
            name = f"{submission}-{chunk:06d}"
            RunLedger.of(aws.s3, run).write_job_list(name, lines)
        yield from (Message(job.job_id, job.body) for job in jobs_here)
        chunk += 1


def _line(job: JobMessage) -> bytes:
    return SubmittedJob(job.job_id, job.name, job.body).to_line()
