"""Play whole runs in the weather of AWS, and print what was asked, refused and ended, and why.

    python -m tests.benchmarks.weather --seeds 1000 [--first 0]

Exits 1, with the seeds, if a job was lost or done twice, anything is left, or a machine was ended
at its job.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.faults.weather import JOBS, KINDS, Outcome, play


def is_good(found: Outcome) -> bool:
    """Whether nothing was lost, nothing is left and no machine was ended at its job."""
    did = found.done == Counter({f"job-{number}": 1 for number in range(JOBS)})
    left = (*found.wronged, *found.left_over)
    return did and not left and not found.by_alarm and found.ended.is_complete


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    kinds: Counter[str] = Counter()
    bad: list[int] = []
    why_ended: Counter[str] = Counter()
    requests = throttled = retries = 0
    minutes: list[float] = []
    for seed in range(given.first, given.first + given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            found = play(seed, Path(folder))
        kinds.update(found.weather.kinds)
        why_ended.update(found.why_ended)
        requests, retries = requests + found.requests, retries + found.retries
        throttled += found.throttled
        minutes.append(found.minutes)
        if not is_good(found):
            bad.append(seed)
            print(f"Seed {seed}: {found}", flush=True)
    print(f"{given.seeds} runs, {given.seeds * JOBS} jobs: {len(bad)} bad {bad}")
    print(f"{requests:,} calls of our verbs, {throttled:,} throttled, {retries:,} retries")
    ends = ", ".join(f"{count} {why}" for why, count in sorted(why_ended.items()))
    print(f"{sum(why_ended.values())} machines ended: {ends}")
    print(f"{sum(minutes) / len(minutes):.0f} minutes a run")
    print(", ".join(f"{kind} {kinds[kind] / given.seeds:.0%}" for kind in KINDS))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
