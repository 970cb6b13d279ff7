"""See which jobs of a job file an app's last run has already, before they are queued again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...protocol.ledger.run_ledger import RunLedger

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.jobs import JobMessage
    from ...protocol.ledger.record import RunRecord


@dataclass(frozen=True)
class Again:
    """How the jobs of a file stand that the app's last run has already."""

    app_name: str
    run_id: str
    is_live: bool
    jobs: int  # of the file
    waiting: int
    running: int
    done: int
    given_up: int

    @property
    def count(self) -> int:
        return self.waiting + self.running + self.done + self.given_up


def listed_jobs(aws: Aws, run: RunRecord | None) -> set[int]:
    """The hashes (`hash_of`) of the jobs that were submitted to a run."""
    listed: set[int] = set()
    if run is not None and run.run_id:
        for job in RunLedger.of(aws.s3, run).submitted_jobs():
            listed.add(hash_of(job.job_id))
    return listed


def find_again(aws: Aws, run: RunRecord, listed: set[int], jobs: Iterator[JobMessage]) -> Again:
    """Compare a file's jobs, each given once, with those of a run, by its ledger.

    The whole ledger, a request for each 1,000 facts, is listed only once a job is in both.
    """
    counts = {"jobs": 0, "waiting": 0, "running": 0, "done": 0, "given_up": 0}
    standing: Callable[[str], str] | None = None
    for job in jobs:
        counts["jobs"] += 1
        if hash_of(job.job_id) in listed:
            standing = standing or _look_up(aws, run)
            counts[standing(job.job_id)] += 1
    return Again(run.app_name, run.run_id, run.is_live, **counts)


def _look_up(aws: Aws, run: RunRecord) -> Callable[[str], str]:
    """Look at a run's ledger, once; returns what tells of a job, by its id, how it stands."""
    seen = RunLedger.of(aws.s3, run).survey()
    busy = set(seen.at_work()) if run.is_live else set()
    done = set(seen.done)

    def standing(job_id: str) -> str:
        if job_id in done:
            return "done"
        if job_id in busy:
            return "running"
        return "given_up" if job_id in seen.dead else "waiting"

    return standing


def hash_of(job_id: str) -> int:
    """64 bits of a job's id: of a million jobs, two agree with a chance of 3 in 100 million."""
    return int(job_id[:16], 16)
