"""Read what a report is made of: a run's keys, its machines and their prices, what it ran with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ....protocol.ledger.attempts import AttemptKey
from ....protocol.ledger.run_ledger import RunLedger
from ....protocol.ledger.survey import Survey
from ....protocol.ledger.unreadable import LeftOut
from ....run.machine_book import MachineBook, read_machine_book
from ....run.money import MachineLife, Prices
from ...runs.provenance import read_provenance
from ...runs.spending import look_at_machines, prices_or_caps

if TYPE_CHECKING:
    from ....aws.session import Aws
    from ....protocol.ledger.record import RunRecord


@dataclass(frozen=True)
class Sources:
    """What a report is made of; bodies of attempts are read as their keys ask for it."""

    survey: Survey
    attempts: Iterable[AttemptKey]  # how each ended, by job and in order
    book: MachineBook
    stopped: str  # why, if it was
    names: Callable[[Collection[str]], Mapping[str, str]]  # of jobs, by id
    prices: Callable[[Sequence[MachineLife]], Prices]
    provenance: Mapping[str, str]
    left_out: LeftOut = field(default_factory=LeftOut)  # what of it could not be read


def read_sources(aws: Aws, record: RunRecord, until: float) -> Sources:
    """All of it, as the bucket and EC2 have it."""
    ledger = RunLedger.of(aws.s3, record)
    survey = ledger.survey()
    return Sources(
        survey=survey,
        attempts=ledger.attempts(),
        book=_book(aws, record, until),
        stopped=ledger.why_stopped() if survey.is_stopped else "",
        names=ledger.names,
        prices=lambda machines: prices_or_caps(aws, record, machines)[0],
        provenance=read_provenance(ledger),
        left_out=ledger.left_out,
    )


def _book(aws: Aws, record: RunRecord, until: float) -> MachineBook:
    """The machines of the run; as the book has them if EC2 may not be asked."""
    try:
        return look_at_machines(aws, record, until)
    except (ClientError, BotoCoreError):
        return read_machine_book(RunLedger.of(aws.s3, record))
