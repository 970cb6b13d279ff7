"""What a run's machines have cost so far, from its machine book and EC2's prices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..aws import fleet
from ..aws.prices import spot_prices
from ..definitions.tags import run_tags
from ..machine_book import MachineBook, read_machine_book, write_machine_book
from ..money import MachineLife, Prices

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..record import RunRecord


def look_at_machines(aws: Aws, record: RunRecord, now: float) -> MachineBook:
    """The run's machine book as it is now, and not written; of a run of upstream's an empty one."""
    book = read_machine_book(aws.s3, record.bucket, record.keys)
    if not record.is_live or not record.run_id:
        return book
    tags = run_tags(record.app_name, record.run_id)
    return with_machines(book, record, fleet.find_machines(aws.ec2, tags, ended=True), now)


def with_machines(
    book: MachineBook, record: RunRecord, seen: Iterable[fleet.Machine], now: float
) -> MachineBook:
    """The book after a look that saw these machines of EC2's."""
    return book.seen((life_of(machine, record, now) for machine in seen), now)


def keep_book(aws: Aws, record: RunRecord, now: float) -> MachineBook:
    """Bring the run's machine book up to date, whose age tells that somebody watches."""
    book = look_at_machines(aws, record, now)
    if record.run_id:
        write_machine_book(aws.s3, record.bucket, record.keys, book)
    return book


def lives(book: MachineBook, record: RunRecord) -> list[MachineLife]:
    """The machines of a run; of one that is over all have ended."""
    return [*book.machines.values()] if record.ended is None else book.closed(record.ended)


def prices_of(aws: Aws, record: RunRecord, machines: Iterable[MachineLife]) -> Prices:
    """The prices that held while machines ran."""
    ran = list(machines)
    since = min((machine.launched for machine in ran), default=0.0)
    spot = spot_prices(aws.ec2, {one.instance_type for one in ran if one.spot}, since)
    return Prices(spot=spot, cap=price_cap(record))


def price_cap(record: RunRecord) -> float | None:
    """The most that any fleet of the run pays for a machine-hour, USD; None: on-demand's price."""
    caps = [one.request.get("SpotPrice") for one in record.fleets]
    return max((float(cap) for cap in caps if cap), default=None) if all(caps) else None


def life_of(machine: fleet.Machine, record: RunRecord, now: float) -> MachineLife:
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
        disk_gib=record.disk_gib,
        # EC2 forgets the address of a machine that has ended: the book keeps what it had.
        public_address=machine.has_public_address,
    )
