"""Print what a report costs: seconds to add up and to draw, the page's size, peak memory.

    python -m tests.benchmarks.report [JOBS ...]

Reading is one request for each attempt, sixteen side by side, and is not in these figures.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from distributed_something.commands.reading.report import write_page
from tests.made_up_run import made_up_attempts, made_up_report

MACHINES, SLOTS = 200, 4


def measure(jobs: int) -> None:
    """Print the figures of a run of so many jobs."""
    attempts, lives = made_up_attempts(jobs, MACHINES, SLOTS)
    before = time.perf_counter()
    report = made_up_report(attempts, lives, SLOTS)
    added = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        size = write_page(report, Path(folder) / "report.html").stat().st_size
    drawn = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{jobs:>9,} jobs  {len(attempts):>9,} attempts  added up in {added - before:5.1f} s  "
        f"drawn in {drawn - added:4.1f} s  page {size / 1e6:4.1f} MB  memory {memory:,.0f} MiB"
    )


if __name__ == "__main__":
    for count in map(int, sys.argv[1:] or ("1000", "10000", "100000")):
        measure(count)
