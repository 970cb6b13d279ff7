"""One attempt at one job, from its inputs to its done marker."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from distributed_something import __version__
from distributed_something.protocol.jobs import BadJob, Job
from distributed_something.protocol.ledger.attempts import Attempt, AttemptState
from distributed_something.protocol.ledger.keys import new_attempt_id
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.protocol.upload_flags import UploadFlags
from distributed_something.protocol.values.secrets import Redactor

from .. import something
from ..clients import Clients, paying_s3
from ..environment import Place, tool_environment
from ..files.inputs import Inputs
from ..files.results import destination, send_results, wanted_files
from ..machine.faults import full_disk
from ..queue.lease import Lease
from ..stopping import Stopping
from .attempt_limits import AttemptLimits
from .blame import SHELL_CANNOT_START, blame
from .checkpoint import Checkpoint
from .directories import Directories, private_directories
from .done_before import own_results, results_are_there, upload_mark
from .judge import judged
from .log_stream import JobLog
from .outcomes import (
    STATES,
    DoneElsewhere,
    Ended,
    Ending,
    Failure,
    Hopeless,
    LostLease,
    Outcome,
    Trouble,
)
from .success import exit_sentence, what_is_missing, what_it_lacked
from .tool import CannotStart, ToolResult, run_tool

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_ANOTHER_WAS_FIRST = "Another attempt completed the job first."


class JobAttempt:
    """The work on one job under one lease."""

    def __init__(
        self,
        clients: Clients,
        place: Place,
        stopping: Stopping,
        lease: Lease,
        job: Job,
        ledger: RunLedger,
        number: int,
        *,
        is_last: bool = False,
        run: Callable[..., ToolResult] = run_tool,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`is_last` says that the job is given up should this attempt fail."""
        self._clients = clients
        self._place = place
        self._stopping = stopping
        self._lease = lease
        self._job = job
        self._ledger = ledger
        self._limits = AttemptLimits(lease, stopping, place.pace)
        self._is_last = is_last
        self._now = now
        self._run_command = run
        self.cannot_start = False
        self._redact = Redactor.of_environment(os.environ)
        started = now()
        self.facts = Attempt(
            job_id=job.job_id,
            name=job.name,
            attempt_id=new_attempt_id(started),
            number=number,
            state=AttemptState.STARTED.value,
            instance_id=place.instance_id,
            slot=place.slot,
            started=started,
            instance_type=place.instance_type,
            worker_version=__version__,
        )

    def run(self) -> Outcome:
        """Work on the job until it ends, one way or another, and write the end to the ledger."""
        self._ledger.write_attempt(self.facts)
        log = JobLog(
            self._clients.logs,
            self._place.settings.log_group_name,
            self._job.name,
            brisk=self._clients.brisk_logs,
            shows=self._place.shows_lines,
            redact=self._redact,
        )
        try:
            outcome = self._ended_by(log)
        finally:
            log.close()
        if outcome.ending is not Ending.DONE:  # whose end stands before its marker
            self._record(outcome)
        return outcome

    def is_done_before(self) -> bool:
        """Whether CHECK_IF_DONE_BOOL is set and the results are there; if so the ledger is told.

        Raises Hopeless where they can never be looked for, Trouble where they cannot be just now.
        """
        settings = self._place.settings
        if not settings.check_if_done_bool:
            return False
        target = destination(self._job, settings.app_name, self._place.buckets)
        with judged(lambda: True):
            there = results_are_there(self._users_s3, settings, own_results(self._job, target))
        if not there:
            return False
        self.facts = replace(
            self.facts,
            state=AttemptState.DONE.value,
            ended=self._now(),
            reason="The results already existed (CHECK_IF_DONE_BOOL).",
            output=str(target),
        )
        self._ledger.write_attempt(self.facts)
        self._ledger.mark_done(self.facts)
        return True

    def failed(self, reason: str) -> Outcome:
        """End the attempt from outside, after an error that nothing here expects."""
        outcome = self._outcome(self._limits.ending_of_error(), reason)
        self._record(outcome)
        return outcome

    def _ended_by(self, log: JobLog) -> Outcome:
        try:
            folder, attempt_id = self._place.directory, self.facts.attempt_id
            with (
                private_directories(folder, attempt_id, self._leaves_files) as directories,
                judged(self._is_sound),
            ):
                return self._work(directories, log)
        except Trouble as trouble:
            return self._outcome(self._limits.ending_of_error(), str(trouble), log)
        except Hopeless as error:
            # A worker that must end lets another one see whether it stays so.
            outside = self._limits.ending_of_error()
            ending = error.ending if outside is Ending.FAILED else outside
            return self._outcome(ending, str(error), log)
        except Ended as ended:
            return self._outcome(ended.ending, str(ended), log)
        except BadJob as error:
            return self._outcome(Ending.HOPELESS, str(error), log)

    @property
    def _users_s3(self) -> S3Client:
        """The client for inputs and results; the job's own flags may say that it pays for both."""
        if self._job.keys.upload_flags.requester_pays:
            return paying_s3(self._place.settings.aws_region)
        return self._clients.s3

    def _is_sound(self) -> bool:
        """Whether this attempt's folder is there, and the mount where there should be one."""
        mounted = self._place.mounted
        folder = self._place.directory / self.facts.attempt_id
        return folder.is_dir() and (mounted is None or mounted.is_mounted())

    def _own_code(self) -> AbstractContextManager[None]:
        """Where worker/something.py runs."""
        return judged(self._is_sound, own_code=True)

    def _leaves_files(self) -> bool:
        """Whether this loop is ending: then it tells of the job before it removes all files."""
        return self._stopping.asked

    def _outcome(self, ending: Ending, reason: str, log: JobLog | None = None) -> Outcome:
        reason = self._redact.text(reason)
        if log:
            log.write(f"Attempt {self.facts.number} ended: {ending.value}. {reason}".rstrip())
        self.facts = replace(
            self.facts,
            state=STATES[ending].value,
            ended=self._now(),
            reason=reason,
            gave_up=self._gives_up(ending),
            log_tail=log.tail if log else "",
        )
        return Outcome(ending, self.facts, reason)

    def _gives_up(self, ending: Ending) -> bool:
        return ending is Ending.HOPELESS or (ending is Ending.FAILED and self._is_last)

    def _record(self, outcome: Outcome) -> None:
        """Write how the attempt ended."""
        try:
            self._ledger.write_attempt(outcome.attempt)
        except (ClientError, BotoCoreError) as error:
            logger.error("The end of the attempt could not be written: %s", error)

    def _work(self, directories: Directories, log: JobLog) -> Outcome:
        """The recipe."""
        inputs = Inputs(
            self._users_s3,
            self._place.buckets,
            directories.input,
            self._limits.check,
            self._place.cache,
            self._place.mounted,
        )
        with self._timed("input_seconds"):
            inputs.bring_all(self._job.inputs)
        directories = replace(directories, bring=inputs.bring)
        with self._own_code():
            something.prepare(self._job, directories)
        with self._checkpointed(directories, log):
            result = self._run_tool(directories, log)
        self._judge(result, directories, log)
        self._publish(directories)
        return self._finish(log)

    @contextmanager
    def _checkpointed(self, directories: Directories, log: JobLog) -> Iterator[None]:
        """Bring back the last checkpoint; save this attempt's now and then, and at a stop."""
        if not self._job.keys.checkpoint:
            yield
            return
        checkpoint = Checkpoint(
            self._clients.s3,
            self._place.settings.aws_bucket,
            self._ledger.keys.checkpoint(self._job.job_id),
            directories.checkpoint,
        )
        if checkpoint.bring_back(self._limits.check):
            log.write("The checkpoint of an earlier attempt is back.")
        with checkpoint.kept(
            self._place.pace.checkpoint_seconds,
            self._stopping.save_wanted,
            self._limits.time_to_save,
        ):
            yield
        if self._stopping.asked and self._limits.time_to_save() > 0:
            checkpoint.save_within(self._limits.time_to_save)

    def _run_tool(self, directories: Directories, log: JobLog) -> ToolResult:
        with self._own_code():
            argv = something.command(self._job, directories)
        environment = tool_environment(os.environ) | self._job.environment(directories.fields())
        log.write(f"start run {self._job.name} (attempt {self.facts.number}): {argv}")
        self._limits.check()
        try:
            result = self._run_command(
                argv,
                directories.work,
                environment,
                on_line=log.write,
                wake=self._stopping.wake,
                why_end=self._limits.why_end,
                timeout=self._job.keys.timeout,
                memory_limit=self._job.keys.memory_limit,
                grace=self._limits.grace,
            )
        except CannotStart as error:
            self.cannot_start = True
            if error.is_permanent:
                raise self._blame(argv[0], str(error)) from error
            raise Failure(str(error)) from error
        self.facts = replace(
            self.facts,
            exit_code=result.exit_code,
            tool_seconds=round(result.seconds, 3),
            peak_memory_mib=result.peak_memory_mib,
            peak_disk_mib=result.peak_disk_mib,
        )
        return result

    def _judge(self, result: ToolResult, directories: Directories, log: JobLog) -> None:
        """Raise what ended the attempt, if its outputs are not to be kept."""
        if result.ended:
            self._limits.check()  # it was stopped, or has lost its lease
            raise Failure(f"The command was ended: {result.ended}.")
        if result.exit_code in self._job.keys.no_retry_exit_codes:
            raise Hopeless(
                f"{exit_sentence(result.exit_code)} The job file lists it in no_retry_exit_codes."
            )
        missing = what_is_missing(self._job.keys.done_when, directories.output, result.exit_code)
        if missing is None:
            with self._own_code():
                missing = something.check(self._job, directories, result.exit_code)
        if missing is not None:
            self._limits.check()  # a tool that ends badly when told to stop has not failed
            if self._job.keys.shell and result.exit_code in SHELL_CANNOT_START:
                self.cannot_start = True
                raise self._blame(str(self._job.keys.command), missing)
            lacked = what_it_lacked(missing, log.tail)
            raise Failure(missing + lacked + full_disk(directories.output))

    def _blame(self, program: str, reason: str) -> Ended:
        """The end of an attempt whose program this machine cannot start."""
        return blame(
            self._ledger,
            program,
            self._place.instance_id,
            reason,
            enough=int(self._place.pace.machines_to_blame),
        )

    def _publish(self, directories: Directories) -> None:
        """Send the outputs, unless another attempt was first."""
        try:
            flags = UploadFlags.read(self._place.settings.upload_flags)
        except ValueError as error:
            raise Hopeless(f"UPLOAD_FLAGS: {error}.") from error
        flags = flags.then(self._job.keys.upload_flags)
        if not self._lease.renew():
            raise LostLease(self._lease.lost)
        self._end_if_done()
        target = destination(self._job, self._place.settings.app_name, self._place.buckets)
        s3, settings = self._clients.s3, self._place.settings
        mark = upload_mark(s3, settings, own_results(self._job, target))
        files = wanted_files(directories.output, flags)
        # A single file is there whole or not at all; of several, a later run may find a part.
        marks = len(files) > 1 or settings.check_if_done_bool
        if marks:
            mark.begin()
        with self._timed("upload_seconds"):
            sent = send_results(
                s3, directories.output, files, target, self._limits.check_upload, flags
            )
        self.facts = replace(
            self.facts, output=str(target), output_files=sent.files, output_bytes=sent.size
        )
        if self._lease.lost:
            raise LostLease(self._lease.lost)
        if marks:
            mark.end()

    def _finish(self, log: JobLog) -> Outcome:
        """Write how the attempt ended, and last the done marker, unless another attempt was first.

        Whoever sees the marker so finds all that there is to say of the job.
        """
        outcome = self._outcome(Ending.DONE, "", log)
        self._ledger.write_attempt(outcome.attempt)
        if not self._ledger.mark_done(outcome.attempt):
            raise DoneElsewhere(_ANOTHER_WAS_FIRST)
        if self._job.keys.checkpoint:
            self._ledger.forget_checkpoint(self._job.job_id)
        return outcome

    def _end_if_done(self) -> None:
        if self._ledger.is_done(self._job.job_id):
            raise DoneElsewhere(_ANOTHER_WAS_FIRST)

    @contextmanager
    def _timed(self, field: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            took = {field: round(time.monotonic() - began, 3)}
            self.facts = replace(self.facts, **took)  # type: ignore[arg-type]  # a float field
