"""Decide, from what one snapshot of a run shows, which machines go back and whether it is over.

Pure: what there is and what earlier snapshots left go in, what to do and what to remember come
out. The monitor, the Lambda and the cost simulation of `tests/benchmarks/money.py` run this code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..protocol.ledger.facts import HEARTBEAT_LIVE_SECONDS
from ..protocol.scaling import (
    Fleet,
    Machine,
    Plan,
    plan_closing,
    plan_ending_drained,
    plan_giving_back,
    plan_lowering,
)
from .streak import NO_STREAK, Streak

EXPORT_SECONDS = 900.0  # how long an export of the logs may take
# A spot notice comes two minutes before the end: a machine that ECS drains for it is left to AWS,
# for one that we end ourselves is paid for even in its first hour.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-for-interrupted-spot-instances.html
NOTICE_SECONDS = 180.0
PACKED_TOO_TIGHT = 8  # of so many jobs one waits for room while the others are packed
_FEW = 4  # times as many jobs at work as wait: none of them waits for a machine


@dataclass(frozen=True)
class Pace:
    """How often to look and how long to be sure; seconds, except the numbers of looks."""

    look_every: float = 30.0
    quiet_seconds: float = 75.0  # SQS's counts may lag by a minute
    quiet_looks: int = 3
    spare_looks: int = 2  # looks without a waiting job before a machine is given back
    spare_seconds: float = 10.0  # likewise; a worker's heartbeat comes some seconds after its job
    heartbeat_seconds: float = HEARTBEAT_LIVE_SECONDS  # an older one is a dead worker's
    notice_seconds: float = NOTICE_SECONDS
    cheapest_after: float = 900.0
    patience: float = 86400.0  # how long AWS may not answer before the monitor gives up
    late_seconds: float = 900.0  # people are told of a machine that has not joined by then
    hopeless_seconds: float = 2700.0  # and by then it never will: it is ended
    alarms_every: float = 300.0
    adopt_seconds: float = 300.0  # a startCluster that has not noted its fleet by then was ended
    stall_seconds: float = 1800.0  # without a job that runs, before people are told
    alike_failures: int = 20  # jobs that all failed alike, and none was done, stop a run
    alike_machines: int = 2  # on so many machines, where there are so many
    export_seconds: float = EXPORT_SECONDS  # how long the export of the logs may take; 0: none


# The Lambda's: its schedule calls it every two minutes, and two calls are more than one apart.
LAMBDA_PACE = Pace(look_every=120.0, quiet_looks=2)


@dataclass(frozen=True)
class MonitorState:
    """What one look tells the next; times are seconds since 1970."""

    began: float
    submitted: int = 0
    spare: Streak = NO_STREAK  # no job waits
    unseen: Streak = NO_STREAK  # more jobs are in flight than heartbeats name
    # Since when each draining machine drains; 0 if that was our doing.
    draining: Mapping[str, float] = field(default_factory=dict)
    closed: tuple[str, ...] = ()  # machines that take no more jobs
    quiet: Streak = NO_STREAK  # neither a job nor a lease
    is_over: bool = False
    alarms_seen: float = 0.0
    stranded: Streak = NO_STREAK  # jobs are left, and no fleet asks for machines
    is_stranded: bool = False
    stalled: Streak = NO_STREAK  # no job runs and none has ended
    stalled_at: int = -1  # jobs that had ended then
    stall_noticed: bool = False  # a notice of it was sent
    unsure: Streak = NO_STREAK  # a fleet that was bought has no id in the record

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> MonitorState:
        """Read a state that `asdict` wrote; raises TypeError or ValueError for anything else."""
        read: dict[str, Any] = {}
        for item in fields(cls):
            if item.name in values:
                read[item.name] = _read_part(item.default, values[item.name])
        return cls(**read)


def _read_part(default: object, value: Any) -> Any:
    """A part of a state as JSON gives it, in the form that its default has."""
    if isinstance(default, Streak):
        return Streak(**value)
    return tuple(value) if isinstance(default, tuple) else value


@dataclass(frozen=True)
class Policy:
    """How a run is to end: as its settings and its jobs say."""

    # Jobs that a machine takes at once, None if that is not known; 0 where a fleet's target counts
    # something else than machines, and none may go.
    slots: int | None
    is_cheap: bool = False  # FINISH = "cheap"
    packs: bool = False  # all jobs have checkpoints, and go on elsewhere

    def is_spare(self, load: RunLoad) -> bool:
        """Whether machines may go: no job waits, or where jobs can move few beside those at work.

        Those few were moved, and wait for a slot to become free.
        """
        return load.has_begun and load.to_take <= load.in_flight // _FEW * self.packs

    def room_for(self, load: RunLoad) -> int:
        """For how many jobs machines are kept.

        Where jobs can move it is for an eighth fewer than there are: jobs end while machines are
        emptied, and one that waits for a slot costs nothing.
        """
        jobs = load.to_take + load.in_flight
        return jobs - jobs // PACKED_TOO_TIGHT if self.packs else load.in_flight


@dataclass(frozen=True)
class RunLoad:
    """The jobs of a run at one moment, as far as SQS's counts and the heartbeats tell."""

    to_take: int  # that a worker is still going to take: none of a run that was stopped
    in_flight: int
    unseen: int = 0  # of those in flight, the ones that no heartbeat tells of
    has_begun: bool = True  # whether there was something to do
    is_stopped: bool = False
    left: int = 0  # jobs that the queue holds

    @property
    def is_quiet(self) -> bool:
        """Whether no job is to be taken and none is in flight."""
        return not self.to_take and not self.in_flight


def plan_machines(
    load: RunLoad,
    fleets: Sequence[Fleet],
    machines: Sequence[Machine],
    policy: Policy,
    state: MonitorState,
    pace: Pace,
    now: float,
) -> tuple[MonitorState, Plan]:
    """Which machines to give back, after several looks that saw no job waiting for one."""
    state = _count_spare(load, policy, state, now)
    state = _note_draining(machines, state, now)
    if policy.slots == 0:
        return state, Plan()
    plan = _plan(load, fleets, machines, policy, state, pace, now)
    ours = {machine.instance_id: 0.0 for machine in plan.drain}
    there = {machine.instance_id for machine in machines}
    before = frozenset(there.intersection(state.closed))
    closed = before if plan.closed is None else plan.closed
    plan = replace(plan, closed=None if closed == before else closed)
    state = replace(state, draining={**state.draining, **ours}, closed=tuple(sorted(closed)))
    ended = tuple(machine for machine in plan.terminate if _may_end(machine, state, pace, now))
    return state, replace(plan, terminate=ended)


def _plan(
    load: RunLoad,
    fleets: Sequence[Fleet],
    machines: Sequence[Machine],
    policy: Policy,
    state: MonitorState,
    pace: Pace,
    now: float,
) -> Plan:
    if not _may_give_back(policy, state, pace, now):
        plan = plan_ending_drained(machines)
        if not (policy.is_cheap and policy.slots and load.to_take and load.has_begun):
            return plan
        closing = plan_closing(fleets, machines, state.closed, load.to_take, policy.slots)
        return replace(closing, terminate=plan.terminate)
    if policy.slots is None:
        return plan_lowering(fleets, load.in_flight)
    return plan_giving_back(
        fleets, machines, policy.room_for(load), policy.slots, packs=policy.packs
    )


def count_quiet(
    load: RunLoad, has_holder: bool, state: MonitorState, pace: Pace, now: float
) -> MonitorState:
    """It is over after several looks, over more than a minute, that saw neither job nor lease."""
    quiet = state.quiet.after(load.is_quiet and load.has_begun and not has_holder, now)
    is_over = quiet.lasts(pace.quiet_looks, pace.quiet_seconds, now)
    return replace(state, quiet=quiet, is_over=is_over)


def count_stranded(
    load: RunLoad, has_machines: bool, state: MonitorState, pace: Pace, now: float
) -> MonitorState:
    """Jobs are stranded when several looks saw that no fleet asks for machines and jobs remain."""
    is_so = not has_machines and not load.is_stopped and load.left > 0
    stranded = state.stranded.after(is_so, now)
    is_stranded = stranded.lasts(pace.quiet_looks, pace.quiet_seconds, now)
    return replace(state, stranded=stranded, is_stranded=is_stranded)


def count_stalled(
    state: MonitorState, *, waiting: int, in_flight: int, ended: int, now: float
) -> MonitorState:
    """For how long jobs wait, none runs and none has ended."""
    moves = in_flight > 0 or ended != state.stalled_at
    if moves or state.is_over or not waiting:
        return replace(state, stalled=Streak(1, now), stalled_at=ended, stall_noticed=False)
    return replace(state, stalled=state.stalled.after(True, now))


def _count_spare(load: RunLoad, policy: Policy, state: MonitorState, now: float) -> MonitorState:
    """For how long no job waits, and for how long one is in flight that no heartbeat names."""
    is_spare = policy.is_spare(load)
    return replace(
        state,
        spare=state.spare.after(is_spare, now),
        unseen=state.unseen.after(is_spare and load.unseen > 0, now),
    )


def _may_give_back(policy: Policy, state: MonitorState, pace: Pace, now: float) -> bool:
    """Whether it is plain which machines are idle.

    A job that no heartbeat names was taken just now by an unknown worker, and ending that one
    would interrupt it, which matters where jobs cannot move; after a dead worker's time it is a
    job that pauses, or was lost with its machine.
    """
    if not state.spare.lasts(pace.spare_looks, pace.spare_seconds, now):
        return False
    return policy.packs or not state.unseen or state.unseen.lasts(1, pace.heartbeat_seconds, now)


def _note_draining(machines: Sequence[Machine], state: MonitorState, now: float) -> MonitorState:
    known = state.draining
    draining = {m.instance_id: known.get(m.instance_id, now) for m in machines if m.draining}
    return replace(state, draining=draining)


def _may_end(machine: Machine, state: MonitorState, pace: Pace, now: float) -> bool:
    """Whether a machine surely does not drain because AWS is about to take it away."""
    since = state.draining.get(machine.instance_id)
    return not since or now - since >= pace.notice_seconds
