"""Watch a run, give back machines it no longer needs, and remove everything when it is over.

`step` is one look with all that follows from it, and keeps what it must remember in `MonitorState`:
a monitor that is stopped is started again anywhere, and goes on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..aws import cluster, fleet, queues
from ..aws.queues import QueueCounts
from ..errors import DistributedSomethingError, NotFound, TeardownIncomplete
from ..ledger import (
    LedgerSummary,
    count_submitted,
    is_settled,
    live_heartbeats,
    summarise,
    why_stopped,
)
from ..protocol.attempts import HEARTBEAT_LIVE_SECONDS, Heartbeat
from ..record import RunRecord
from ..scaling import (
    Fleet,
    Machine,
    Plan,
    cap_targets,
    plan_ending_drained,
    plan_giving_back,
    wanted_containers,
)
from .runs import refresh
from .tear_down import tear_down

if TYPE_CHECKING:
    from ..aws.session import Aws

logger = logging.getLogger(__name__)

_EMPTY = QueueCounts(0, 0, 0)


@dataclass(frozen=True)
class Pace:
    """How often to look and how long to be sure; seconds, except the numbers of looks."""

    look_every: float = 30.0
    quiet_seconds: float = 75.0  # SQS's counts may lag by a minute
    quiet_looks: int = 3
    spare_looks: int = 2  # looks without a waiting job before a machine is given back
    heartbeat_seconds: float = HEARTBEAT_LIVE_SECONDS  # an older one is a dead worker's
    cheapest_after: float = 900.0
    patience: float = 86400.0  # how long AWS may not answer before the monitor gives up


@dataclass(frozen=True)
class MonitorState:
    """What one look tells the next; times are seconds since 1970."""

    began: float
    submitted: int = 0
    spare_looks: int = 0
    quiet_looks: int = 0
    quiet_since: float | None = None
    is_over: bool = False


@dataclass(frozen=True)
class RunProgress:
    """What one look saw; `note` is a sentence on what the run waits for, or empty."""

    time: float
    submitted: int
    waiting: int
    in_flight: int
    delayed: int
    machines: int
    target: int
    note: str = ""

    @property
    def finished(self) -> int:
        """Jobs that the queue has let go of: done or dead-lettered, as far as SQS's counts tell."""
        return max(0, self.submitted - self.waiting - self.in_flight - self.delayed)


@dataclass(frozen=True)
class MonitorOutcome:
    """How the run ended, by its ledger."""

    record: RunRecord
    summary: LedgerSummary
    stopped: str = ""  # why the run was stopped before all its jobs were settled


@dataclass(frozen=True)
class _View:
    """What there is of a run at one look."""

    counts: QueueCounts
    queue_is_there: bool
    submitted: int
    fleets: tuple[Fleet, ...]  # those that still ask for machines
    machines: tuple[Machine, ...]
    beats: tuple[Heartbeat, ...]  # read only while no job is to be taken: nobody asks before
    stopped: str  # why workers take no more jobs, or empty

    @property
    def to_take(self) -> int:
        """Jobs that a worker is still going to take: none of a run that was stopped."""
        return 0 if self.stopped else self.counts.waiting + self.counts.delayed

    @property
    def is_quiet(self) -> bool:
        """Whether no job is to be taken and none is in flight."""
        return not self.to_take and not self.counts.in_flight

    @property
    def has_begun(self) -> bool:
        """Whether there was something to do; a queue that is gone was removed when it was done."""
        return self.submitted > 0 or not self.queue_is_there


def monitor(
    aws: Aws,
    record: RunRecord,
    *,
    folder: Path | None,
    cheapest: bool = False,
    pace: Pace | None = None,
    on_progress: Callable[[RunProgress], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> MonitorOutcome:
    """Watch the run until all is done, then remove it; can be stopped and started again.

    A look that fails is tried again for `pace.patience`, except the first: what is wrong from the
    start is said at once. Raises TeardownIncomplete with all that could not be removed.
    """
    pace = pace or Pace()
    record = _watch(aws, record, cheapest, pace, on_progress, sleep, now)
    failures = tear_down(aws, record, folder=folder, sleep=sleep, now=now)
    if failures:
        raise TeardownIncomplete(
            "\n  ".join(
                [
                    f"Not all of run {record.run_id} of {record.app_name} could be removed:",
                    *failures,
                    "Run `python run.py monitor` again to try once more.",
                ]
            )
        )
    record = refresh(aws, record)
    summary = summarise(aws.s3, record.bucket, record.keys)
    return MonitorOutcome(record, summary, why_stopped(aws.s3, record.bucket, record.keys))


def step(
    aws: Aws,
    record: RunRecord,
    state: MonitorState,
    *,
    pace: Pace,
    cheapest: bool = False,
    now: Callable[[], float] = time.time,
) -> tuple[MonitorState, RunProgress]:
    """Look once, set right what is not, and tell whether the run is over."""
    view = _look(aws, record, state, pace)
    state = replace(state, submitted=view.submitted)
    if cheapest and now() - state.began >= pace.cheapest_after:
        _lower_targets(aws, cap_targets(view.fleets, 1))
    state, plan = _plan(record, view, state, pace)
    _carry_out(aws, record, plan)
    _balance_service(aws, record, view, plan.applied(view.machines))
    holder = _lease_holder(aws, record, view) if view.is_quiet else None
    state = _count_quiet(view, state, pace, holder, now())
    return state, _progress(view, state, holder, now())


def _watch(
    aws: Aws,
    record: RunRecord,
    cheapest: bool,
    pace: Pace,
    on_progress: Callable[[RunProgress], None],
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> RunRecord:
    """Look again and again until the run is over; returns its record as it is then."""
    state = MonitorState(began=now())
    answered: float | None = None
    while True:
        try:
            record = refresh(aws, record)
            if not record.is_live:
                return record
            state, progress = step(aws, record, state, pace=pace, cheapest=cheapest, now=now)
            answered = now()
            on_progress(progress)
        except (ClientError, BotoCoreError) as error:
            if answered is None:
                raise
            _say_or_give_up(error, now() - answered, pace)
        if state.is_over:
            return record
        sleep(pace.look_every)


def _say_or_give_up(error: Exception, silent: float, pace: Pace) -> None:
    if silent > pace.patience:
        raise DistributedSomethingError(
            f"AWS has not answered for {silent / 3600:.1f} hours ({error}). The run is as it was: "
            "run `python run.py monitor` again when AWS can be reached."
        ) from error
    logger.warning("This look failed and will be tried again: %s", error)


def _look(aws: Aws, record: RunRecord, state: MonitorState, pace: Pace) -> _View:
    counts, queue_is_there = _count(aws, record)
    stopped = why_stopped(aws.s3, record.bucket, record.keys) if record.run_id else ""
    beats: list[Heartbeat] = []
    if record.run_id and (stopped or counts.waiting == 0):
        beats = live_heartbeats(aws.s3, record.bucket, record.keys, pace.heartbeat_seconds)
    return _View(
        counts=counts,
        queue_is_there=queue_is_there,
        submitted=max(state.submitted, _submitted(aws, record), counts.total),
        fleets=tuple(_live_fleets(aws, record)),
        machines=tuple(_machines(aws, record, beats)),
        beats=tuple(beats),
        stopped=stopped,
    )


def _count(aws: Aws, record: RunRecord) -> tuple[QueueCounts, bool]:
    """The queue's counts, and whether there is one: a teardown that stopped half-way took it."""
    try:
        return queues.count_jobs(aws.sqs, queues.find_queue(aws.sqs, record.queue_name)), True
    except (NotFound, aws.sqs.exceptions.QueueDoesNotExist):
        return _EMPTY, False


def _submitted(aws: Aws, record: RunRecord) -> int:
    """How many jobs the ledger says were submitted; messages sent by hand are not in it."""
    return count_submitted(aws.s3, record.bucket, record.keys) if record.run_id else 0


def _live_fleets(aws: Aws, record: RunRecord) -> Iterator[Fleet]:
    for fleet_id in record.fleet_ids:
        try:
            status = fleet.describe_fleet(aws.ec2, fleet_id)
        except NotFound:
            continue
        if status.is_live:
            yield Fleet(fleet_id, status.target)


def _machines(aws: Aws, record: RunRecord, beats: list[Heartbeat]) -> Iterator[Machine]:
    """The machines of all fleets, with what ECS and the ledger know of each."""
    joined = {m.instance_id: m for m in cluster.container_instances(aws.ecs, record.cluster)}
    busy = {beat.instance_id for beat in beats}
    for fleet_id in record.fleet_ids:
        for machine in fleet.fleet_instances(aws.ec2, fleet_id):
            known = joined.get(machine.instance_id)
            yield Machine(
                instance_id=machine.instance_id,
                fleet_id=fleet_id,
                container_instance=known.arn if known else "",
                draining=known is not None and known.status == "DRAINING",
                tasks=known.running_tasks + known.pending_tasks if known else 0,
                busy=machine.instance_id in busy,
            )


def _balance_service(
    aws: Aws, record: RunRecord, view: _View, machines: tuple[Machine, ...]
) -> None:
    """Let the service want as many containers as the machines can hold, and no more.

    After draining, not before: ECS stops the containers of drained machines first, whereas of a
    service that wants fewer it stops any, those at a job among them.
    """
    if not view.fleets or not view.queue_is_there:
        return
    asked = sum(one.target_capacity for one in record.fleets) or record.machines
    tasks = record.tasks_per_machine
    wanted = wanted_containers(machines, asked * tasks, tasks)
    try:
        if cluster.describe_service(aws.ecs, record.cluster, record.service).desired != wanted:
            cluster.scale_service(aws.ecs, record.cluster, record.service, wanted)
    except NotFound as error:
        logger.warning("The machines have nothing to run. %s", error)


def _plan(
    record: RunRecord, view: _View, state: MonitorState, pace: Pace
) -> tuple[MonitorState, Plan]:
    """Which machines to give back, after several looks that saw no job waiting for one."""
    is_spare = view.has_begun and not view.to_take
    state = replace(state, spare_looks=state.spare_looks + 1 if is_spare else 0)
    if _is_weighted(record):
        return state, Plan()
    if state.spare_looks < pace.spare_looks:
        return state, plan_ending_drained(view.machines)
    slots = record.tasks_per_machine * record.docker_cores
    return state, plan_giving_back(view.fleets, view.machines, view.counts.in_flight, slots)


def _is_weighted(record: RunRecord) -> bool:
    """Whether a fleet counts something else than machines, which targets here do not speak of."""
    return any("WeightedCapacity" in json.dumps(dict(one.request)) for one in record.fleets)


def _carry_out(aws: Aws, record: RunRecord, plan: Plan) -> None:
    _lower_targets(aws, plan.targets)
    if plan.drain:
        arns = [machine.container_instance for machine in plan.drain]
        cluster.drain_instances(aws.ecs, record.cluster, arns)
        logger.info("%d machines are idle and take no more jobs.", len(arns))
    if plan.terminate:
        fleet.terminate_instances(aws.ec2, [machine.instance_id for machine in plan.terminate])


def _lower_targets(aws: Aws, fleets: tuple[Fleet, ...]) -> None:
    for one in fleets:
        fleet.set_target(aws.ec2, one.fleet_id, one.target)


def _lease_holder(aws: Aws, record: RunRecord, view: _View) -> Heartbeat | None:
    """A worker slot that still holds a job which is neither done nor given up."""
    for beat in view.beats:
        if not is_settled(aws.s3, record.bucket, record.keys, beat.job_id):
            return beat
    return None


def _count_quiet(
    view: _View, state: MonitorState, pace: Pace, holder: Heartbeat | None, now: float
) -> MonitorState:
    """It is over after several looks, over more than a minute, that saw neither job nor lease."""
    if not view.is_quiet or not view.has_begun or holder:
        return replace(state, quiet_looks=0, quiet_since=None)
    since = now if state.quiet_since is None else state.quiet_since
    looks = state.quiet_looks + 1
    is_over = looks >= pace.quiet_looks and now - since >= pace.quiet_seconds
    return replace(state, quiet_looks=looks, quiet_since=since, is_over=is_over)


def _progress(
    view: _View, state: MonitorState, holder: Heartbeat | None, now: float
) -> RunProgress:
    return RunProgress(
        time=now,
        submitted=view.submitted,
        waiting=view.counts.waiting,
        in_flight=view.counts.in_flight,
        delayed=view.counts.delayed,
        machines=len(view.machines),
        target=sum(one.target for one in view.fleets),
        note=_note(view, state, holder),
    )


def _note(view: _View, state: MonitorState, holder: Heartbeat | None) -> str:
    """What the run waits for, if it is not simply its jobs."""
    if view.stopped:
        return f"The run was stopped: {view.stopped}"
    if state.is_over:
        return "All is done; removing everything."
    if not view.has_begun:
        return "Nothing was submitted yet: run `python run.py submitJob JOBS.json`."
    if holder:
        return f"The queue is empty, but {holder.instance_id} is still at {holder.name}."
    if state.quiet_looks:
        gone = "" if view.queue_is_there else " (it is gone)"
        return f"The queue is empty{gone}; looking again to be sure."
    if not view.fleets and not view.machines:
        return "There are no machines: run `python run.py startCluster FLEET.json`."
    return ""
