"""Decide which machines a run can give back, and how many containers its service should want.

Pure: what is there goes in, what to do comes out. Targets are only ever lowered here, so a target
that someone set by hand, or that the cheapest mode set, is never undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Fleet:
    """One spot fleet: how many machines it is asked to keep, or is still going to bring."""

    fleet_id: str
    target: int
    refills: bool = True  # False for one of type `request`: AWS lets no one change its target
    is_changing: bool = False  # AWS works on a change, and shows the target from before it


@dataclass(frozen=True)
class Machine:
    """One machine of the run's fleets, as EC2 and ECS show it."""

    instance_id: str
    fleet_id: str
    container_instance: str = ""  # its ARN; '' until the machine has joined the cluster
    draining: bool = False
    tasks: int = 0  # running and pending
    busy: int = 0  # slots of it that hold a lease, as far as is known

    @property
    def joined(self) -> bool:
        return bool(self.container_instance)

    @property
    def works(self) -> bool:
        """Whether it is at a job and may take another."""
        return bool(self.busy) and not self.draining

    @property
    def empty(self) -> bool:
        """Whether ending it takes nothing away: neither task nor lease, and none can come."""
        return not self.busy and not self.tasks and (self.draining or not self.joined)


@dataclass(frozen=True)
class Plan:
    """What to do to release machines, in this order."""

    targets: tuple[Fleet, ...] = ()  # fleets with their new, lower target
    drain: tuple[Machine, ...] = ()
    terminate: tuple[Machine, ...] = ()
    # Ids of the machines that end the jobs they have, and take no more; None: those of before.
    closed: frozenset[str] | None = None

    def applied(self, machines: Sequence[Machine]) -> tuple[Machine, ...]:
        """The machines as they are once this has been done."""
        ended = {machine.instance_id for machine in self.terminate}
        drained = {machine.instance_id for machine in self.drain}
        left = (machine for machine in machines if machine.instance_id not in ended)
        return tuple(replace(m, draining=True) if m.instance_id in drained else m for m in left)


def plan_giving_back(
    fleets: Sequence[Fleet],
    machines: Sequence[Machine],
    in_flight: int,
    slots: int,
    *,
    packs: bool = False,
) -> Plan:
    """Keep the machines that work, and enough for all jobs in flight; drain and end the others.

    `slots` is how many jobs a machine takes at once. To be called when no job waits. At least one
    machine stays: queue counts are approximate, and a job may yet come back. `packs`: jobs go on
    elsewhere from their checkpoints, so that machines whose jobs others have room for go too.
    """
    kept = _kept(machines, max(1, -(-in_flight // slots)), packs)
    spare = [machine for machine in machines if machine not in kept]
    return Plan(
        targets=_lower(fleets, kept, max(1, -(-in_flight // slots))),
        drain=tuple(machine for machine in spare if machine.joined and not machine.draining),
        terminate=tuple(machine for machine in spare if machine.empty),
    )


def plan_own_end(
    instance_id: str,
    fleets: Sequence[Fleet],
    machines: Sequence[Machine],
    in_flight: int,
    slots: int,
) -> Plan | None:
    """What an idle machine does to end itself: lower targets, then go; None if it is to stay.

    `machines` are those that beat, `in_flight` counts delayed jobs too. Targets are absolute, and
    the same for all who see the same: several may lower them at once.
    """
    plan = plan_giving_back(fleets, machines, in_flight, slots)
    spare = [machine for machine in plan.drain if machine.instance_id == instance_id]
    return Plan(targets=plan.targets, terminate=tuple(spare)) if spare else None


def plan_ending_drained(machines: Sequence[Machine]) -> Plan:
    """End the machines that were drained before jobs came to wait again: they can take none."""
    return Plan(terminate=tuple(m for m in machines if m.draining and m.empty))


def plan_lowering(fleets: Sequence[Fleet], in_flight: int) -> Plan:
    """Ask for no more machines than there are jobs in flight, and end none of those that run.

    For machines whose workers tell of nothing: which of them is idle only their own alarms know.
    """
    return Plan(targets=cap_targets(fleets, max(1, in_flight)))


# A machine without a job ends itself after so long: four receives of its workers brought nothing.
IDLE_SECONDS = 20.0
# FINISH = "cheap": a slot has so many jobs to do, or the machines are too many to pay for starting;
CHEAP_JOBS_A_SLOT = 10
# or are busy for so many times as long as the longest job, where that is such a share of the work;
CHEAP_LONG_TIMES = 2.0
CHEAP_LONG_SHARE = 0.02
# and so many wait for each slot that still takes jobs, or its machine closes.
CHEAP_WAITING_A_SLOT = 2


def machines_to_buy(
    asked: int, jobs: int, slots: int, *, is_cheap: bool, seconds: Sequence[float] = ()
) -> int:
    """How many machines to ask for: as many as wanted, or fewer if that is what is cheap.

    `seconds` are times of some of the jobs, none if they are not known.
    """
    if not is_cheap or not jobs:
        return asked
    few = min(asked, -(-jobs // (slots * CHEAP_JOBS_A_SLOT)))
    return max(1, min(few, _machines_beside_longest(jobs, slots, seconds)))


def _machines_beside_longest(jobs: int, slots: int, seconds: Sequence[float]) -> int:
    """How many machines are busy for twice the time of the longest job, if it counts for much.

    If AWS takes its machine it begins again: on more machines it would then be the last job, and
    its machine's other slots idle.
    """
    if not seconds or slots == 1:
        return jobs
    work, longest = jobs * sum(seconds) / len(seconds) / slots, max(seconds)
    if longest * (slots - 1) / slots < CHEAP_LONG_SHARE * work:
        return jobs
    return int(work / (CHEAP_LONG_TIMES * longest))


def plan_closing(
    fleets: Sequence[Fleet],
    machines: Sequence[Machine],
    closed: Collection[str],
    to_take: int,
    slots: int,
) -> Plan:
    """Let fewer machines take jobs as those that wait run out; `closed` are ids that take none.

    The busiest stay open, for they stay longest. A closed machine that is busier than what is open
    opens again: a job that comes back costs nothing beside another. The fleets keep no more than
    what stays open.
    """
    live = [machine for machine in machines if not machine.draining]
    wanted = max(1, -(-to_take // (slots * CHEAP_WAITING_A_SLOT)))
    live.sort(
        key=lambda m: (-m.busy, m.instance_id in closed, not m.tasks, not m.joined, m.instance_id)
    )
    return Plan(
        targets=cap_targets(fleets, wanted),
        closed=frozenset(machine.instance_id for machine in live[wanted:]),
    )


def cap_targets(fleets: Sequence[Fleet], total: int) -> tuple[Fleet, ...]:
    """The fleets whose target has to go down so that all ask for `total` machines at most."""
    lowered = []
    left = total
    for fleet in fleets:
        target = min(fleet.target, left)
        left -= target
        if target < fleet.target and fleet.refills:
            lowered.append(replace(fleet, target=target))
    return tuple(lowered)


def lower_by(fleets: Sequence[Fleet], fewer: Mapping[str, int]) -> tuple[Fleet, ...]:
    """The fleets whose target has to go down, by how much each is to lose."""
    return tuple(
        replace(fleet, target=max(0, fleet.target - fewer[fleet.fleet_id]))
        for fleet in fleets
        if fewer.get(fleet.fleet_id) and fleet.target and fleet.refills
    )


def wanted_containers(joined: int, most: int, tasks_per_machine: int) -> int:
    """How many containers the service should want: `joined` machines take them, `most` are asked.

    With one container a machine, placement keeps them apart. ECS has no rule that puts exactly two
    or more on a machine: the service then wants no more than those that have joined can hold.
    """
    if tasks_per_machine == 1:
        return most
    return min(most, max(1, joined) * tasks_per_machine)


def _kept(machines: Sequence[Machine], enough: int, packs: bool) -> Collection[Machine]:
    """The machines that work, and as many usable idle ones as `enough` machines in total need.

    With `packs` the busiest `enough` of those that work. Whoever looks keeps the same ones.
    """
    working = [machine for machine in machines if machine.works]
    working.sort(key=lambda machine: (-machine.busy, machine.instance_id))
    if packs:
        working = working[:enough]
    usable = [machine for machine in machines if not machine.busy and not machine.draining]
    usable.sort(key=lambda m: (not m.tasks, not m.joined, m.instance_id))
    return {*working, *usable[: max(0, enough - len(working))]}


def _lower(fleets: Sequence[Fleet], kept: Collection[Machine], enough: int) -> tuple[Fleet, ...]:
    """Each fleet's target down to its kept machines, with `enough` over all fleets."""
    own = Counter(machine.fleet_id for machine in kept)
    missing = max(0, enough - sum(min(fleet.target, own[fleet.fleet_id]) for fleet in fleets))
    lowered = []
    for fleet in fleets:
        target = min(fleet.target, own[fleet.fleet_id] + missing)
        missing -= max(0, target - own[fleet.fleet_id])
        if target < fleet.target and fleet.refills:
            lowered.append(replace(fleet, target=target))
    return tuple(lowered)
