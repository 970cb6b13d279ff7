"""What a run's machines cost against its useful work, in a made-up world where our code decides.

python -m tests.benchmarks.money [--seeds 5] [--cases ABCDFG] [--rules fast,cheap,...]

A seed fixes job times and, machine by machine, boots and interruptions, under each rule. Without
checkpoints the mean of C, D and F hardly settles: AWS takes the machine of a job of 17 hours again
and again, and of lognormal times some are that long. The standard error says how far to trust it.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from statistics import mean, stdev

from distributed_something.protocol.scaling import machines_to_buy
from distributed_something.run.decisions import Pace
from distributed_something.run.order import longest_first

from .money_rules import PACES, Product, Upstream
from .money_world import Sums, World

SIGMA = 0.8
GUESS = 1.5  # how far off a guessed time is, at most


@dataclass(frozen=True)
class Case:
    """So many jobs of so many seconds on so many machines."""

    jobs: int
    seconds: float
    machines: int
    slots: int
    rate: float  # interruptions a machine-hour
    spread: str = "lognormal"
    wave: float = 0.0  # interruptions a machine-hour in the second half of every hour

    def times(self, seed: int) -> list[float]:
        draw = random.Random(f"times {seed}")
        return [_DRAWS[self.spread](draw, self.seconds) for _ in range(self.jobs)]

    def rate_at(self, now: float) -> float:
        return self.wave if self.wave and now % 3600.0 >= 1800.0 else self.rate


def _lognormal(draw: random.Random, seconds: float) -> float:
    return draw.lognormvariate(math.log(seconds) - SIGMA**2 / 2, SIGMA)


_DRAWS: dict[str, Callable[[random.Random, float], float]] = {
    "lognormal": _lognormal,
    "even": lambda draw, seconds: draw.uniform(0.9, 1.1) * seconds,
    "two kinds": lambda draw, seconds: seconds * (5.5 if draw.random() < 0.1 else 0.5),
    "exponential": lambda draw, seconds: draw.expovariate(1 / seconds),
}

CASES = {
    "A": Case(10_000, 1200.0, 200, 4, 0.05),
    "B": Case(10_000, 1200.0, 200, 4, 0.5),
    "C": Case(2_000, 3600.0, 100, 4, 0.1),
    "D": Case(400, 3600.0, 100, 4, 0.1),
    "E": Case(1_000_000, 30.0, 1_000, 8, 0.05),
    "F": Case(96, 7200.0, 96, 1, 0.05),
    "G": Case(50, 300.0, 3, 4, 0.05),
    # Others, so that no rule fits those alone.
    "H": Case(3_000, 900.0, 50, 8, 0.05, "two kinds"),
    "I": Case(3_000, 1800.0, 60, 2, 0.05, "even"),
    "J": Case(5_000, 600.0, 40, 4, 0.02, "exponential", wave=1.0),
    "K": Case(20_000, 240.0, 64, 16, 0.1),
}
# "as built" is the first build: no order, idle machines go by the monitor's looks alone, and what
# drains is ended at once, though AWS is about to take it. Makespans are compared with it.
RULES = ("upstream", "as built", "fast", "unknown", "cheap", "packed", "lambda", "no one")


def simulate(case: Case, rule: str, seed: int) -> Sums:
    """One run of a case under a rule."""
    times = case.times(seed)
    jobs, slots, machines = case.jobs, case.slots, case.machines
    if rule == "upstream":
        return World(seed, times, machines, slots, case.rate_at, Upstream(times)).run()
    if rule == "as built":
        product = Product(slots, pace=Pace(notice_seconds=0.0), ends_itself=False)
        return World(seed, times, machines, slots, case.rate_at, product).run()
    guesses = _guesses(times, seed)
    if rule != "unknown":
        times = [times[place] for place in longest_first(guesses)]
    is_cheap, packs = rule == "cheap", rule == "packed"
    pace = PACES.get(rule, Pace())
    product = Product(slots, is_cheap, packs, pace)
    machines = machines_to_buy(machines, jobs, slots, is_cheap=is_cheap, seconds=guesses)
    return World(seed, times, machines, slots, case.rate_at, product, keeps=packs).run()


def _guesses(times: Iterable[float], seed: int) -> list[float]:
    draw = random.Random(f"guess {seed}")
    return [one * GUESS ** draw.uniform(-1, 1) for one in times]


def runs(case: Case, rule: str, seeds: int, workers: int = 1) -> list[Sums]:
    """Runs of several seeds."""
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            return list(pool.map(simulate, [case] * seeds, [rule] * seeds, range(seeds)))
    return [simulate(case, rule, seed) for seed in range(seeds)]


def means(found: Sequence[Sums]) -> Sums:
    """The means over several runs."""
    return Sums(*(mean(getattr(one, field.name) for one in found) for field in fields(Sums)))


def line(name: str, rule: str, found: Sequence[Sums], as_built: Sums | None) -> str:
    """A line of the table; what is paid with its standard error, makespan also as a ratio."""
    one = means(found)
    error = stdev(run.paid for run in found) / len(found) ** 0.5 if len(found) > 1 else 0.0
    ratio = f"{one.makespan / as_built.makespan:.2f}" if as_built else "-"
    return (
        f"{name:<5} {rule:<9} {one.paid:>5.3f} ±{error:.3f} {one.makespan:>11.2f} {ratio:>7} |"
        f"{one.boot:>5.0%}{one.beside:>8.0%}{one.lost:>6.0%}{one.idle:>6.0%}{one.free:>6.0%}"
        f" | {one.lost_jobs:g}, {one.twice:g}, {one.left_over:g}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--cases", default="ABCDFG")
    options.add_argument("--rules", default=",".join(RULES))
    options.add_argument("--workers", type=int, default=1)
    asked = options.parse_args()
    print(
        "case  rule      paid/useful   makespan h  /built | boot  beside  lost  idle  free "
        "(% of useful) | lost jobs, twice, left over"
    )
    for name in asked.cases:
        as_built = None
        for rule in asked.rules.split(","):
            found = runs(CASES[name], rule, asked.seeds, asked.workers)
            as_built = means(found) if rule == "as built" else as_built
            print(line(name, rule, found, as_built), flush=True)


if __name__ == "__main__":
    main()
