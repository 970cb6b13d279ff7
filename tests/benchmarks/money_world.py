"""A made-up world of spot machines and a queue, in virtual time; it takes no decision of its own.

What happens by itself: machines boot, AWS takes some away with two minutes' notice, the fleet
replaces what is missing, idle slots take what waits, counts lag behind. Who decides is `Rules`.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

BOOT, BOOT_SPREAD, PULL = 180.0, 0.15, 60.0  # seconds, share, seconds
NOTICE = 120.0
VISIBLE_AFTER = 1.0  # from a notice until the job can be taken again
COUNT_LAG = 60.0  # the most that SQS's counts lag behind
REFILL = 30.0  # until a fleet asks for what it misses
RESUME = 20.0  # to bring a checkpoint back
BEAT = 60.0
HOUR, LEAST_PAID = 3600.0, 60.0
ROUGH = 0.1  # of the queue's length: how far SQS's order is off
_SAMPLE = 5.0


@dataclass
class Job:
    """A job; `left` is what of its seconds is not done, or not kept."""

    number: int
    seconds: float
    left: float
    tries: int = 0
    done: int = 0


@dataclass
class Slot:
    """One slot of a machine; `turn` tells an event that came too late."""

    machine: Box
    job: Job | None = None
    since: float = 0.0
    turn: int = 0


@dataclass
class Box:
    """A machine of this world, from its launch to its end.

    Its `luck` says how long it boots and when AWS takes it: the same under each rule, or runs of a
    few seeds would differ more by the interruptions of their longest jobs than by the rules.
    """

    name: str
    launched: float
    luck: random.Random
    slots: list[Slot] = field(default_factory=list)
    ready: float | None = None
    noticed: float | None = None
    ended: float | None = None
    taken: bool = False
    drained: bool = False
    closed: bool = False
    busy: int = 0
    seen_busy: int = 0  # as its last heartbeats tell
    beat: float | None = None
    idle_since: float | None = None
    changed: float = 0.0
    used: float = 0.0  # slot-seconds at jobs
    beside: float = 0.0  # idle slot-seconds beside a job
    idle: float = 0.0  # slot-seconds of a machine without a job

    @property
    def takes(self) -> bool:
        return (
            self.ready is not None
            and self.ended is None
            and self.noticed is None
            and not (self.drained or self.closed)
        )

    def paid(self, now: float) -> float:
        """Seconds on the bill."""
        ran = (now if self.ended is None else self.ended) - self.launched
        return 0.0 if self.taken and ran < HOUR else max(ran, LEAST_PAID)


class Rules(Protocol):
    """Who decides: on a look of whoever watches, and as a machine has been idle for a while."""

    @property
    def look_every(self) -> float | None:
        """Seconds between two looks; None: no one watches."""

    @property
    def idle_after(self) -> float:
        """Seconds without a job after which a machine is asked what it does."""

    @property
    def loses_jobs(self) -> float | None:
        """Seconds until a job of a machine that was taken is seen again; None: given back."""

    def look(self, world: World) -> None: ...

    def idle(self, world: World, box: Box) -> float | None:
        """What an idle machine does; seconds until it is asked again, None: not again."""

    def minute(self, world: World, box: Box) -> None:
        """What a machine does once a minute."""


@dataclass(frozen=True)
class Sums:
    """What a run came to; shares are of the useful work."""

    paid: float
    makespan: float  # hours
    boot: float
    beside: float
    lost: float
    idle: float
    free: float
    lost_jobs: int
    twice: int
    left_over: int


class World:
    """One run: `seconds` are the jobs' times in the order in which they are sent."""

    def __init__(
        self,
        seed: int,
        seconds: Sequence[float],
        machines: int,
        slots: int,
        rate: Callable[[float], float],  # interruptions a machine-hour at a time
        rules: Rules,
        *,
        keeps: bool = False,  # jobs have checkpoints
    ) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.now = 0.0
        self.slots, self.target, self.keeps = slots, machines, keeps
        self.rate, self.rules = rate, rules
        self.boxes: dict[str, Box] = {}
        self.gone: list[Box] = []
        self.waiting: list[tuple[float, int, Job]] = []
        self.delayed = 0
        self.in_flight = 0
        self.is_over = False
        self.finished = 0.0
        self.done = 0
        self.lost = 0.0
        self.repeated = 0.0
        self.jobs = [Job(place, one, one) for place, one in enumerate(seconds)]
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order, self._names = count(), count()
        self._free: list[Slot] = []
        self._history: deque[tuple[float, int, int]] = deque(maxlen=64)
        self._refilling = False
        spread = ROUGH * len(self.jobs)
        self._key = [place + self.random.uniform(0, spread) for place in range(len(self.jobs))]
        for job in self.jobs:
            self._put(job)

    # What whoever decides may see and do

    def counts(self) -> tuple[int, int]:
        """Jobs that wait and that are in flight, as SQS tells: late."""
        then = self.now - self.random.uniform(0, COUNT_LAG)
        for when, waiting, in_flight in self._history:
            if when >= then:
                return waiting, in_flight
        return len(self.waiting), self.in_flight

    def set_target(self, target: int) -> None:
        self.target = target
        self._refill_soon()

    def end(self, box: Box, *, taken: bool = False) -> None:
        """End a machine: ours unless AWS has `taken` it."""
        if box.ended is not None:
            return
        self._stop_jobs(box, VISIBLE_AFTER)
        self._account(box)
        box.ended, box.taken = self.now, taken
        del self.boxes[box.name]
        self.gone.append(box)
        self._refill_soon()

    def drain(self, box: Box) -> None:
        box.drained = True
        self._stop_jobs(box, VISIBLE_AFTER)

    def after(self, seconds: float, do: Callable[..., None], *arguments: object) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), do, arguments))

    # The run

    def run(self) -> Sums:
        self._refill()
        if self.rules.look_every:
            self.after(self.random.uniform(0, self.rules.look_every), self._look)
        while self._events and not (self.is_over and not self.boxes):
            self.now, _, do, arguments = heapq.heappop(self._events)
            if not self._history or self.now - self._history[-1][0] >= _SAMPLE:
                self._history.append((self.now, len(self.waiting), self.in_flight))
            do(*arguments)
            if self.now > 4000 * HOUR:
                raise RuntimeError("This run does not end.")
        return self._sums()

    def over(self) -> None:
        """Take the run down."""
        self.is_over = True
        self.target = 0
        for box in list(self.boxes.values()):
            self.end(box)

    def _look(self) -> None:
        if self.is_over or not self.rules.look_every:
            return
        self.rules.look(self)
        self.after(self.rules.look_every, self._look)

    def _refill_soon(self) -> None:
        if not self._refilling and len(self.boxes) < self.target:
            self._refilling = True
            self.after(REFILL, self._refill)

    def _refill(self) -> None:
        self._refilling = False
        for _ in range(self.target - len(self.boxes)):
            name = f"i-{next(self._names):06d}"
            luck = random.Random(f"{self.seed} {name}")
            box = Box(name, self.now, luck, changed=self.now)
            box.slots = [Slot(box) for _ in range(self.slots)]
            self.boxes[box.name] = box
            boot = BOOT * box.luck.uniform(1 - BOOT_SPREAD, 1 + BOOT_SPREAD)
            self.after(boot + PULL, self._ready, box)
            self._draw_notice(box)

    def _draw_notice(self, box: Box) -> None:
        """When AWS takes it: looked at every ten minutes, so that the rate may change."""
        rate = self.rate(self.now) / HOUR
        wait = box.luck.expovariate(rate) if rate > 0 else HOUR
        if wait < 600.0:
            self.after(wait, self._notice, box)
        else:
            self.after(600.0, self._again, box)

    def _again(self, box: Box) -> None:
        if box.ended is None:
            self._draw_notice(box)

    def _notice(self, box: Box) -> None:
        if box.ended is not None:
            return
        box.noticed = self.now
        if self.rules.loses_jobs is None:
            self._stop_jobs(box, VISIBLE_AFTER)
        self.after(NOTICE, self._take_away, box)

    def _take_away(self, box: Box) -> None:
        if box.ended is None:
            if self.rules.loses_jobs is not None:
                self._stop_jobs(box, self.rules.loses_jobs)
            self.end(box, taken=True)

    def _ready(self, box: Box) -> None:
        if box.ended is not None:
            return
        self._account(box)
        box.ready = self.now
        self._beat(box)
        self._free += box.slots
        self._idle_from_now(box)
        self._hand_out()

    def _beat(self, box: Box) -> None:
        if box.ended is None:
            box.seen_busy, box.beat = box.busy, self.now
            if box.noticed is None:
                self.rules.minute(self, box)
            self.after(BEAT if box.beat else self.random.uniform(0, BEAT), self._beat, box)

    def _idle_from_now(self, box: Box) -> None:
        box.idle_since = self.now
        self.after(self.rules.idle_after, self._idle, box, self.now)

    def _idle(self, box: Box, since: float) -> None:
        if box.ended is not None or box.idle_since != since or box.noticed is not None:
            return
        again = self.rules.idle(self, box)
        if again is not None and box.ended is None:
            self.after(again, self._idle, box, since)

    # Jobs

    def _put(self, job: Job) -> None:
        heapq.heappush(self.waiting, (self._key[job.number], job.number, job))

    def _come_back(self, job: Job) -> None:
        self.in_flight -= 1
        self._put(job)
        self._hand_out()

    def _hand_out(self) -> None:
        """Let idle slots take what waits; those that have become free last come first."""
        while self.waiting and self._free:
            slot = self._free.pop()
            if slot.machine.takes and slot.job is None:
                self._begin(slot)

    def reopen(self, box: Box) -> None:
        """Let a machine that was closed take jobs again."""
        self._free += [slot for slot in box.slots if slot.job is None]
        self._hand_out()

    def _begin(self, slot: Slot) -> None:
        _, _, job = heapq.heappop(self.waiting)
        box = slot.machine
        self._account(box)
        box.busy += 1
        box.idle_since = None
        self.in_flight += 1
        slot.job, slot.since = job, self.now
        slot.turn += 1
        resumes = RESUME if self.keeps and job.tries and job.left < job.seconds else 0.0
        job.tries += 1
        self.after(job.left + resumes, self._finish, slot, slot.turn)

    def _finish(self, slot: Slot, turn: int) -> None:
        if slot.turn != turn or slot.job is None:
            return
        job, box = slot.job, slot.machine
        self._leave(slot)
        self.in_flight -= 1
        self.lost += self.now - slot.since - job.left
        if job.done:
            self.repeated += 1
        else:
            self.done += 1
            self.finished = self.now
        job.done += 1
        if box.takes and self.waiting:
            self._begin(slot)
            return
        if box.takes:
            self._free.append(slot)
        if not box.busy:
            self._idle_from_now(box)

    def _leave(self, slot: Slot) -> None:
        self._account(slot.machine)
        slot.machine.busy -= 1
        slot.job = None
        slot.turn += 1

    def _stop_jobs(self, box: Box, seconds: float) -> None:
        """What it works on goes back to the queue, and can be taken again some time later."""
        for slot in box.slots:
            job = slot.job
            if job is None:
                continue
            ran = self.now - slot.since
            self._leave(slot)
            if self.keeps:
                kept = max(0.0, min(job.left, ran - RESUME * (job.tries > 1)))
                self.lost += ran - kept
                job.left -= kept
            else:
                self.lost += ran
            self.after(seconds, self._come_back, job)

    def _account(self, box: Box) -> None:
        passed = self.now - box.changed
        box.changed = self.now
        box.used += passed * box.busy
        if box.ready is None:
            return
        if box.busy:
            box.beside += passed * (self.slots - box.busy)
        else:
            box.idle += passed * self.slots

    def _sums(self) -> Sums:
        useful = sum(job.seconds for job in self.jobs)
        boxes = [*self.gone, *self.boxes.values()]
        for box in self.boxes.values():
            self._account(box)
        boot = sum(((b.ready or b.ended or self.now) - b.launched) * self.slots for b in boxes)
        life = sum(((b.ended or self.now) - b.launched) * self.slots for b in boxes)
        paid = sum(box.paid(self.now) * self.slots for box in boxes)
        return Sums(
            paid=paid / useful,
            makespan=self.finished / HOUR,
            boot=boot / useful,
            beside=sum(box.beside for box in boxes) / useful,
            lost=self.lost / useful,
            idle=sum(box.idle for box in boxes) / useful,
            free=(life - paid) / useful,
            lost_jobs=sum(not job.done for job in self.jobs),
            twice=int(self.repeated),
            left_over=len(self.boxes),
        )
