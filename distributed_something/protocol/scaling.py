"""Decide which machines a run can give back, and how many containers its service should want.

Pure: what is there goes in, what to do comes out. Targets are only ever lowered here, so a target
that someone set by hand, or that the cheapest mode set, is never undone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Fleet:
    """One spot fleet: how many machines it is asked to keep."""

    fleet_id: str
    target: int


@dataclass(frozen=True)
class Machine:
    """One machine of the run's fleets, as EC2 and ECS show it."""

    instance_id: str
    fleet_id: str
    container_instance: str = ""  # its ARN; '' until the machine has joined the cluster
    draining: bool = False
    tasks: int = 0  # running and pending
    busy: bool = False  # a worker of it holds a lease

    @property
    def joined(self) -> bool:
        return bool(self.container_instance)

    @property
    def works(self) -> bool:
        """Whether it is at a job and may take another."""
        return self.busy and not self.draining

    @property
    def empty(self) -> bool:
        """Whether ending it takes nothing away: neither task nor lease, and none can come."""
        return not self.busy and not self.tasks and (self.draining or not self.joined)


@dataclass(frozen=True)
class Plan:
    """What to do to give machines back, in this order."""

    targets: tuple[Fleet, ...] = ()  # fleets with their new, lower target
    drain: tuple[Machine, ...] = ()
    terminate: tuple[Machine, ...] = ()

    def applied(self, machines: Sequence[Machine]) -> tuple[Machine, ...]:
        """The machines as they are once this has been done."""
        left = (machine for machine in machines if machine not in self.terminate)
        return tuple(replace(m, draining=True) if m in self.drain else m for m in left)


def plan_giving_back(
    fleets: Sequence[Fleet], machines: Sequence[Machine], in_flight: int, slots: int
) -> Plan:
    """Keep the machines that work, and enough for all jobs in flight; drain and end the others.

    `slots` is how many jobs a machine takes at once. To be called when no job waits. At least one
    machine stays: queue counts are approximate, and a job may yet come back.
    """
    kept = _kept(machines, max(1, -(-in_flight // slots)))
    spare = [machine for machine in machines if machine not in kept]
    return Plan(
        targets=_lower(fleets, kept, max(1, -(-in_flight // slots))),
        drain=tuple(machine for machine in spare if machine.joined and not machine.draining),
        terminate=tuple(machine for machine in spare if machine.empty),
    )


def plan_ending_drained(machines: Sequence[Machine]) -> Plan:
    """End the machines that were drained before jobs came to wait again: they can take none."""
    return Plan(terminate=tuple(m for m in machines if m.draining and m.empty))


def plan_lowering(fleets: Sequence[Fleet], in_flight: int) -> Plan:
    """Ask for no more machines than there are jobs in flight, and end none of those that run.

    For machines whose workers tell of nothing: which of them is idle only their own alarms know.
    """
    return Plan(targets=cap_targets(fleets, max(1, in_flight)))


def cap_targets(fleets: Sequence[Fleet], total: int) -> tuple[Fleet, ...]:
    """The fleets whose target has to go down so that all ask for `total` machines at most."""
    lowered = []
    left = total
    for fleet in fleets:
        target = min(fleet.target, left)
        left -= target
        if target < fleet.target:
            lowered.append(replace(fleet, target=target))
    return tuple(lowered)


def lower_by(fleets: Sequence[Fleet], fewer: Mapping[str, int]) -> tuple[Fleet, ...]:
    """The fleets whose target has to go down, by how much each is to lose."""
    return tuple(
        replace(fleet, target=max(0, fleet.target - fewer[fleet.fleet_id]))
        for fleet in fleets
        if fewer.get(fleet.fleet_id) and fleet.target
    )


def wanted_containers(joined: int, most: int, tasks_per_machine: int) -> int:
    """How many containers the service should want: `joined` machines take them, `most` are asked.

    With one container a machine, placement keeps them apart. ECS has no rule that puts exactly two
    or more on a machine: the service then wants no more than those that have joined can hold.
    """
    if tasks_per_machine == 1:
        return most
    return min(most, max(1, joined) * tasks_per_machine)


def _kept(machines: Sequence[Machine], enough: int) -> Collection[Machine]:
    """The machines that work, and as many usable idle ones as `enough` machines in all need."""
    working = [machine for machine in machines if machine.works]
    usable = [machine for machine in machines if not machine.busy and not machine.draining]
    usable.sort(key=lambda machine: (not machine.tasks, not machine.joined))
    return {*working, *usable[: max(0, enough - len(working))]}


def _lower(fleets: Sequence[Fleet], kept: Collection[Machine], enough: int) -> tuple[Fleet, ...]:
    """Each fleet's target down to its kept machines, with `enough` over all fleets."""
    own = {fleet: sum(m.fleet_id == fleet.fleet_id for m in kept) for fleet in fleets}
    missing = max(0, enough - sum(min(fleet.target, own[fleet]) for fleet in fleets))
    lowered = []
    for fleet in fleets:
        target = min(fleet.target, own[fleet] + missing)
        missing -= max(0, target - own[fleet])
        if target < fleet.target:
            lowered.append(replace(fleet, target=target))
    return tuple(lowered)
