"""List an app's runs: when each began, how it stands, its jobs, and what its machines cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...aws.session import PARALLEL_REQUESTS
from ...protocol.ledger.run_ledger import RunLedger, list_runs
from ...run.money import cost_of_all
from ..runs.spending import is_unwatched, lives, look_at_machines, prices_or_caps

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord


@dataclass(frozen=True)
class PastRun:
    """A run of the app; times in seconds since 1970, `cost` in USD, None where it is not known."""

    run_id: str
    started: float
    ended: float | None
    seconds: float  # from start to end, or until now
    jobs: int
    done: int
    given_up: int
    is_stopped: bool
    cost: float | None

    @property
    def state(self) -> str:
        if self.ended is None:
            return "stopped" if self.is_stopped else "live"
        return "complete" if self.done == self.jobs else "ended"


@dataclass(frozen=True)
class PastRuns:
    """The latest runs first, and how many there are before them."""

    runs: tuple[PastRun, ...]
    older: int


def past_runs(
    aws: Aws, settings: Settings, last: int, *, now: Callable[[], float] = time.time
) -> PastRuns:
    """The app's `last` runs."""
    ids = list_runs(aws.s3, settings.aws_bucket, settings.app_name)[::-1]
    with ThreadPoolExecutor(PARALLEL_REQUESTS // 4) as pool:
        found = list(pool.map(partial(_read, aws, settings, now()), ids[:last]))
    return PastRuns(tuple(item for item in found if item), max(0, len(ids) - last))


def _read(aws: Aws, settings: Settings, now: float, run_id: str) -> PastRun | None:
    """One run; None for a folder without a record."""
    ledger = RunLedger(aws.s3, settings.aws_bucket, settings.app_name, run_id)
    record = ledger.read_record()
    if record is None:
        return None
    survey = ledger.survey()
    return PastRun(
        run_id=run_id,
        started=record.started,
        ended=record.ended,
        seconds=(record.ended or now) - record.started,
        jobs=survey.submitted,
        done=len(survey.done),
        given_up=len(survey.dead),
        is_stopped=survey.is_stopped,
        cost=_cost(aws, record, now),
    )


def _cost(aws: Aws, record: RunRecord, now: float) -> float | None:
    """What the machines cost so far, USD; None if no one noted them, or no price is known."""
    book = look_at_machines(aws, record, now)
    if is_unwatched(record, book):
        return None
    machines = lives(book, record)
    cost = cost_of_all(machines, prices_or_caps(aws, record, machines)[0], now)
    return None if cost.unpriced else cost.total
