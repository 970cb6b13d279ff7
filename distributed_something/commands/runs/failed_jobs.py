"""List a run's failed jobs with their reasons: a page of them as they were written, more by keys.

The key of an attempt that failed names its reason by a hash, so that one body tells the reason of
all jobs that failed alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ...protocol.ledger.attempts import Attempt, reason_of
from ...protocol.ledger.objects import READ_AHEAD
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.ledger.survey import LastAttempt, Survey
from ...run.failures import FailureGroup, group_failures

_READ_FOR_GROUPS = 100  # attempts: enough for each kind's first names and a last line
PAGE = 1000  # jobs; of more, nobody reads what sets one apart from another that failed alike


@dataclass(frozen=True)
class _Failed:
    """A job that was given up, or failed last and is tried again."""

    job_id: str
    last: LastAttempt | None  # None if it was never tried
    state: str

    @property
    def says_why(self) -> bool:
        """Whether its last attempt tells why; else its mark alone does."""
        return self.last is not None and self.last.has_failed


def failed_jobs(
    ledger: RunLedger, survey: Survey, *, whole: int | None = PAGE
) -> Iterator[Attempt]:
    """The last attempts of the jobs that were given up, then of those that failed and are retried.

    A job that was never tried has an attempt that says no more than why it was given up. The first
    `whole` (None: all) are read; what keys say of the others has no last lines of a log, and of
    their reasons what is not the job's own. They are read as they are asked for.
    """
    waiting = _failed(survey)
    page = islice(waiting, whole)
    while some := list(islice(page, READ_AHEAD)):
        yield from _read(ledger, some)
    if rest := list(waiting):
        yield from _by_keys(ledger, rest)


def failure_groups(ledger: RunLedger, survey: Survey) -> tuple[FailureGroup, ...]:
    """The same jobs by the kind of their failure; of many, the later ones by keys alone."""
    if not count_failed(survey):
        return ()
    return group_failures(failed_jobs(ledger, survey, whole=_READ_FOR_GROUPS))


def count_failed(survey: Survey) -> int:
    """How many jobs were given up, or failed last and are tried again."""
    return len(survey.dead) + sum(last.has_failed for last in survey.open.values())


def given_up_for(ledger: RunLedger, survey: Survey, part: str) -> set[str]:
    """The ids of the jobs that were given up for a reason with this text in it, in any case."""
    part = part.casefold()
    groups = _alike(_given_up(survey, survey.dead))
    examples = [jobs[0] for jobs in groups]
    names = ledger.names([job.job_id for job in examples])
    marks = _marks(ledger, examples)
    found: set[str] = set()
    for jobs in groups:
        first = jobs[0].job_id
        reason = marks.get(first, "")
        if len(jobs) > 1:
            reason = reason_of(_untried(first, names.get(first, first), reason))
        if part in reason.casefold():
            found |= {job.job_id for job in jobs}
    if found:
        return found
    # What was asked for may be what sets one job apart from others that failed alike.
    every = ledger.given_up_jobs(survey.dead)
    return {mark.job_id for mark in every if part in mark.reason.casefold()}


def given_up_reasons(
    ledger: RunLedger, survey: Survey, job_ids: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Why jobs were given up, by their marks; jobs whose attempts vanished alike share one."""
    groups = _alike(_given_up(survey, job_ids))
    marks = _marks(ledger, [jobs[0] for jobs in groups])
    for jobs in groups:
        yield from ((job.job_id, marks.get(jobs[0].job_id, "")) for job in jobs)


def _failed(survey: Survey) -> Iterator[_Failed]:
    """Those given up whose attempts do not tell why, others given up, those that are retried."""
    dead = list(_given_up(survey, survey.dead))
    yield from (job for job in dead if not job.says_why)
    yield from (job for job in dead if job.says_why)
    for job_id, last in survey.open.items():
        if last.has_failed:
            yield _Failed(job_id, last, last.state.value)


def _given_up(survey: Survey, job_ids: Iterable[str]) -> Iterator[_Failed]:
    return (_Failed(job_id, survey.dead.get(job_id), "dead") for job_id in job_ids)


def _read(ledger: RunLedger, jobs: Sequence[_Failed]) -> Iterator[Attempt]:
    """The last attempts of jobs, with the reasons that their marks give where they give none."""
    keys = [job.last.key for job in jobs if job.last]
    lasts = {attempt.job_id: attempt for attempt in ledger.read_attempts(keys)}
    unsaid = [job for job in jobs if not job.says_why]
    marks = _marks(ledger, unsaid)
    for job in jobs:
        last = lasts.get(job.job_id)
        if job.says_why and last:
            yield replace(last, state=job.state)
        elif job.job_id in marks:
            last = last or _untried(job.job_id, job.job_id, "")
            yield replace(last, state=job.state, reason=marks[job.job_id] or last.reason)


def _by_keys(ledger: RunLedger, jobs: Sequence[_Failed]) -> Iterator[Attempt]:
    """What keys say of the last attempts of jobs, with the reasons that jobs share."""
    names = ledger.names([job.job_id for job in jobs])
    examples = ledger.explain(job.last.key for job in jobs if job.last and job.says_why)
    reasons = {name: reason_of(attempt) for name, attempt in examples.items()}
    unsaid = _alike(job for job in jobs if not job.says_why)
    marks = _marks(ledger, [some[0] for some in unsaid])
    shared = {job.job_id: marks.get(some[0].job_id, "") for some in unsaid for job in some}
    for job in jobs:
        yield _as_attempt(job, names, reasons, shared)


def _as_attempt(
    job: _Failed,
    names: Mapping[str, str],
    reasons: Mapping[str, str],
    shared: Mapping[str, str],
) -> Attempt:
    name = names.get(job.job_id, job.job_id)
    if job.last is None:
        return _untried(job.job_id, name, shared[job.job_id])
    reason = reasons.get(job.last.key.reason, "") if job.says_why else shared[job.job_id]
    attempt = Attempt.of_key(job.last.key, name, job.last.attempts, reason)
    return replace(attempt, state=job.state)


def _alike(jobs: Iterable[_Failed]) -> list[list[_Failed]]:
    """Jobs in groups that were given up for the same reason, as far as keys tell."""
    groups: defaultdict[Hashable, list[_Failed]] = defaultdict(list)
    for job in jobs:
        last = job.last
        groups[(last.key.reason, last.attempts, last.failed) if last else job.job_id].append(job)
    return list(groups.values())


def _marks(ledger: RunLedger, jobs: Iterable[_Failed]) -> dict[str, str]:
    """Why jobs were given up, by their marks."""
    found = ledger.given_up_jobs(job.job_id for job in jobs)
    return {mark.job_id: mark.reason for mark in found}


def _untried(job_id: str, name: str, reason: str) -> Attempt:
    return Attempt(job_id, name, "", 0, "dead", "", "", 0.0, reason=reason)
