"""Forecast how long a run takes and how many machine-hours it pays for, by times of jobs.

Pure: a list schedule of the jobs on the machines' slots, longest first, with the rules by which
idle machines go. Interruptions are not in it.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from ..protocol.scaling import CHEAP_WAITING_A_SLOT, IDLE_SECONDS, machines_to_buy

STARTING_MINUTES = 5.0  # a machine costs before its first job: it boots and fetches the image
MOST_JOBS = 20_000  # that are gone through one by one; more are taken to be as these
_HOUR = 3600.0


@dataclass(frozen=True)
class Forecast:
    """What a run of some jobs comes to on so many machines."""

    finish: str  # fast or cheap
    machines: int
    hours: float  # until the last job is done
    machine_hours: float


def forecast(
    jobs: int, seconds: Sequence[float], machines: int, slots: int, finish: str
) -> Forecast:
    """One forecast; `seconds` are the times of some jobs, `slots` what a machine takes at once."""
    is_cheap = finish == "cheap"
    bought = machines_to_buy(machines, jobs, slots, is_cheap=is_cheap, seconds=seconds)
    share = max(1.0, jobs / MOST_JOBS)
    few = max(1, round(bought / share))
    times = _spread_over(min(jobs, round(jobs * few / bought)), seconds)
    ended, paid = _schedule(times, few, slots, is_cheap)
    return Forecast(finish, bought, ended / _HOUR, sum(paid) / _HOUR * bought / few)


def curve(
    jobs: int, seconds: Sequence[float], machines: int, slots: int, finish: str
) -> tuple[Forecast, ...]:
    """Time against money: both kinds of FINISH as asked, then half and double the machines."""
    kinds = ("fast", "cheap") if finish == "fast" else ("cheap", "fast")
    both = [forecast(jobs, seconds, machines, slots, kind) for kind in kinds]
    numbers = (max(1, machines // 2), machines * 2)
    others = [forecast(jobs, seconds, number, slots, finish) for number in numbers]
    return tuple(dict.fromkeys([*both, *others]))


def _spread_over(count: int, seconds: Sequence[float]) -> list[float]:
    """The times of `count` jobs that are spread as the known ones are, longest first."""
    known = sorted(seconds, reverse=True)
    return [known[int((place + 0.5) * len(known) / count)] for place in range(count)]


def _schedule(
    times: Sequence[float], machines: int, slots: int, is_cheap: bool
) -> tuple[float, list[float]]:
    """When the last job ends, and how long each machine is paid for, in seconds."""
    start = STARTING_MINUTES * 60
    free = [(start, machine) for machine in range(machines) for _ in range(slots)]
    heapq.heapify(free)
    ends = [start] * machines
    is_open = [True] * machines
    opened = machines
    for place, seconds in enumerate(times):
        while True:
            when, machine = heapq.heappop(free)
            waiting = len(times) - place
            if is_cheap and is_open[machine] and opened > 1:
                is_open[machine] = waiting >= CHEAP_WAITING_A_SLOT * slots * opened
                opened -= not is_open[machine]
            if is_open[machine]:
                break
        ends[machine] = max(ends[machine], when + seconds)
        heapq.heappush(free, (when + seconds, machine))
    return max(ends), [end + IDLE_SECONDS for end in ends]
