"""What a run's machines have cost so far, from its machine book and EC2's prices."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.compute import instances
from ...aws.compute.prices import on_demand_prices, spot_prices
from ...definitions.tags import run_tags
from ...protocol.ledger.run_ledger import RunLedger
from ...run.machine_book import MachineBook, read_machine_book, write_machine_book
from ...run.money import MachineLife, Prices

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

UNWATCHED = "The cost of the run is unknown: no monitor ran, and EC2 forgets its machines."


def look_at_machines(aws: Aws, record: RunRecord, now: float) -> MachineBook:
    """The run's machine book as it is now, and not written; of a run of upstream's an empty one."""
    book = read_machine_book(RunLedger.of(aws.s3, record))
    if not record.is_live or not record.run_id:
        return book
    tags = run_tags(record.app_name, record.run_id)
    return with_machines(book, record, instances.find_machines(aws.ec2, tags, ended=True), now)


def with_machines(
    book: MachineBook, record: RunRecord, seen: Iterable[instances.Instance], now: float
) -> MachineBook:
    """The book after a look that saw these machines of EC2's."""
    return book.seen((life_of(machine, record, now) for machine in seen), now)


def keep_book(aws: Aws, record: RunRecord, now: float) -> MachineBook:
    """Bring the run's machine book up to date, whose age tells that somebody watches."""
    book = look_at_machines(aws, record, now)
    if record.run_id:
        write_machine_book(RunLedger.of(aws.s3, record), book)
    return book


def lives(book: MachineBook, record: RunRecord) -> list[MachineLife]:
    """The machines of a run; of one that is over all have ended."""
    return [*book.machines.values()] if record.ended is None else book.closed(record.ended)


def is_unwatched(record: RunRecord, book: MachineBook) -> bool:
    """Whether a run that is over had fleets and nobody noted their machines."""
    return record.ended is not None and bool(record.fleets) and book.looked is None


def prices_of(aws: Aws, record: RunRecord, machines: Iterable[MachineLife]) -> Prices:
    """The prices that held while machines ran.

    Only where EC2 tells of no spot price is the price list asked, as far as one may ask it.
    """
    ran = list(machines)
    since = min((machine.launched for machine in ran), default=0.0)
    spot = spot_prices(aws.ec2, {life.instance_type for life in ran if life.spot}, since)
    prices = Prices(spot=spot, cap=price_cap(record))
    unknown = {life.instance_type for life in ran if not prices.is_known(life)}
    return replace(prices, on_demand=_on_demand(aws, unknown))


def prices_or_caps(
    aws: Aws, record: RunRecord, machines: Iterable[MachineLife]
) -> tuple[Prices, str]:
    """The same, and why it could not be read, '' if it was.

    What machines cost at most stands for spot prices that may not be read: their fleets' cap, or
    without one the on-demand price.
    """
    ran = list(machines)
    try:
        return prices_of(aws, record, ran), ""
    except (ClientError, BotoCoreError) as error:
        cap = price_cap(record)
        uncapped = {life.instance_type for life in ran if cap is None or not life.spot}
        return Prices(on_demand=_on_demand(aws, uncapped), cap=cap), str(error)


def _on_demand(aws: Aws, machine_types: Collection[str]) -> dict[str, float]:
    if not machine_types:
        return {}
    try:
        return on_demand_prices(aws.pricing, aws.region, machine_types)
    except (ClientError, BotoCoreError) as error:
        logger.info("AWS's price list cannot be read: %s", error)
        return {}


def price_cap(record: RunRecord) -> float | None:
    """The most that any fleet of the run pays for a machine-hour, USD; None: on-demand's price."""
    caps = [fleet.request.get("SpotPrice") for fleet in record.fleets]
    return max((float(cap) for cap in caps if cap), default=None) if all(caps) else None


def life_of(machine: instances.Instance, record: RunRecord, now: float) -> MachineLife:
    """A machine of EC2's as the book keeps it."""
    ended = None if machine.is_live else (machine.ended or now)
    return MachineLife(
        instance_id=machine.instance_id,
        instance_type=machine.instance_type,
        zone=machine.zone,
        launched=machine.launched,
        ended=ended,
        spot=machine.is_spot,
        interrupted=machine.interrupted,
        disk_gib=record.disk_gib or 0,  # known of all machines that a startCluster bought
        # EC2 forgets the address of a machine that has ended: the book keeps what it had.
        public_address=machine.has_public_address,
    )
