"""List the jobs of a run that did not end well, each with its reason and its tool's last line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from ....protocol.ledger.attempts import Attempt
from ....protocol.ledger.run_ledger import RunLedger
from ....protocol.ledger.survey import LastAttempt, Survey
from ....run.failures import FailureGroup, group_failures, last_line
from ...runs.failed_jobs import count_failed, failed_jobs
from .facts import JobNotDone

MOST_LISTED = 1000  # jobs
_STATES = {"dead": "given up"}  # all others failed last
_INTERRUPTED = "interrupted, and not tried again before the run ended"
_UNTRIED = "not tried before the run ended"


@dataclass
class NotDone:
    """The jobs that did not end well: by kind of failure, the first of them, how many more."""

    groups: tuple[FailureGroup, ...] = ()
    jobs: list[JobNotDone] = field(default_factory=list)
    more: int = 0


def read_not_done(ledger: RunLedger, survey: Survey, *, is_over: bool) -> NotDone:
    """The jobs that failed; of a run that is over also those that were left."""
    found = NotDone()
    total = count_failed(survey)
    if total:
        found.groups = group_failures(_listed(failed_jobs(ledger, survey), survey, found.jobs))
    if is_over:
        left = survey.submitted - len(survey.done) - total
        room = MOST_LISTED - len(found.jobs)
        if left > 0:
            found.jobs += islice(_left(ledger, survey), max(0, room))
        total += max(0, left)
    found.more = max(0, total - len(found.jobs))
    return found


def _listed(failed: Iterator[Attempt], survey: Survey, jobs: list[JobNotDone]) -> Iterator[Attempt]:
    """The same attempts, the first of which are listed as they pass."""
    for job in failed:
        if len(jobs) < MOST_LISTED:
            last = survey.dead.get(job.job_id) or survey.open.get(job.job_id)
            state = _STATES.get(job.state, "failed")
            attempts = last.attempts if last else 0
            jobs.append(JobNotDone(job.name, state, attempts, job.reason, last_line(job.log_tail)))
        yield job


def _left(ledger: RunLedger, survey: Survey) -> Iterator[JobNotDone]:
    """Jobs that are neither done nor given up and did not fail last."""
    for job in ledger.unfinished_jobs():
        last = survey.open.get(job.job_id)
        if last is None or not last.has_failed:
            yield JobNotDone(
                job.name, "not done", last.attempts if last else 0, _why_left(last), ""
            )


def _why_left(last: LastAttempt | None) -> str:
    return _UNTRIED if last is None else _INTERRUPTED
