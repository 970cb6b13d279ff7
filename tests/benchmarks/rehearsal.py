"""How a rehearsal's rate holds up as its queue and bucket grow: 500 jobs against 5,000.

    python -m tests.benchmarks.rehearsal [SMALL LARGE]

The ratio says whether the simulator holds a long run up: 1.0 means that the length costs nothing.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from distributed_something.commands.watching.monitor import RunProgress
from distributed_something.local.rehearsal import rehearse
from distributed_something.local.stage import Listener
from tests.builders import settings, write_json


class Rate:
    """The time from the first job that was done to the last, by the queue's counts."""

    def __init__(self) -> None:
        self.first: tuple[float, int] | None = None
        self.last: tuple[float, int] = (0.0, 0)

    def look(self, progress: RunProgress) -> None:
        moment = (time.monotonic(), progress.finished)
        if progress.finished and self.first is None:
            self.first = moment
        if progress.finished > self.last[1]:
            self.last = moment

    def jobs_per_second(self, whole: float) -> float:
        """Of jobs that were all done between two looks, over the `whole` seconds of the run."""
        assert self.first is not None
        seconds = self.last[0] - self.first[0]
        return (self.last[1] - self.first[1]) / seconds if seconds else self.last[1] / whole


def measure(count: int) -> float:
    """Rehearse `count` jobs that do nothing; returns jobs a second while there were any."""
    rate = Rate()
    with tempfile.TemporaryDirectory() as folder:
        jobs = {"command": "true", "groups": [{"n": n} for n in range(count)]}
        report = rehearse(
            settings(DOCKER_CORES=2, MEMORY=2000),
            write_json(Path(folder, "jobs.json"), jobs),
            runtime="process",
            directory=Path(folder, "rehearsal"),
            listener=Listener(on_progress=rate.look),
        )
    assert report.succeeded, report.summary
    speed = rate.jobs_per_second(report.seconds)
    print(f"{count:6} jobs: {speed:6.1f} jobs/s, {report.seconds:6.1f} s in total")
    return speed


def main(sizes: list[int]) -> None:
    """Measure both and print their ratio."""
    small, large = (measure(size) for size in sizes)
    print(f"ratio {large / small:.2f}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [500, 5000])
