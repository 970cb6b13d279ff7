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

from distributed_something.commands.report import money_rows, write_page
from distributed_something.commands.report.collect import MOST_LANES, Collector, histogram, spread
from distributed_something.commands.report.facts import Counts, RunReport
from distributed_something.money import Prices
from tests.made_up_run import made_up_attempts

MACHINES, SLOTS = 200, 4


def measure(jobs: int) -> None:
    """Print the figures of a run of so many jobs."""
    attempts, lives = made_up_attempts(jobs, MACHINES, SLOTS)
    before = time.perf_counter()
    found = Collector(attempts[0].started + 1e9)
    for one in attempts:
        found.add(one)
    found.end()
    began, ended = found.began or 0.0, found.ended or 0.0
    lanes = found.lanes({one.instance_id: one for one in lives}, SLOTS, began, ended)
    done = len(found.seconds)
    report = RunReport(
        app_name="Counting",
        run_id="benchmark",
        made=ended,
        began=began,
        ended=ended,
        is_over=True,
        is_rehearsal=False,
        stopped="",
        counts=Counts(jobs, done, jobs - done, len(attempts), len(attempts) - done, 0, 0),
        job_seconds=spread(found.seconds),
        job_memory=spread(found.memory),
        time_histogram=histogram(found.seconds),
        memory_histogram=histogram(found.memory),
        attempts_of_jobs=found.attempts_of_jobs,
        timeline=found.timeline(began, ended),
        lanes=tuple(lanes[:MOST_LANES]),
        more_machines=max(0, len(lanes) - MOST_LANES),
        failures=found.failures(()),
        slowest=found.slowest(),
        money=money_rows(lives, lanes, Prices(cap=0.1), ended),
        is_unwatched=False,
        prices_known=False,
        worker_versions=(),
        output_files=found.output_files,
        output_bytes=found.output_bytes,
        provenance={},
    )
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
