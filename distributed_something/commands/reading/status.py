"""The verb `status`: how far a run is, what its machines do, what it costs, and why it is stuck."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...aws.compute.instances import Instance
from ...errors import UsageError
from ...protocol.ledger.facts import HEARTBEAT_LIVE_SECONDS
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.ledger.survey import Survey
from ...run.failures import FailureGroup
from ...run.money import LEFT_OUT, cost_of_all, cost_per_hour
from ...run.troubles import Trouble
from ...snapshot import RunSnapshot, read_everything
from ..runs.failed_jobs import failure_groups
from ..runs.spending import UNWATCHED, is_unwatched, lives, prices_or_caps, with_machines
from ..watching.failing import Failing, failing_jobs
from .why_stuck import why_stuck

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord

RATE_SECONDS = 1800.0  # over which jobs are counted to say how many an hour
_SAMPLE = 20  # failed attempts that are read to say what they fail of
# An attempt that began so lately runs, though its heartbeat may be on its way.
_YOUNG_SECONDS = HEARTBEAT_LIVE_SECONDS


@dataclass(frozen=True)
class JobCounts:
    """A run's jobs, each counted once."""

    submitted: int
    waiting: int  # never tried, or handed on after their machine was lost
    running: int
    done: int
    failed: int  # in their last attempt; they are tried again
    interrupted: int  # likewise
    dead: int  # given up

    @property
    def left(self) -> int:
        return self.waiting + self.running + self.failed + self.interrupted


@dataclass(frozen=True)
class RunningJob:
    """A job at a machine; `since` is in seconds since 1970."""

    job_id: str
    name: str
    instance_id: str
    slot: str
    since: float


@dataclass(frozen=True)
class MachineRow:
    """A machine that runs; `state` is a word for people, `since` when it was launched."""

    instance_id: str
    instance_type: str
    zone: str
    state: str  # works, idle, starts, not joined, drained or cannot work
    since: float
    jobs: tuple[RunningJob, ...]
    ssh: str  # the command that logs in; '' where it cannot be
    console: str = ""  # the last lines, of a machine that does not join


@dataclass(frozen=True)
class Money:
    """US dollars; `expected` for the whole run, None while nothing tells how long it will take."""

    so_far: float
    per_hour: float
    expected: float | None
    max_cost: float  # at which the run is stopped; 0: never
    capped: int  # machines counted at the most they can cost
    unpriced: int  # machines in no sum
    left_out: tuple[str, ...] = LEFT_OUT


@dataclass(frozen=True)
class Status:
    """How a run stands; times are seconds since 1970."""

    app_name: str
    run_id: str
    now: float
    started: float
    ended: float | None
    jobs: JobCounts
    rate: float | None  # jobs an hour, lately; None if none was done
    seconds_left: float | None
    target: int  # machines that are asked for
    machines: tuple[MachineRow, ...]
    running: tuple[RunningJob, ...]
    money: Money | None  # None: nobody knows which machines there were
    why: tuple[Trouble, ...]
    unseen: tuple[str, ...]
    failing: Failing | None = None  # jobs that fail and are tried again
    failures: tuple[FailureGroup, ...] = ()  # jobs that failed last, by kind


def status(
    aws: Aws, record: RunRecord, ssh_key: str = "", *, now: Callable[[], float] = time.time
) -> Status:
    """How the run of a record stands, from one look.

    `ssh_key` is SSH_KEY_NAME. Raises UsageError for a run of another region than `aws` is of.
    """
    check_region(aws, record)
    seen = read_everything(aws, record, now())
    reasons = latest_reasons(aws, record, seen.survey)
    jobs, running = count_jobs(seen), running_jobs(seen)
    rate = None if record.ended is not None else jobs_an_hour(seen.survey)
    seconds_left = jobs.left / rate * 3600 if rate else None
    spent, unseen = _money(aws, record, seen, seconds_left)
    return Status(
        app_name=record.app_name,
        run_id=record.run_id,
        now=seen.now,
        started=record.started,
        ended=record.ended,
        jobs=jobs,
        rate=rate,
        seconds_left=seconds_left,
        target=seen.target,
        machines=tuple(machine_rows(seen, running, ssh_key)),
        running=tuple(running),
        money=spent,
        why=tuple(why_stuck(seen, record, reasons)),
        unseen=(*seen.unreadable, *unseen),
        failing=failing_jobs(aws, record, seen.survey),
        failures=failure_groups(RunLedger.of(aws.s3, record), seen.survey),
    )


def check_region(aws: Aws, record: RunRecord) -> None:
    """Raise UsageError if a run is not of the region that we look at."""
    if record.region and record.region != aws.region:
        raise UsageError(
            f"Run {record.run_id} of {record.app_name} was started in {record.region}, and "
            f"AWS_REGION is now {aws.region}: put {record.region} back into config.py."
        )


def count_jobs(seen: RunSnapshot) -> JobCounts:
    """Each job once: by its mark, else by the worker that has it, else by its last attempt."""
    survey = seen.survey
    open_ids = set(survey.open)
    running = set(survey.at_work()) if seen.running else set()
    running |= {
        begun.job_id
        for begun in survey.begun()
        if abs(survey.looked - begun.started) < _YOUNG_SECONDS
    }
    left = open_ids - running
    failed = sum(survey.open[job_id].has_failed for job_id in left)
    interrupted = len(left) - failed  # with those that vanished with their machine
    submitted = max(survey.submitted, len(survey.done) + len(survey.dead) + len(running | open_ids))
    others = len(survey.done) + len(survey.dead) + len(running) + failed + interrupted
    return JobCounts(
        submitted=submitted,
        waiting=max(0, submitted - others),
        running=len(running),
        done=len(survey.done),
        failed=failed,
        interrupted=interrupted,
        dead=len(survey.dead),
    )


def running_jobs(seen: RunSnapshot) -> list[RunningJob]:
    """The jobs that workers say they are at, those that run longest first."""
    running = sorted(seen.running, key=lambda attempt: attempt.started)
    return [
        RunningJob(job.job_id, job.name, job.instance_id, job.slot, job.started) for job in running
    ]


def machine_rows(
    seen: RunSnapshot, running: Iterable[RunningJob], ssh_key: str
) -> Iterable[MachineRow]:
    """The machines that run, by type and zone, those at work first."""
    jobs: dict[str, list[RunningJob]] = {}
    for job in running:
        jobs.setdefault(job.instance_id, []).append(job)

    def order(machine: Instance) -> tuple[str, str, bool, float]:
        idle = machine.instance_id not in jobs
        return machine.instance_type, machine.zone, idle, machine.launched

    for instance in sorted(seen.live_instances, key=order):
        yield MachineRow(
            instance_id=instance.instance_id,
            instance_type=instance.instance_type,
            zone=instance.zone,
            state=_state(seen, instance, bool(jobs.get(instance.instance_id))),
            since=instance.launched,
            jobs=tuple(jobs.get(instance.instance_id, ())),
            ssh=_ssh(instance, ssh_key),
            console=seen.consoles.get(instance.instance_id, ""),
        )


def latest_reasons(aws: Aws, record: RunRecord, survey: Survey) -> list[str]:
    """Why the latest failed attempts failed."""
    lasts = (*survey.open.values(), *survey.dead.values())
    failed = [last.key for last in lasts if last is not None and last.has_failed]
    failed.sort(key=lambda key: key.attempt_id)
    latest = RunLedger.of(aws.s3, record).read_attempts(failed[-_SAMPLE:])
    return [attempt.reason for attempt in latest]


def jobs_an_hour(survey: Survey) -> float | None:
    """Jobs done an hour, over the last half hour or since the first was done."""
    if not survey.done_at:
        return None
    first = min(survey.done_at) * 60.0
    span = min(RATE_SECONDS, max(60.0, survey.looked - first))
    done = survey.done_between(survey.looked - span - 60, survey.looked)
    return done / span * 3600 if done else None


def _money(
    aws: Aws, record: RunRecord, seen: RunSnapshot, seconds_left: float | None
) -> tuple[Money | None, list[str]]:
    """What the run has cost and will, and what of that could not be seen."""
    book = seen.book
    if record.is_live and seen.instances:
        book = with_machines(book, record, seen.instances, seen.now)
    machines = lives(book, record)
    if not machines:
        return None, [UNWATCHED] if is_unwatched(record, book) and not seen.unreadable else []
    prices, why = prices_or_caps(aws, record, machines)
    cost = cost_of_all(machines, prices, seen.now)
    per_hour = cost_per_hour(machines, prices, seen.now)
    expected = None if seconds_left is None else cost.total + per_hour * seconds_left / 3600
    money = Money(
        so_far=cost.total,
        per_hour=per_hour,
        expected=cost.total if record.ended is not None else expected,
        max_cost=record.max_cost,
        capped=cost.capped,
        unpriced=cost.unpriced,
    )
    return money, [f"Could not see what machines cost: {why}"] if why else []


def _state(seen: RunSnapshot, machine: Instance, works: bool) -> str:
    joined = seen.joined.get(machine.instance_id)
    if works:
        return "works"
    if machine.instance_id in seen.survey.broken:
        return "cannot work"
    if joined is None:
        return "not joined" if machine in seen.late_instances else "starts"
    return "drained" if joined.status == "DRAINING" else "idle"


def _ssh(machine: Instance, ssh_key: str) -> str:
    """How to log in to a machine that has an address and a key pair."""
    if not machine.address or not (machine.key_name and ssh_key):
        return ""
    return f"ssh -i {ssh_key} ec2-user@{machine.address}"
