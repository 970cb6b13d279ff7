"""Add a run's attempts up, one by one, without holding a hundred thousand of them in memory."""

from __future__ import annotations

import heapq
import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from ....protocol.ledger.attempts import Attempt
from ....run.money import MachineLife
from .facts import Failures, Histogram, Lane, SlowJob, Spread, Timeline, Work

MOST_DRAWN = 2000  # attempts; above it a machine's busy share is drawn instead
MOST_LANES = 300
BINS = 240  # of the run's time
_COLUMNS = 30  # of a histogram
_SLOWEST = 50
_GROUPS = 100
_STATES = ("done", "failed", "interrupted", "started")
_ADDRESS = re.compile(r"s3://\S+")
_ID = re.compile(r"\b[0-9a-f]{12,}\b|\bi-[0-9a-f]{8,17}\b")


@dataclass
class _Group:
    """Failures of one reason as they come in."""

    example: Attempt
    attempts: int = 0
    jobs: set[int] = field(default_factory=set)


class Collector:
    """What is known after some of the attempts, which come job by job and in order.

    An attempt without an end is taken to go on until `now`, or until its machine's end in `ends`.
    """

    def __init__(self, now: float, ends: Mapping[str, float] | None = None) -> None:
        self._now = now
        self._ends = ends or {}
        self._machines: dict[str, tuple[int, str]] = {}  # number and type by id
        self._slots: list[str] = []
        self._at = array("L")  # which machine
        self._began = array("d")
        self._ended = array("d")
        self._state = array("B")
        self._drawn: list[tuple[str, str]] = []  # slot and name
        self._groups: dict[str, _Group] = {}
        self._unended: dict[str, tuple[str, int]] = {}  # by job: its name and how many
        self._slow: list[tuple[float, str, SlowJob]] = []
        self._job = ""
        self._of_job = 0
        self.attempts_of_jobs: Counter[int] = Counter()
        self.seconds = array("d")  # of the jobs that are done and were not passed over
        self.memory = array("d")  # MiB, of the same
        self.versions: Counter[str] = Counter()
        self.output_files = 0
        self.output_bytes = 0

    def __len__(self) -> int:
        return len(self._at)

    def add(self, attempt: Attempt) -> None:
        """Count an attempt."""
        if attempt.job_id != self._job:
            self._end_job()
            self._job = attempt.job_id
        self._of_job += 1
        number, _ = self._machines.setdefault(
            attempt.instance_id, (len(self._machines), attempt.instance_type)
        )
        ended = attempt.ended
        if ended is None:
            ended = min(self._now, self._ends.get(attempt.instance_id, self._now))
        self._at.append(number)
        self._began.append(attempt.started)
        self._ended.append(max(ended, attempt.started))
        self._state.append(_STATES.index(attempt.state) if attempt.state in _STATES else 3)
        if len(self) <= MOST_DRAWN:
            self._drawn.append((attempt.slot, attempt.name))
        if attempt.worker_version:
            self.versions[attempt.worker_version] += 1
        if attempt.state == "done":
            self._add_done(attempt)
        elif attempt.state == "failed":
            self._add_failure(attempt, attempts=1)
        elif attempt.state == "started":
            _, others = self._unended.get(attempt.job_id, ("", 0))
            self._unended[attempt.job_id] = attempt.name, others + 1

    def unexplained(self, dead: Iterable[str]) -> list[str]:
        """Those of the jobs that were given up which no failed attempt tells of."""
        told = {number for group in self._groups.values() for number in group.jobs}
        return sorted(job_id for job_id in dead if int(job_id, 16) not in told)

    def add_given_up(self, job_id: str, reason: str) -> None:
        """Count a job that was given up though no attempt failed, as its dead mark says why."""
        name, attempts = self._unended.get(job_id, (job_id, 0))
        told = Attempt(job_id, name, "", 0, "dead", "", "", 0.0, reason=reason)
        self._add_failure(told, attempts)

    def end(self) -> None:
        """Say that there are no more attempts."""
        self._end_job()

    def _end_job(self) -> None:
        if self._of_job:
            self.attempts_of_jobs[self._of_job] += 1
        self._of_job = 0

    def _add_done(self, attempt: Attempt) -> None:
        if attempt.is_passed_over:
            return
        seconds = max(0.0, (attempt.ended or attempt.started) - attempt.started)
        self.seconds.append(seconds)
        if attempt.peak_memory_mib:
            self.memory.append(attempt.peak_memory_mib)
        self.output_files += attempt.output_files
        self.output_bytes += attempt.output_bytes
        slow = SlowJob(
            attempt.name, seconds, self._of_job, attempt.instance_type, attempt.peak_memory_mib
        )
        entry = (seconds, attempt.job_id, slow)
        if len(self._slow) < _SLOWEST:
            heapq.heappush(self._slow, entry)
        elif entry > self._slow[0]:
            heapq.heapreplace(self._slow, entry)

    def _add_failure(self, attempt: Attempt, attempts: int) -> None:
        reason = reason_of(attempt)
        if reason not in self._groups and len(self._groups) >= _GROUPS:
            reason = "other reasons"
        group = self._groups.setdefault(reason, _Group(attempt))
        group.attempts += attempts
        group.jobs.add(int(attempt.job_id, 16))
        if attempt.log_tail and not group.example.log_tail:
            group.example = attempt

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
                reason=reason,
                attempts=group.attempts,
                jobs=len(group.jobs),
                given_up=len(group.jobs & given_up),
                example=group.example.name,
                log_tail=group.example.log_tail,
            )
            for reason, group in self._groups.items()
        ]
        return tuple(sorted(groups, key=lambda one: (-one.attempts, one.reason)))

    def slowest(self) -> tuple[SlowJob, ...]:
        return tuple(slow for _, _, slow in sorted(self._slow, reverse=True))

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
            name: _LaneMaker(name, kind, lives.get(name), slots)
            for name, (_, kind) in self._machines.items()
        }
        for name, life in lives.items():
            makers.setdefault(name, _LaneMaker(name, life.instance_type, life, slots))
        in_order = list(makers.values())
        for place, number in enumerate(self._at):
            work = Work(
                *(self._drawn[place][:1] if draws else ("",)),
                self._began[place],
                self._ended[place],
                _STATES[self._state[place]],
                self._drawn[place][1] if draws else "",
            )
            in_order[number].add(work, draws, began, width)
        lanes = [one.lane(began, ended, width) for one in in_order]
        return sorted(lanes, key=lambda lane: (lane.began, lane.instance_id))


class _LaneMaker:
    """One machine's attempts as they come in."""

    def __init__(self, name: str, kind: str, life: MachineLife | None, slots: int) -> None:
        self._name, self._kind, self._life, self._slots = name, kind, life, slots
        self._counts: Counter[str] = Counter()
        self._busy = self._lost = 0.0
        self._works: list[Work] = []
        self._use = [0.0] * BINS
        self._began: float | None = None
        self._ended = 0.0

    def add(self, work: Work, draws: bool, began: float, width: float) -> None:
        seconds = work.ended - work.began
        self._counts[work.state] += 1
        self._busy += seconds
        self._lost += 0.0 if work.state == "done" else seconds
        self._began = work.began if self._began is None else min(self._began, work.began)
        self._ended = max(self._ended, work.ended)
        _spread(self._use, work.began, work.ended, began, width)
        if draws:
            self._works.append(work)

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
            idle=max(0.0, (last - began) * slots - self._busy),
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


def reason_of(attempt: Attempt) -> str:
    """Why an attempt failed, without what differs from job to job."""
    reason = attempt.reason or (
        f"exit code {attempt.exit_code}" if attempt.exit_code is not None else "no reason was given"
    )
    for own in (attempt.name, attempt.job_id):
        reason = reason.replace(own, "…") if len(own) > 2 else reason
    return _ID.sub("…", _ADDRESS.sub("s3://…", reason))[:300]


def spread(values: Sequence[float]) -> Spread | None:
    """How numbers are spread; None for none."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(1, *([values[0]] * 4))
    tenths = quantiles(values, n=10, method="inclusive")
    return Spread(len(values), min(values), tenths[4], tenths[8], max(values))


def histogram(values: Sequence[float]) -> Histogram | None:
    """Numbers in columns of equal width; None for none."""
    if not values:
        return None
    low, high = min(values), max(values)
    width = (high - low) / _COLUMNS or max(abs(high), 1.0) / _COLUMNS
    counts = [0] * _COLUMNS
    for value in values:
        counts[min(_COLUMNS - 1, int((value - low) / width))] += 1
    edges = tuple(low + width * place for place in range(_COLUMNS + 1))
    return Histogram(edges, tuple(counts))


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
