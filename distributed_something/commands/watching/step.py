"""One step of watching a run: what a snapshot shows, and what follows from it.

What a step must remember is in `MonitorState`: another process can take the next one.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...command_lines import run_line
from ...protocol.ledger.facts import Beat, Heartbeat
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.scaling import Plan, cap_targets
from ...run.decisions import (
    MonitorState,
    Pace,
    Policy,
    count_quiet,
    count_stalled,
    count_stranded,
    plan_machines,
)
from ...run.streak import Streak
from ...snapshot import RunSnapshot
from ...words import count_of
from ..runs.adoption import adopt, save_adopted
from ..runs.spending import keep_book
from .failing import Failing
from .give_back import balance_service, carry_out, lower_targets
from .guards import find_limit, hold_to
from .machine_care import LateMachine, end_hopeless, find_late, tidy_alarms
from .notices import tell_stall

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

Holder = tuple[Beat, Heartbeat]  # a slot, and the job that it is still at


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
    late: int = 0  # machines that have not joined the cluster in time
    note: str = ""
    failing: Failing | None = None  # jobs that fail and are tried again; the Lambda looks for none
    given_up: int = 0  # of those that are finished, as far as it was looked for

    @property
    def left(self) -> int:
        """Jobs that the queue holds, as far as SQS's counts tell."""
        return self.waiting + self.in_flight + self.delayed

    @property
    def finished(self) -> int:
        """Jobs that the queue has let go of: done or dead-lettered, as far as SQS's counts tell."""
        return max(0, self.submitted - self.left)


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
    with _going_on("find fleets that startCluster could not record"):
        record, state = _adopt(aws, record, state, pace, now())
    seen = RunSnapshot(aws, record, now(), state.submitted, pace.heartbeat_seconds)
    state = replace(state, submitted=seen.submitted)
    state, seen, late = _care_for_machines(aws, record, seen, state, pace, now)
    seen, is_spent = _hold_to_limits(aws, record, seen, now)
    if cheapest and now() - state.began >= pace.cheapest_after:
        with _going_on("keep a single machine"):
            seen = _cap(aws, seen, 1)
    state, plan = _plan(record, seen, state, pace, now())
    with _going_on("release machines"):
        carry_out(aws, record, plan)
        balance_service(aws, record, seen, plan.applied(seen.machines))
    holder = _lease_holder(aws, record, seen) if seen.load.is_quiet else None
    state = count_quiet(seen.load, holder is not None, state, pace, now())
    has_machines = not record.fleet_ids or not seen.has_no_machines
    state = count_stranded(seen.load, has_machines, state, pace, now())
    state = replace(state, is_over=state.is_over or is_spent)
    causes = tuple(dict.fromkeys(machine.cause for machine in late))
    progress = _progress(seen, state, holder, (len(late), causes), now())
    return _notify_if_stalled(aws, record, state, progress, pace), progress


def _care_for_machines(
    aws: Aws,
    record: RunRecord,
    seen: RunSnapshot,
    state: MonitorState,
    pace: Pace,
    now: Callable[[], float],
) -> tuple[MonitorState, RunSnapshot, tuple[LateMachine, ...]]:
    """End machines that never join, delete alarms of those that are gone; which ones are late."""
    late: tuple[LateMachine, ...] = ()
    with _going_on("end machines that do not join"):
        late = find_late(aws, record, seen, pace.late_seconds)
        seen = end_hopeless(aws, record, seen, late, pace.hopeless_seconds, now())
    if now() - state.alarms_seen >= pace.alarms_every:
        with _going_on("update the machines' alarms"):
            tidy_alarms(aws, record, seen, pace.hopeless_seconds)
            state = replace(state, alarms_seen=now())
    return state, seen, late


def _hold_to_limits(
    aws: Aws, record: RunRecord, seen: RunSnapshot, now: Callable[[], float]
) -> tuple[RunSnapshot, bool]:
    """Stop a run that has come to its MAX_HOURS or MAX_COST; whether it ends at once for that."""
    is_spent = False
    with _going_on("read what the run has cost"):
        book = keep_book(aws, record, now())
        limit = find_limit(aws, record, book, now()) if seen.fleets else None
        if limit and not seen.stopped:
            hold_to(aws, record, limit)
            seen = seen.with_stopped(limit.reason)
        is_spent = limit is not None and limit.is_final
    return seen, is_spent


def _adopt(
    aws: Aws, record: RunRecord, state: MonitorState, pace: Pace, now: float
) -> tuple[RunRecord, MonitorState]:
    """See the fleets without an id too; it is written down when nobody else is about to."""
    adopted = adopt(aws, record)
    if adopted == record:
        return record, replace(state, unsure=Streak())
    unsure = state.unsure.after(True, now)
    if unsure.lasts(1, pace.adopt_seconds, now):
        save_adopted(aws, adopted)
    return adopted, replace(state, unsure=unsure)


def _cap(aws: Aws, seen: RunSnapshot, total: int) -> RunSnapshot:
    """Let all fleets ask for `total` machines at most; what is planned next knows of it."""
    if any(fleet.is_changing for fleet in seen.fleets):
        return seen
    capped = cap_targets(seen.fleets, total)
    lower_targets(aws, capped)
    return seen.with_targets(capped)


def _notify_if_stalled(
    aws: Aws, record: RunRecord, state: MonitorState, seen: RunProgress, pace: Pace
) -> MonitorState:
    """Send a notice of a run that has jobs and does none of them for long, or never will."""
    waiting = seen.waiting + seen.delayed
    state = count_stalled(
        state, waiting=waiting, in_flight=seen.in_flight, ended=seen.finished, now=seen.time
    )
    if state.is_over or not waiting or state.stall_noticed:
        return state
    seconds = state.stalled.seconds(seen.time)
    if seconds < pace.stall_seconds and not (state.is_stranded and not seen.in_flight):
        return state
    why = (
        f"{count_of(waiting, 'job waits', 'jobs wait')}, and none has run for "
        f"{seconds / 60:.0f} minutes."
    )
    note = stranded(record) if state.is_stranded else seen.note
    tell_stall(aws, record, f"{why} {note}".rstrip(), seen.finished)
    return replace(state, stall_noticed=True)


@contextmanager
def _going_on(what: str) -> Iterator[None]:
    """Do what a run is better for, but can end without: its failure must not keep a run going."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        logger.warning("Could not %s; the next step retries: %s", what, error)


def stranded(record: RunRecord) -> str:
    """What to say of a run whose machines are all gone for good before its jobs are done."""
    return (
        f"All spot fleets of {record.app_name} have ended (their time, MAX_HOURS, is over, or they "
        "were cancelled) or their target is 0, while jobs remain. No machine runs; the "
        "jobs stay in the queue. "
        f"`{run_line('startCluster FLEET.json')}` goes on with them; `{run_line('cancel')}` "
        "removes everything."
    )


def _plan(
    record: RunRecord, seen: RunSnapshot, state: MonitorState, pace: Pace, now: float
) -> tuple[MonitorState, Plan]:
    """Which machines to give back; none of a fleet that counts something else than machines."""
    slots = 0 if _is_weighted(record) else record.slots_per_machine
    policy = Policy(slots, record.finish == "cheap", packs=bool(record.has_checkpoints))
    state, plan = plan_machines(seen.load, seen.fleets, seen.machines, policy, state, pace, now)
    if any(fleet.is_changing for fleet in seen.fleets):  # its target is not to be trusted
        plan = replace(plan, targets=(), terminate=())
    return state, plan


def _is_weighted(record: RunRecord) -> bool:
    """Whether a fleet counts something else than machines, which targets here do not speak of."""
    return any("WeightedCapacity" in json.dumps(dict(fleet.request)) for fleet in record.fleets)


def _lease_holder(aws: Aws, record: RunRecord, seen: RunSnapshot) -> Holder | None:
    """A worker slot that still holds a job which is neither done nor given up."""
    ledger = RunLedger.of(aws.s3, record)
    for beat, work in ledger.machines.read_heartbeats(seen.beats):
        if not ledger.has_ended(work.job_id):
            return beat, work
    return None


def _progress(
    seen: RunSnapshot,
    state: MonitorState,
    holder: Holder | None,
    late: tuple[int, Sequence[str]],
    now: float,
) -> RunProgress:
    return RunProgress(
        time=now,
        submitted=seen.submitted,
        waiting=seen.counts.waiting,
        in_flight=seen.counts.in_flight,
        delayed=seen.counts.delayed,
        machines=len(seen.machines),
        target=seen.target,
        late=late[0],
        note=_note(seen, state, holder, late),
    )


def _note(
    seen: RunSnapshot,
    state: MonitorState,
    holder: Holder | None,
    late: tuple[int, Sequence[str]],
) -> str:
    """What the run waits for, if it is not simply its jobs."""
    if seen.stopped:
        return f"The run was stopped: {seen.stopped}"
    if state.is_over:
        return "All jobs have ended; removing everything."
    if late[0]:
        return f"Machines that do not join the cluster: {late[0]}. Likely {' Or '.join(late[1])}"
    if not seen.has_begun:
        return f"Nothing was submitted yet: run `{run_line('submitJob JOBS.json')}`."
    if holder:
        beat, work = holder
        return f"The queue is empty, but {beat.instance_id} is not done: {work.name}."
    if state.quiet:
        gone = "" if seen.has_queue else " (it no longer exists)"
        return f"The queue is empty{gone}; checking again to be sure."
    if state.stranded:
        return "No spot fleet has a target above 0 while jobs remain; checking again to be sure."
    if seen.has_no_machines:
        return f"There are no machines: run `{run_line('startCluster FLEET.json')}`."
    return ""
