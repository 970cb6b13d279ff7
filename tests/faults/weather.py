"""Whole runs in the weather of AWS: new things are unseen, counts lag, calls are throttled.

A seed draws the weather of a run. The world plays machines and workers on the simulated clock; our
verbs run as they are. What the world sees is what a lab would: jobs done, machines ended, things
left over.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import ec2_backends

from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.commands.watching.monitor import MonitorOutcome, Pace, monitor
from distributed_something.errors import NotFound
from distributed_something.local.simulator import ACCOUNT, REGION, Rules
from distributed_something.local.simulator.server import application
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.record import RunRecord, find_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.account import write_fleet_file
from tests.builders import write_json
from tests.lives import Held, Life, open_life
from worker.machine.duties import Duties, DutyClients

from .wire import Wire, _refusal

MINUTE = 60.0
JOBS = 5
MACHINES = 2
TYPES = ("m5.large", "m5.xlarge")
KINDS = (
    "unseen",
    "lagging counts",
    "throttled",
    "modifying",
    "late metrics",
    "clock off",
    "slow to join",
    "no capacity",
    "interrupted",
)
_PACE = Pace(look_every=120.0, export_seconds=0.0)


@dataclass(frozen=True)
class Weather:
    """What a seed draws; times in seconds, 0 where that kind does not occur."""

    seed: int
    unseen: float = 0.0
    lag: float = 0.0
    throttled: float = 0.0  # the share of calls whose first attempt is refused
    modifying: float = 0.0
    ingestion: float = 0.0
    clock_off: float = 0.0  # of the monitor's computer; the workers' is off the other way
    join: float = 60.0  # the longest time that a machine takes
    no_capacity: float = 0.0  # for how long one type cannot be had
    interrupted: int = 0  # machines that AWS takes

    @property
    def kinds(self) -> frozenset[str]:
        values = (
            *(self.unseen, self.lag, self.throttled, self.modifying, self.ingestion),
            *(self.clock_off, max(0.0, self.join - 60.0), self.no_capacity, self.interrupted),
        )
        return frozenset(kind for kind, value in zip(KINDS, values, strict=True) if value)

    @property
    def rules(self) -> Rules:
        return Rules(
            deleted_queue_seconds=60.0,
            draining_seconds=30.0,
            refill_seconds=60.0,
            unseen_seconds=self.unseen,
            ingestion_seconds=self.ingestion,
            modifying_seconds=self.modifying,
            count_lag_seconds=self.lag,
            dates_objects=True,
        )


def draw(seed: int) -> Weather:
    """The weather of a seed: each kind in two runs of five."""
    chance = random.Random(seed)

    def maybe(low: float, high: float) -> float:
        return chance.uniform(low, high) if chance.random() < 0.4 else 0.0

    return Weather(
        seed,
        unseen=maybe(1, 6),
        lag=maybe(20, 60),
        throttled=maybe(0.02, 0.2),
        modifying=maybe(10, 300),
        ingestion=maybe(30, 150),
        clock_off=maybe(120, 600) * chance.choice((-1, 1)),
        join=maybe(120, 1200) or 60.0,
        no_capacity=maybe(60, 900),
        interrupted=round(maybe(1, 3)),
    )


@dataclass
class Worker:
    """A played machine at work."""

    duties: Duties
    held: Held | None = None
    until: float = 0.0


@dataclass
class World:
    """The machines and workers of a run in its weather."""

    life: Life
    weather: Weather
    chance: random.Random
    began: float
    workers: dict[str, Worker] = field(default_factory=dict)
    joins_at: dict[str, float] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)  # machines that AWS took away
    done: Counter[str] = field(default_factory=Counter)
    wronged: list[str] = field(default_factory=list)  # machines ended at a job
    terminated: dict[str, str] = field(default_factory=dict)  # by our verbs, and why
    has_lambda: bool = False  # whether it looks too, every other minute
    _looks: int = 0

    def sleep(self, seconds: float) -> None:
        """Let time pass, a minute at most between two looks at the world."""
        clock = self.life.clock
        end = clock.time + seconds
        while clock.time < end - 1e-6:
            clock.time = min(end, clock.time + MINUTE)
            self.go_on()

    def now(self) -> float:
        return self.life.clock.time + self.weather.clock_off

    def go_on(self) -> None:
        """What AWS and the workers do in a minute."""
        if self.life.clock.time - self.began >= self.weather.no_capacity:
            self.ec2.refused_types.clear()
        record = self.record
        if record is None or not record.is_live:
            return
        self._looks += 1
        if self._looks % 2:
            self.life.tick()
        self._notice_ends()
        for name in self.life.instances():
            self._work(record, name)
        self._interrupt()
        if self.has_lambda and record.fleet_ids:
            self._look_as_lambda(record)

    def _look_as_lambda(self, record: RunRecord) -> None:
        """Every other minute; what it waits for takes time in which no one else does anything."""
        if self._looks % 2:
            return
        clock = self.life.clock

        def wait(seconds: float) -> None:
            clock.time += seconds

        ledger = RunLedger.of(self.life.world.s3, record)
        deadline = clock.time + 600.0
        watch_once(
            self.life.world, ledger, deadline=deadline, pace=_PACE, sleep=wait, now=clock.now
        )

    @property
    def ec2(self) -> Any:
        return ec2_backends[ACCOUNT][REGION]

    @property
    def record(self) -> RunRecord | None:
        settings = self.life.settings
        return find_record(self.life.world.s3, settings.aws_bucket, settings.app_name)

    def running(self) -> dict[str, tuple[str, str]]:
        """The machines that have booted by now, as the played agents see them."""
        now = self.life.clock.time
        found = dict(self._all_running())
        for name in found:
            delay = self.chance.uniform(30.0, self.weather.join)
            self.joins_at.setdefault(name, now + delay)
        return {name: one for name, one in found.items() if now >= self.joins_at[name]}

    def _all_running(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for one in self.ec2.all_instances():
            if one._state.name == "running":
                yield one.id, (one.instance_type, one.placement)

    def _notice_ends(self) -> None:
        live = {name for name, _ in self._all_running()}
        for name, worker in list(self.workers.items()):
            if name not in live:
                if worker.held is not None and name not in self.taken:
                    self.wronged.append(name)
                del self.workers[name]

    def note_terminated(self, params: Any, **_: Any) -> None:
        """Our verbs end machines by their ids: idle ones that joined, and those that never did."""
        for name in params["InstanceIds"]:
            reason = "given back" if name in self.life.machines.joined else "never joined"
            self.terminated.setdefault(name, reason)

    def why_ended(self) -> Counter[str]:
        """How many machines there were in the run, by what ended them."""
        alarms: Any = cloudwatch_backends[ACCOUNT][REGION]
        reasons = dict.fromkeys((one.id for one in self.ec2.all_instances()), "with its fleet")
        reasons |= self.terminated | dict.fromkeys(self.taken, "taken by AWS")
        reasons |= {name: "by its alarm" for _, name, _ in alarms.ended}
        live = {name for name, _ in self._all_running()}
        return Counter("still there" if name in live else why for name, why in reasons.items())

    def _work(self, record: RunRecord, name: str) -> None:
        if name not in self.workers:
            if not self._has_container(record, name):
                return
            self.workers[name] = Worker(self._duties(record, name))
            self.workers[name].duties.begin()
        worker, now = self.workers[name], self.life.clock.time
        if worker.held is not None and now >= worker.until:
            self.life.finish(record, worker.held)
            self.done[worker.held.job.name] += 1
            worker.held = None
        if worker.held is None and self._has_container(record, name):
            worker.held = self._take(record, name)
            worker.until = now + self.chance.uniform(60.0, 420.0)
        elif worker.held is not None:
            self.life.beat(record, name, worker.held.job)
        worker.duties.do()

    def _has_container(self, record: RunRecord, name: str) -> bool:
        machine = self.life.machines.joined.get(name)
        if machine is None:
            return False
        tasks = self.life.world.ecs.list_tasks(
            cluster=record.cluster, containerInstance=machine.container_instance
        )
        return bool(tasks["taskArns"])

    def _take(self, record: RunRecord, name: str) -> Held | None:
        try:
            return self.life.take(record, name)
        except (KeyError, NotFound):  # no message, or no queue any more
            self.life.beat(record, name, None)
            return None

    def _interrupt(self) -> None:
        if len(self.taken) >= self.weather.interrupted or self.chance.random() > 0.1:
            return
        for name in list(self.workers):
            self.taken.add(name)
            self.life.world.ec2.terminate_instances(InstanceIds=[name])
            return

    def _duties(self, record: RunRecord, name: str) -> Duties:
        aws = self.life.world
        task = aws.ecs.describe_task_definition(taskDefinition=record.task_family)
        described = task["taskDefinition"]["containerDefinitions"][0]
        variables = {one["name"]: one["value"] for one in described["environment"]}
        return Duties(
            DutyClients(cloudwatch=aws.cloudwatch, ec2=aws.ec2, s3=aws.s3, sqs=aws.sqs),
            WorkerEnvironment.from_environment(variables),
            name,
            lambda: int(self.workers[name].held is not None),
            self.life.folder,
            idle_seconds=86400.0,
            now=lambda: self.life.clock.time - self.weather.clock_off,
        )


class ThrottledWire(Wire):
    """The way to AWS, on which the first attempt of some calls is refused."""

    def __init__(self, aws: Aws, share: float, chance: random.Random) -> None:
        super().__init__(aws, application)
        self.refused = self.attempts = 0
        self._share, self._chance = share, chance

    def _send(self, request: Any, event_name: str, **more: Any) -> Any:
        self.attempts += 1
        first = self._here.attempts == 0
        if first and self._share and self._chance.random() < self._share:
            self._here.attempts += 1
            self.refused += 1
            return _refusal(request, event_name, 503, "ThrottlingException")
        return super()._send(request, event_name, **more)


@dataclass(frozen=True)
class Outcome:
    """How a run went in its weather."""

    weather: Weather
    ended: MonitorOutcome
    done: Counter[str]
    wronged: tuple[str, ...]  # machines that were ended at a job
    by_alarm: int
    left_over: tuple[str, ...]
    why_ended: Counter[str]  # machines, by what ended them
    requests: int
    throttled: int
    retries: int
    minutes: float


def play(seed: int, folder: Path, *, is_watched_twice: bool = False) -> Outcome:
    """A whole run in the weather of a seed; `is_watched_twice`: by the Lambda too."""
    weather = draw(seed)
    with world_of(weather, folder) as (world, wire):
        life = world.life
        world.has_lambda = is_watched_twice
        times: dict[str, Any] = {"sleep": world.sleep, "now": world.now}
        before = take_inventory(life.world)
        setup(life.aws, life.settings, **times)
        groups = [{"name_of_it": f"job-{number}"} for number in range(JOBS)]
        content = {"command": "true", "name": "{name_of_it}", "groups": groups}
        path = write_json(folder / "jobs.json", content)
        submit_job(life.aws, life.settings, path, folder=folder, **times)
        fleet = write_fleet_file(life.world, folder)
        record = start_cluster(life.aws, life.settings, fleet, folder=folder, **times)
        ended = monitor(life.aws, record, folder=folder, pace=_PACE, **times)
        left = take_inventory(life.world) - before - what_stays(ended.record)
        alarms: Any = cloudwatch_backends[ACCOUNT][REGION]
        return Outcome(
            weather,
            ended,
            world.done,
            tuple(world.wronged),
            len(alarms.ended),
            tuple(sorted(left)),
            world.why_ended(),
            len(wire.calls),
            wire.refused + sum(application.throttle.refused.values()),
            wire.attempts - len(wire.calls),
            (life.clock.time - world.began) / MINUTE,
        )


@contextmanager
def world_of(weather: Weather, folder: Path) -> Iterator[tuple[World, ThrottledWire]]:
    """An account in that weather, with an app and the world around it."""
    chance = random.Random(weather.seed + 1)
    constants = {"CLUSTER_MACHINES": MACHINES, "MACHINE_TYPE": list(TYPES), "MAX_HOURS": 24}
    with open_life(folder, weather.rules, **constants) as life:
        world = World(life, weather, chance, life.clock.time)
        life.machines._running = world.running  # type: ignore[method-assign]
        Wire(life.world, application)
        wire = ThrottledWire(life.aws, weather.throttled, chance)
        event = "provide-client-params.ec2.TerminateInstances"
        life.aws.ec2.meta.events.register(event, world.note_terminated)
        if weather.no_capacity:
            world.ec2.refused_types.add(TYPES[0])
        yield world, wire
