"""The verb `logs`: what jobs and machines printed, from CloudWatch or else from the ledger."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.monitoring.log_lines import LogLine, iterate_lines
from ...aws.monitoring.logs import log_group_exists
from ...command_lines import run_line
from ...definitions.logs import container_log_group
from ...errors import NotFound
from ...protocol.ledger.attempts import Attempt
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.log_streams import SHARED_LINE, parse_shared_line, stream_name
from ...run.machine_book import read_machine_book
from ...run.money import MachineLife
from ..runs.spending import look_at_machines

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord

FOLLOW_EVERY = 3.0  # seconds between two looks for new lines
_SLACK = 60.0  # seconds by which the clocks of machines and of who began the run may differ
_LAST_WORDS = 120.0  # seconds after a run's end in which its workers may print still
_LATE_LINES = 30.0  # seconds; CloudWatch may show a line so long after a later one


@dataclass(frozen=True)
class JobHistory:
    """All attempts at a job, in the order in which they began; `done` if one has finished it."""

    job_id: str
    name: str
    attempts: tuple[Attempt, ...]
    done: bool
    dead: str = ""  # why it was given up

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None


def job_history(aws: Aws, record: RunRecord, name: str) -> JobHistory:
    """What became of one job, by its name or id; raises NotFound if the run has none such."""
    ledger = RunLedger.of(aws.s3, record)
    job_id, known = _find_job(ledger, record, name)
    attempts = tuple(ledger.read_attempts(ledger.attempts(job_id)))
    done = ledger.is_done(job_id)
    marks = () if done else ledger.given_up_jobs([job_id])
    dead = "".join(mark.reason for mark in marks)
    return JobHistory(job_id, attempts[-1].name if attempts else known, attempts, done, dead)


def job_lines(aws: Aws, record: RunRecord, name: str) -> Iterator[LogLine]:
    """What a job printed in this run, all attempts; empty if CloudWatch has nothing of it."""
    yield from lines_since(aws, record, name)(0.0)


def run_lines(aws: Aws, record: RunRecord) -> Iterator[LogLine]:
    """What all jobs of a run printed, in the order of time."""
    yield from lines_since(aws, record, None)(0.0)


def machine_lines(aws: Aws, record: RunRecord, instance_id: str) -> Iterator[LogLine]:
    """What the workers of a machine printed: theirs are the streams that name it."""
    yield from machine_lines_since(aws, record, instance_id)(0.0)


def why_no_lines(aws: Aws, record: RunRecord, instance_id: str) -> str:
    """What to say of a machine of which CloudWatch has no line."""
    known, group = _machines(aws, record), container_log_group(record.log_group_name)
    if known and instance_id not in known:
        near = get_close_matches(instance_id, known, n=1, cutoff=0.8)
        where = "status" if record.is_live else "report"
        more = f"did you mean {near[0]}?" if near else f"`{run_line(where)}` lists them."
        return f"Run {record.run_id} of {record.app_name} has no machine {instance_id}: {more}"
    if not log_group_exists(aws.logs, group):
        return f"The log group {group} is gone, and with it the output of {instance_id}."
    return (
        f"CloudWatch has no line of {instance_id}: perhaps no worker has started it yet. "
        f"`{run_line('status')}` says whether it has joined the cluster."
    )


def has_machine(aws: Aws, record: RunRecord, instance_id: str) -> bool:
    """Whether a machine is one of the run's."""
    return instance_id in _machines(aws, record)


def follow(
    look: Callable[[float], Iterator[LogLine]],
    is_over: Callable[[], bool],
    *,
    since: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[LogLine]:
    """Lines as they come, each once, until `is_over` and a last look has been taken.

    `look` gives the lines since a time.
    """
    told: dict[str, float] = {}
    while True:
        over = is_over()
        for line in look(since - _LATE_LINES):
            name = line.event_id or f"{line.stream} {line.time} {line.text}"
            if name not in told:
                told[name] = line.time
                since = max(since, line.time)
                yield line
        told = {name: when for name, when in told.items() if when >= since - 2 * _LATE_LINES}
        if over:
            return
        sleep(FOLLOW_EVERY)


def lines_since(
    aws: Aws, record: RunRecord, name: str | None
) -> Callable[[float], Iterator[LogLine]]:
    """A look for the lines since a time: those of one job, or of all of the run."""
    streams = [stream_name(name)] if name else []

    def look(since: float) -> Iterator[LogLine]:
        since, until = max(since, _began(record)), _ended(record)
        own = iterate_lines(
            aws.logs, record.log_group_name, streams=streams, since=since, until=until
        )
        shared = _shared_lines(aws, record, name, since, until)
        yield from heapq.merge(own, shared, key=lambda line: line.time)

    return look


def _shared_lines(
    aws: Aws, record: RunRecord, name: str | None, since: float, until: float | None
) -> Iterator[LogLine]:
    """The lines of jobs for which CloudWatch made no stream, from the streams of their machines."""
    start = SHARED_LINE % (name or "", "")
    pattern = '"{}"'.format(start.replace("\\", "\\\\").replace('"', '\\"'))
    group = container_log_group(record.log_group_name)
    for line in iterate_lines(aws.logs, group, since=since, until=until, pattern=pattern):
        if found := parse_shared_line(line.text, name):
            yield replace(line, stream=stream_name(found[0]), text=found[1])


def machine_lines_since(
    aws: Aws, record: RunRecord, instance_id: str, *, now: Callable[[], float] = time.time
) -> Callable[[float], Iterator[LogLine]]:
    """A look for the lines of a machine's workers since a time; it finds those that begin later."""
    group, until = container_log_group(record.log_group_name), _ended(record)
    streams: dict[str, None] = {}
    looked = 0.0

    def look(since: float) -> Iterator[LogLine]:
        nonlocal looked
        since = max(since, _began(record))
        fresh = max(since, looked - _SLACK - _LATE_LINES)
        looked = now()
        pattern = f'"{instance_id}"'
        naming = iterate_lines(aws.logs, group, since=fresh, until=until, pattern=pattern)
        streams.update(dict.fromkeys(line.stream for line in naming))
        if streams:
            yield from iterate_lines(
                aws.logs, group, streams=list(streams), since=since, until=until
            )

    return look


def job_is_over(aws: Aws, record: RunRecord, job_id: str) -> bool:
    """Whether a job is done or given up."""
    return RunLedger.of(aws.s3, record).has_ended(job_id)


def _began(record: RunRecord) -> float:
    return max(0.0, record.started - _SLACK)


def _ended(record: RunRecord) -> float | None:
    """Until when a line is of this run and no later one's; None while it lives."""
    return None if record.ended is None else record.ended + _LAST_WORDS


def _machines(aws: Aws, record: RunRecord) -> Mapping[str, MachineLife]:
    """The run's machines by id; as the book has them if EC2 may not be asked."""
    try:
        return look_at_machines(aws, record, time.time()).machines
    except (ClientError, BotoCoreError):
        return read_machine_book(RunLedger.of(aws.s3, record)).machines


def _find_job(ledger: RunLedger, record: RunRecord, name: str) -> tuple[str, str]:
    """The id and name of a job of the run; raises NotFound."""
    for job in ledger.submitted_jobs():
        if name in (job.name, job.job_id):
            return job.job_id, job.name
    raise NotFound(
        f"Run {record.run_id} of {record.app_name} has no job named {name}: "
        f"`{run_line('status --failed')}` and `--running` list names."
    )
