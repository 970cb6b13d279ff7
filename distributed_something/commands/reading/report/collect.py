"""Add a run's attempts up, one by one, without holding a hundred thousand of them in memory."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile

from ....protocol.ledger.attempts import (
    Attempt,
    AttemptKey,
    AttemptState,
    reason_hash,
    reason_of,
)
from ....run.money import MachineLife
from .facts import Failures, Lane, SlowJob, Timeline, Work

MOST_DRAWN = 2000  # attempts; above it a machine's busy share is drawn instead
MOST_LANES = 300
BINS = 240  # of the run's time
_SLOWEST = 50
_GROUPS = 100
_STATES = ("done", "failed", "interrupted", "started")
_OTHERS = "other reasons"


@dataclass
class _Group:
    """Failures of one reason as they come in; `reason` and `example` are learnt in the end."""

    example: AttemptKey
    attempts: int = 0
    jobs: set[int] = field(default_factory=set)
    reason: str = ""
    log_tail: str = ""


class Collector:
    """What is known after some of the attempts, which come job by job and in order.

    Their keys come first. Then `learn` is given names, and the bodies of a few. An attempt without
    an end is taken to go on until `now`, or until its machine's end in `ends`.
    """

    def __init__(self, now: float, ends: Mapping[str, float] | None = None) -> None:
        self._now = now
        self._ends = ends or {}
        self._machines: dict[str, int] = {}  # number by id
        self._types: dict[str, str] = {}  # by id, of some
        self._samples: dict[str, AttemptKey] = {}  # an attempt of each machine
        self._at = array("L")  # which machine
        self._began = array("d")
        self._ended = array("d")
        self._state = array("B")
        self._drawn: list[AttemptKey] = []
        self._groups: dict[str, _Group] = {}  # by the hash of their reason
        self._unended: dict[str, tuple[AttemptKey, int]] = {}  # by job: the last, and how many
        self._slow: list[tuple[float, str, int, AttemptKey]] = []  # with how many attempts
        self._names: Mapping[str, str] = {}
        self._job = ""
        self._of_job = 0
        self.attempts_of_jobs: Counter[int] = Counter()
        self.seconds = array("d")  # of the jobs that are done and were not passed over
        self.memory = array("d")  # MiB, of the same
        self.versions: Counter[str] = Counter()  # of the attempts that were read
        self._outputs: set[str] = set()  # of the same
        self.output_files = 0
        self.output_bytes = 0

    def __len__(self) -> int:
        return len(self._at)

    def add(self, key: AttemptKey) -> None:
        """Count an attempt."""
        if key.job_id != self._job:
            self._end_job()
            self._job = key.job_id
        self._of_job += 1
        number = self._machines.setdefault(key.instance_id, len(self._machines))
        if len(self._samples) < MOST_LANES:
            self._samples.setdefault(key.instance_id, key)
        ended = key.ended
        if ended is None:
            ended = min(self._now, self._ends.get(key.instance_id, self._now))
        self._at.append(number)
        self._began.append(key.started)
        self._ended.append(max(ended, key.started))
        self._state.append(_STATES.index(key.state.value))
        if len(self) <= MOST_DRAWN:
            self._drawn.append(key)
        if key.state is AttemptState.DONE:
            self._add_done(key)
        elif key.state is AttemptState.FAILED:
            self._add_failure(key.reason, key, attempts=1)
        elif key.state is AttemptState.STARTED:
            _, others = self._unended.get(key.job_id, (key, 0))
            self._unended[key.job_id] = key, others + 1

    def unexplained(self, dead: Iterable[str]) -> list[str]:
        """Those of the jobs that were given up which no failed attempt tells of."""
        told = {number for group in self._groups.values() for number in group.jobs}
        return sorted(job_id for job_id in dead if int(job_id, 16) not in told)

    def add_given_up(self, job_id: str, reason: str) -> None:
        """Count a job that was given up though no attempt failed, as its dead mark says why."""
        untried = AttemptKey(job_id, "", AttemptState.FAILED)
        key, attempts = self._unended.get(job_id, (untried, 0))
        told = reason_of(Attempt(job_id, job_id, "", 0, "dead", "", "", 0.0, reason=reason))
        self._add_failure(reason_hash(told), key, attempts).reason = told

    def end(self) -> None:
        """Say that there are no more attempts."""
        self._end_job()

    def shown(self, job_ids: Collection[str] = ()) -> list[AttemptKey]:
        """The attempts whose names are shown, but for those of some jobs."""
        examples = [group.example for group in self._groups.values()]
        keys = [*self._drawn, *examples, *(entry[3] for entry in self._slow)]
        return [key for key in keys if key.job_id not in job_ids]

    def samples(self) -> list[AttemptKey]:
        """The attempts whose bodies tell what keys do not: of each reason and machine one.

        And the slowest, of which there are enough to tell where results go.
        """
        examples = [group.example for group in self._groups.values()]
        slow = (entry[3] for entry in self._slow)
        every = (*examples, *self._samples.values(), *slow)
        return [*{(key.job_id, key.attempt_id): key for key in every if key.attempt_id}.values()]

    def learn(self, names: Mapping[str, str], bodies: Iterable[Attempt]) -> None:
        """Take in the names of jobs, by id, and what bodies tell of reasons and machines."""
        read = dict(names)
        examples = ((group.example, group) for group in self._groups.values())
        groups = {(key.job_id, key.attempt_id): group for key, group in examples}
        for attempt in bodies:
            read.setdefault(attempt.job_id, attempt.name)
            self._types.setdefault(attempt.instance_id, attempt.instance_type)
            if attempt.output:
                self._outputs.add(attempt.output)
            if attempt.worker_version:
                self.versions[attempt.worker_version] += 1
            group = groups.get((attempt.job_id, attempt.attempt_id))
            if group is not None:
                group.reason = group.reason or reason_of(attempt)
                group.log_tail = attempt.log_tail
        self._names = read

    def _name(self, job_id: str) -> str:
        return self._names.get(job_id, job_id)

    def _end_job(self) -> None:
        if self._of_job:
            self.attempts_of_jobs[self._of_job] += 1
        self._of_job = 0

    def _add_done(self, key: AttemptKey) -> None:
        if key.passed_over:
            return
        self.seconds.append(key.seconds)
        if key.memory_mib:
            self.memory.append(key.memory_mib)
        self.output_files += key.files
        self.output_bytes += key.bytes
        entry = (key.seconds, key.job_id, self._of_job, key)
        if len(self._slow) < _SLOWEST:
            heapq.heappush(self._slow, entry)
        elif entry[:2] > self._slow[0][:2]:
            heapq.heapreplace(self._slow, entry)

    def _add_failure(self, reason: str, key: AttemptKey, attempts: int) -> _Group:
        if reason not in self._groups and len(self._groups) >= _GROUPS:
            reason = _OTHERS
        group = self._groups.setdefault(reason, _Group(key))
        group.attempts += attempts
        group.jobs.add(int(key.job_id, 16))
        return group

    @property
    def results(self) -> str:
        """What the addresses of all results begin with, as far as bodies were read."""
        if len(self._outputs) < 2:
            return "".join(self._outputs)
        ends = zip(min(self._outputs).split("/"), max(self._outputs).split("/"), strict=False)
        shared = [end for end, _ in takewhile(lambda pair: pair[0] == pair[1], ends)]
        return "/".join([*shared, ""]) if len(shared) > 2 else ""  # of one bucket

    @property
    def began(self) -> float | None:
        return min(self._began, default=None)

    @property
    def ended(self) -> float | None:
        return max(self._ended, default=None)

    def failures(self, dead: Collection[str]) -> tuple[Failures, ...]:
        """The groups, the largest first; `dead` are the ids of jobs that were given up."""
        given_up = {int(job_id, 16) for job_id in dead}
        groups = [
            Failures(
                reason=_OTHERS if reason == _OTHERS else group.reason,
                attempts=group.attempts,
                jobs=len(group.jobs),
                given_up=len(group.jobs & given_up),
                example=self._name(group.example.job_id),
                log_tail=group.log_tail,
            )
            for reason, group in self._groups.items()
        ]
        return tuple(
            sorted(
                groups, key=lambda failures_alike: (-failures_alike.attempts, failures_alike.reason)
            )
        )

    def slowest(self) -> tuple[SlowJob, ...]:
        slowest = sorted(self._slow, key=lambda entry: entry[:2], reverse=True)
        return tuple(
            SlowJob(
                self._name(key.job_id),
                seconds,
                attempts,
                self._types.get(key.instance_id, ""),
                key.memory_mib,
            )
            for seconds, _, attempts, key in slowest
        )

    def timeline(self, began: float, ended: float) -> Timeline:
        """The run cut into bins of equal length."""
        width = _width(began, ended)
        of_state = [[0] * BINS for _ in _STATES]
        running = [0.0] * BINS
        for start, end, state in zip(self._began, self._ended, self._state, strict=True):
            of_state[state][_bin(end, began, width)] += 1
            _spread(running, start, end, began, width)
        return Timeline(
            ends=tuple(began + width * (place + 1) for place in range(BINS)),
            done=_sums(of_state[0]),
            failed=_sums(of_state[1]),
            interrupted=_sums(of_state[2]),
            running=tuple(round(seconds / width, 3) for seconds in running),
        )

    def lanes(
        self, lives: Mapping[str, MachineLife], slots: int, began: float, ended: float
    ) -> list[Lane]:
        """Every machine that had an attempt or is in `lives`, in the order of their coming."""
        draws = len(self) <= MOST_DRAWN
        width = _width(began, ended)
        makers = {
            name: _LaneMaker(name, self._types.get(name, ""), lives.get(name), slots)
            for name in self._machines
        }
        for name, life in lives.items():
            makers.setdefault(name, _LaneMaker(name, life.instance_type, life, slots))
        in_order = list(makers.values())
        for place, number in enumerate(self._at):
            work = Work(
                self._drawn[place].slot if draws else "",
                self._began[place],
                self._ended[place],
                _STATES[self._state[place]],
                self._name(self._drawn[place].job_id) if draws else "",
            )
            in_order[number].add(work, draws, began, width)
        lanes = [machine_work.lane(began, ended, width) for machine_work in in_order]
        return sorted(lanes, key=lambda lane: (lane.began, lane.instance_id))


class _LaneMaker:
    """One machine's attempts as they come in."""

    def __init__(self, name: str, kind: str, life: MachineLife | None, slots: int) -> None:
        self._name, self._kind, self._life, self._slots = name, kind, life, slots
        self._counts: Counter[str] = Counter()
        self._busy = self._lost = self._interrupted = 0.0
        self._works: list[Work] = []
        self._use = [0.0] * BINS
        self._began: float | None = None
        self._ended = 0.0

    def add(self, work: Work, draws: bool, began: float, width: float) -> None:
        seconds = work.ended - work.began
        self._counts[work.state] += 1
        self._busy += seconds
        self._lost += 0.0 if work.state == "done" else seconds
        self._interrupted += seconds if work.state == "interrupted" else 0.0
        self._began = work.began if self._began is None else min(self._began, work.began)
        self._ended = max(self._ended, work.ended)
        _spread(self._use, work.began, work.ended, began, width)
        if draws:
            self._works.append(work)

    @property
    def _works_at_all(self) -> bool:
        return self._began is not None

    def lane(self, run_began: float, run_ended: float, width: float) -> Lane:
        life = self._life
        began = life.launched if life else (self._began or 0.0)
        last = self._ended or began
        if life:
            last = max(run_ended, began) if life.ended is None else life.ended
        slots = max(1, self._slots)
        return Lane(
            instance_id=self._name,
            instance_type=(life.instance_type if life else "") or self._kind,
            zone=life.zone if life else "",
            began=began,
            ended=last,
            taken_away=bool(life and life.interrupted),
            done=self._counts["done"],
            failed=self._counts["failed"],
            interrupted=self._counts["interrupted"],
            busy=self._busy,
            lost=self._lost,
            kept=self._interrupted,
            idle=max(0.0, (last - began) * slots - self._busy),
            starting=max(0.0, ((self._began or last) - began) * slots),
            ending=max(0.0, (last - self._ended) * slots) if self._works_at_all else 0.0,
            works=tuple(self._works),
            use=tuple(
                round(min(1.0, busy / (width * slots)), 2) if there else None
                for busy, there in zip(
                    self._use, _there(began, last, run_began, width), strict=True
                )
            ),
        )


def _there(began: float, ended: float, run_began: float, width: float) -> list[bool]:
    """In which bins a machine was there."""
    first, last = _bin(began, run_began, width), _bin(ended, run_began, width)
    return [first <= place <= last for place in range(BINS)]


def _width(began: float, ended: float) -> float:
    return max(1e-3, (ended - began) / BINS)


def _bin(time: float, began: float, width: float) -> int:
    return max(0, min(BINS - 1, int((time - began) / width)))


def _spread(bins: list[float], start: float, end: float, began: float, width: float) -> None:
    """Add the seconds between two times to the bins that they fall into."""
    first, last = _bin(start, began, width), _bin(end, began, width)
    if first == last:
        bins[first] += end - start
        return
    bins[first] += began + width * (first + 1) - start
    for place in range(first + 1, last):
        bins[place] += width
    bins[last] += end - (began + width * last)


def _sums(counts: Iterable[int]) -> tuple[int, ...]:
    total, sums = 0, []
    for count in counts:
        total += count
        sums.append(total)
    return tuple(sums)
