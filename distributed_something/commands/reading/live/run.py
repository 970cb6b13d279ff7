"""Look at a run again and again, and fill its report's page with what there is by then."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....protocol.ledger.keys import RunKeys
from ....protocol.ledger.run_ledger import RunLedger
from ....run.money import MachineLife, Prices
from ....snapshot import RunSnapshot, read_everything
from ...runs.provenance import read_provenance
from ...runs.runs import refresh
from ...runs.spending import prices_or_caps, with_machines
from ..report import make_report
from ..report.figures import span
from ..report.page import environment, values
from ..report.sources import Sources
from ..status import check_region, count_jobs, jobs_an_hour, latest_reasons
from ..why_stuck import why_stuck
from .memory import RememberingS3
from .pictures import Pictures

if TYPE_CHECKING:
    from ....aws.session import Aws
    from ....protocol.ledger.record import RunRecord

_PRICES_HOLD = 600.0  # seconds for which prices are not asked for again


@dataclass(frozen=True)
class Look:
    """What is on the page after a look; `html` is its inside."""

    number: int
    html: str
    is_over: bool


class LiveRun:
    """One run, as its page shows it at each look; raises UsageError for one of another region."""

    def __init__(
        self, aws: Aws, record: RunRecord, *, now: Callable[[], float] = time.time
    ) -> None:
        check_region(aws, record)
        self._aws = _remembering(aws, record)
        self._record = record
        self._now = now
        self._number = 0
        self._known = _Known(self._aws)
        self.pictures = Pictures(self._aws)

    @property
    def ledger(self) -> RunLedger:
        return RunLedger.of(self._aws.s3, self._record)

    def look(self) -> Look:
        """Read the run once, and make the inside of its page."""
        if self._number:
            self._record = refresh(self._aws, self._record)
        record, now = self._record, self._now()
        seen = read_everything(self._aws, record, now, keeps_attempts=True)
        report = make_report(self._aws, record, sources=self._known.sources(seen), now=lambda: now)
        self._number += 1
        html = (
            environment()
            .get_template("main.html")
            .render(
                values(report),
                number=self._number,
                troubles=why_stuck(seen, record, latest_reasons(self._aws, record, seen.survey)),
                unseen=seen.unreadable,
                pace=_pace(seen),
                pictures=self.pictures.look(seen.ledger, seen.survey, is_last=not record.is_live),
            )
        )
        return Look(self._number, html, record.ended is not None)


class _Known:
    """What is not read at each look: names of jobs, prices, and what the run was made with."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._names: dict[str, str] = {}
        self._nameless: set[str] = set()  # sent by hand
        self._submitted = -1  # jobs, when names were read
        self._prices = Prices()
        self._priced: frozenset[str] | None = None  # machine types
        self._asked = 0.0
        self._fleets = -1
        self._provenance: Mapping[str, str] = {}

    def sources(self, seen: RunSnapshot) -> Sources:
        """What a report is made of, from one snapshot that kept the attempts' names."""
        book = seen.book
        if seen.record.is_live and seen.instances:
            book = with_machines(book, seen.record, seen.instances, seen.now)
        return Sources(
            survey=seen.survey,
            attempts=seen.ledger.attempts_of(seen.survey),
            book=book,
            stopped=seen.stopped,
            names=lambda job_ids: self._names_of(seen, job_ids),
            prices=lambda machines: self._prices_of(seen, machines),
            provenance=self._made_with(seen.record, seen.ledger),
        )

    def _names_of(self, seen: RunSnapshot, job_ids: Collection[str]) -> Mapping[str, str]:
        """Read again when other jobs are asked for, and when there are more of them."""
        if seen.survey.submitted != self._submitted:
            self._nameless.clear()
        unknown = set(job_ids) - self._names.keys() - self._nameless
        if unknown:
            self._submitted = seen.survey.submitted
            self._names |= seen.ledger.names(unknown)
            self._nameless |= unknown - self._names.keys()
        return {job_id: self._names[job_id] for job_id in job_ids if job_id in self._names}

    def _prices_of(self, seen: RunSnapshot, machines: Sequence[MachineLife]) -> Prices:
        """Read again after a while, and when there is a machine of another type."""
        types = frozenset(machine.instance_type for machine in machines)
        is_old = seen.now - self._asked >= _PRICES_HOLD
        if types and (self._priced is None or not types <= self._priced or is_old):
            self._prices = prices_or_caps(self._aws, seen.record, machines)[0]
            self._priced, self._asked = types, seen.now
        return self._prices

    def _made_with(self, record: RunRecord, ledger: RunLedger) -> Mapping[str, str]:
        """Read again when a fleet was bought."""
        if self._fleets != len(record.fleets):
            self._fleets, self._provenance = len(record.fleets), read_provenance(ledger)
        return self._provenance


def _remembering(aws: Aws, record: RunRecord) -> Aws:
    """The same clients, of which S3's asks once for attempts and job lists."""
    keys = RunKeys(record.app_name, record.keys.run_id)
    fixed = (keys.attempts, keys.job_lists)
    own = copy.copy(aws)
    clients: dict[str, Any] = own.__dict__
    clients["s3"] = RememberingS3.over(aws.s3, lambda key: key.startswith(fixed))
    return own


def _pace(seen: RunSnapshot) -> str:
    """How fast jobs are done and how long the rest will take; empty if nothing tells."""
    rate = jobs_an_hour(seen.survey) if seen.record.is_live else None
    if not rate:
        return ""
    return f"{rate:,.0f} jobs an hour, about {span(count_jobs(seen).left / rate * 3600)} left"
