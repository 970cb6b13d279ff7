"""See which jobs fail and are tried again, before they are given up."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...command_lines import run_line
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.ledger.survey import LastAttempt, Survey
from ...run.decisions import Pace
from ...run.failures import find_common_failure
from ...words import count_of

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_KEYS_A_JOB = 3  # of a usual ledger: an attempt's start, its end, and the mark
_KEYS_A_PAGE = 1000


@dataclass(frozen=True)
class Failing:
    """Jobs that are neither done nor given up and have failed; `reason` is that of the latest."""

    jobs: int
    most: int  # failed attempts of the one that failed most often
    reason: str

    def sentence(self) -> str:
        """In one line, such as `2 jobs have failed, up to 3 times so far: exit code 1.`"""
        who = f"{count_of(self.jobs, 'job')} {'has' if self.jobs == 1 else 'have'}"
        if self.most == 1:
            often = "once so far"
        else:
            often = f"{'' if self.jobs == 1 else 'up to '}{self.most:,} times so far"
        comma = "" if self.jobs == 1 else ","
        reason = " ".join(self.reason.split())
        return f"{who} failed{comma} {often}{': ' if reason else '.'}{reason}"


def failing_jobs(aws: Aws, record: RunRecord, survey: Survey) -> Failing | None:
    """The jobs of a survey that fail and are tried again; None if there are none."""
    failing = [last for last in survey.open.values() if last.failed]
    if not failing:
        return None
    latest = max(failing, key=_last_failed)
    keys = [latest.last_failed] if latest.last_failed else []
    reasons = [attempt.reason for attempt in RunLedger.of(aws.s3, record).read_attempts(keys)]
    most = max(last.failed for last in failing)
    return Failing(len(failing), most, "".join(reasons))


def _last_failed(last: LastAttempt) -> str:
    return last.last_failed.attempt_id if last.last_failed else ""


def stop_if_all_fail_alike(ledger: RunLedger, survey: Survey, pace: Pace, machines: int) -> bool:
    """Stop a run of whose jobs none is done while the first ones failed alike; whether it did."""
    if survey.is_stopped:
        return False
    job_id = find_common_failure(
        survey, least=pace.alike_failures, machines=min(pace.alike_machines, machines)
    )
    if not job_id:
        return False
    reason = "".join(job.reason for job in ledger.given_up_jobs([job_id]))
    alike = f"{count_of(len(survey.dead), 'job')} failed alike: {reason.rstrip('.')}"
    ledger.stop(
        f"none of its jobs is done, and {alike}. "
        f"Fix the cause, then `{run_line('retry')}` continues it."
    )
    return True


class FailureWatch:
    """Looks for failing jobs again and again, with one listing a second at the most."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._next = 0.0
        self._last: Failing | None = None
        self.given_up = 0  # jobs, at the last look

    def look(
        self, aws: Aws, record: RunRecord, submitted: int, now: float, *, machines: int = 0
    ) -> Failing | None:
        """What fails now, or did at the last look if a large ledger is not due again yet.

        A run of whose jobs none is done and all fail alike is stopped, on as many of its `machines`
        as the pace asks for.
        A ledger that cannot be listed keeps nobody from watching: it is said, and no more.
        """
        if now < self._next:
            return self._last
        self._next = now + submitted * _KEYS_A_JOB / _KEYS_A_PAGE
        try:
            ledger = RunLedger.of(aws.s3, record)
            survey = ledger.survey()
            stop_if_all_fail_alike(ledger, survey, self._pace, machines)
            self.given_up = len(survey.dead)
            self._last = failing_jobs(aws, record, survey)
        except (ClientError, BotoCoreError) as error:
            logger.warning("Could not read which jobs fail; the next step retries: %s", error)
        return self._last
