"""Stop a run in good order before it costs or lasts more than its config allows."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ...protocol.ledger.run_ledger import RunLedger
from ...run.money import Cost, cost_of_all
from ...words import count_of, usd
from ..runs.spending import lives, prices_or_caps

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord
    from ...run.machine_book import MachineBook

logger = logging.getLogger(__name__)

# Jobs that run when MAX_COST is reached may go on until they cost so much of it again.
GRACE = 0.1
# How long before the machines end by themselves no more jobs are taken: so much of their time.
LAST_SHARE = 0.05
LAST_SECONDS = 900.0  # but no longer than this
_UNPRICED = (
    "MAX_COST cannot be enforced: the cost of %s is unknown. Set MACHINE_PRICE before the next "
    "startCluster, or give the monitor the right ec2:DescribeSpotPriceHistory."
)


@dataclass(frozen=True)
class Limit:
    """A limit that a run has reached; `is_final` if not even what runs may end."""

    reason: str
    is_final: bool = False


def find_limit(aws: Aws, record: RunRecord, book: MachineBook, now: float) -> Limit | None:
    """The limit that the run has reached, if any."""
    return _cost_limit(aws, record, book, now) or _time_limit(record, book, now)


def hold_to(aws: Aws, record: RunRecord, limit: Limit) -> None:
    """Let workers take no more jobs."""
    logger.warning("The run is stopped: %s", limit.reason)
    RunLedger.of(aws.s3, record).stop(limit.reason)


def ends_by(record: RunRecord) -> float | None:
    """When the last fleet of a run ends by itself, seconds since 1970; None if none says so."""
    texts = [
        str(fleet.request["ValidUntil"]) for fleet in record.fleets if "ValidUntil" in fleet.request
    ]
    moments = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in texts]
    return max((moment.timestamp() for moment in moments), default=None)


def _cost_limit(aws: Aws, record: RunRecord, book: MachineBook, now: float) -> Limit | None:
    if not record.max_cost:
        return None
    machines = lives(book, record)
    prices, _ = prices_or_caps(aws, record, machines)
    cost = cost_of_all(machines, prices, now)
    if cost.unpriced:
        logger.warning(_UNPRICED, count_of(cost.unpriced, "machine"))
    if cost.total < record.max_cost:
        return None
    return Limit(_too_dear(record, cost), cost.total >= record.max_cost * (1 + GRACE))


def _too_dear(record: RunRecord, cost: Cost) -> str:
    return (
        f"it has cost {usd(cost.total)}, and MAX_COST is {usd(record.max_cost)}. Jobs that run "
        f"may end until it is {1 + GRACE:.0%} of that. To continue, raise MAX_COST in config.py."
    )


def _time_limit(record: RunRecord, book: MachineBook, now: float) -> Limit | None:
    """Only while the machines last: later there is nothing to stop."""
    until = ends_by(record)
    launches = [machine.launched for machine in book.machines.values()]
    if until is None or not launches or now >= until:
        return None
    last = min(LAST_SECONDS, (until - min(launches)) * LAST_SHARE)
    if now < until - last:
        return None
    return Limit(
        f"its machines end in {(until - now) / 60:.0f} minutes, when MAX_HOURS are over, so no "
        "more jobs are started. To continue, raise MAX_HOURS in config.py."
    )
