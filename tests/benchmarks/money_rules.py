"""Who decides in the made-up world: the product's own code, or upstream's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from distributed_something.protocol.scaling import IDLE_SECONDS, Fleet, Machine, plan_own_end
from distributed_something.run.decisions import (
    LAMBDA_PACE,
    MonitorState,
    Pace,
    Policy,
    RunLoad,
    count_quiet,
    plan_machines,
)
from worker.environment import Pace as WorkerPace

from .money_world import Box, World

FLEET = "sfr-1"
PACES = {"monitor": Pace(), "lambda": LAMBDA_PACE, "no one": None}
ALARM = 900.0  # seconds without a busy slot


@dataclass
class Product:
    """The monitor's decisions on what it would see here, and the worker's on its own end."""

    slots: int
    is_cheap: bool = False
    packs: bool = False
    pace: Pace | None = field(default_factory=Pace)
    ends_itself: bool = True
    idle_after: float = IDLE_SECONDS
    loses_jobs: float | None = None
    _state: MonitorState = field(default_factory=lambda: MonitorState(began=0.0))

    @property
    def look_every(self) -> float | None:
        return self.pace.look_every if self.pace else None

    def look(self, world: World) -> None:
        assert self.pace is not None
        waiting, in_flight = world.counts()
        told = sum(box.seen_busy for box in world.boxes.values())
        load = RunLoad(to_take=waiting, in_flight=in_flight, unseen=max(0, in_flight - told))
        machines = [_machine(box) for box in world.boxes.values()]
        policy = Policy(self.slots, self.is_cheap, self.packs)
        fleets = (Fleet(FLEET, world.target),)
        self._state, plan = plan_machines(
            load, fleets, machines, policy, self._state, self.pace, world.now
        )
        for fleet in plan.targets:
            world.set_target(fleet.target)
        for machine in plan.drain:
            world.drain(world.boxes[machine.instance_id])
        for machine in plan.terminate:
            world.end(world.boxes[machine.instance_id])
        holds = any(box.seen_busy for box in world.boxes.values())
        self._state = count_quiet(load, holds, self._state, self.pace, world.now)
        if self._state.is_over:
            world.over()

    def minute(self, world: World, box: Box) -> None:
        """Its heartbeat, and what it reads then."""
        was, box.closed = box.closed, box.name in self._state.closed
        if was and not box.closed:
            world.reopen(box)

    def idle(self, world: World, box: Box) -> float | None:
        assert box.idle_since is not None
        idle = world.now - box.idle_since
        if idle >= ALARM:
            world.end(box)
            return None
        if not self.ends_itself:
            return max(1.0, ALARM - idle)
        if box.closed:
            world.end(box)
            return None
        waiting, in_flight = world.counts()
        beating = [one for one in world.boxes.values() if one.beat is not None]
        machines = [_machine(one) for one in beating if not (one.noticed or one.closed)]
        fleets = (Fleet(FLEET, world.target),)
        plan = plan_own_end(box.name, fleets, machines, in_flight, self.slots)
        if plan is not None:
            for fleet in plan.targets:
                world.set_target(fleet.target)
            world.end(box)
            return None
        is_empty = not waiting and not in_flight and not any(one.seen_busy for one in beating)
        if is_empty and idle >= WorkerPace().idle_seconds:
            world.over()
            return None
        return 10.0


def _machine(box: Box) -> Machine:
    joined = box.ready is not None
    is_draining = box.drained or box.noticed is not None
    return Machine(
        box.name,
        FLEET,
        f"arn:{box.name}" if joined else "",
        draining=is_draining,
        tasks=int(joined and not is_draining),
        busy=box.seen_busy,
    )


@dataclass
class Upstream:
    """What upstream does: no job is told of before its machine goes, idle machines wait."""

    seconds: Sequence[float]
    look_every: float | None = 60.0
    idle_after: float = ALARM

    @property
    def loses_jobs(self) -> float | None:
        """SQS_MESSAGE_VISIBILITY, which must be longer than jobs take: four times their mean."""
        return 4 * sum(self.seconds) / len(self.seconds)

    def look(self, world: World) -> None:
        waiting, in_flight = world.counts()
        if waiting:
            return
        if not in_flight:
            world.over()
        elif in_flight < len(world.boxes):
            world.set_target(min(world.target, in_flight))

    def minute(self, world: World, box: Box) -> None:
        pass

    def idle(self, world: World, box: Box) -> float | None:
        """Its alarm ends a machine without load after a quarter of an hour."""
        assert box.idle_since is not None
        idle = world.now - box.idle_since
        if idle >= ALARM:
            world.end(box)
            return None
        return max(1.0, ALARM - idle)
