"""What machines cost: pure arithmetic over their lives and a history of prices, all in US dollars.

Spot machines are paid by the second, for 60 seconds at least; each hour of a machine's life at the
price that was in effect as that hour began (https://aws.amazon.com/ec2/spot/faqs/). One that EC2
takes away in its first hour is free, its disk and its address are not:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-for-interrupted-spot-instances.html
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

HOUR = 3600.0
LEAST_SECONDS = 60.0  # of any machine, disk and address that was there at all
MONTH = 30 * 86400.0  # as EBS counts one: https://aws.amazon.com/ebs/pricing/
GP3_GIB_MONTH = 0.08  # of a gp3 disk in us-east-1; other regions differ by a fifth or so
ADDRESS_HOUR = (
    0.005  # of a public IPv4 address, in every region: https://aws.amazon.com/vpc/pricing/
)

# What a bill has besides; every screen with money on it says so.
LEFT_OUT = (
    "NAT gateways and endpoints",
    "logs, alarms and dashboards",
    "data transfer",
    "requests to S3 and SQS, and what is stored in S3",
)


@dataclass(frozen=True)
class MachineLife:
    """A machine that a run had, from launch to end; times are seconds since 1970."""

    instance_id: str
    instance_type: str
    zone: str
    launched: float
    ended: float | None = None  # None: it runs
    spot: bool = True
    interrupted: bool = False  # EC2 took it away
    disk_gib: int = 0  # gp3
    public_address: bool = False

    def seconds(self, now: float) -> float:
        """How long it has run, or ran."""
        return max(0.0, (now if self.ended is None else self.ended) - self.launched)


@dataclass(frozen=True)
class PriceChange:
    """A price of a machine-hour and the time from which it holds, seconds since 1970."""

    time: float
    price: float


@dataclass(frozen=True)
class Prices:
    """What a machine-hour cost when; `caps` and `cap` are what is used where nothing is known."""

    spot: Mapping[tuple[str, str], Sequence[PriceChange]] = field(default_factory=dict)
    on_demand: Mapping[str, float] = field(default_factory=dict)  # by machine type
    cap: float | None = None  # MACHINE_PRICE
    gib_month: float = GP3_GIB_MONTH
    address_hour: float = ADDRESS_HOUR

    def at(self, machine: MachineLife, time: float) -> float | None:
        """The price of one of its hours that begins at a time; None if nothing is known of it.

        Before the first known change the first known price holds; with none at all, the
        on-demand price, which a spot price never exceeds, and at last the cap.
        """
        if machine.spot:
            changes = self.spot.get((machine.instance_type, machine.zone), ())
            if changes:
                place = bisect_right(changes, time, key=lambda change: change.time)
                return changes[max(0, place - 1)].price
        price = self.on_demand.get(machine.instance_type)
        return self.cap if price is None else price

    def is_known(self, machine: MachineLife) -> bool:
        """Whether its own price is known, rather than the most that it can be."""
        if machine.spot:
            return bool(self.spot.get((machine.instance_type, machine.zone)))
        return machine.instance_type in self.on_demand


@dataclass(frozen=True)
class Cost:
    """Dollars; `unpriced` machines are not all in it, `capped` ones at the most they can be."""

    machines: float = 0.0
    disks: float = 0.0
    addresses: float = 0.0
    free: float = 0.0  # what EC2 let off for taking machines away early; in no sum
    seconds: float = 0.0  # that machines ran
    unpriced: int = 0
    capped: int = 0

    @property
    def total(self) -> float:
        return self.machines + self.disks + self.addresses

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.machines + other.machines,
            self.disks + other.disks,
            self.addresses + other.addresses,
            self.free + other.free,
            self.seconds + other.seconds,
            self.unpriced + other.unpriced,
            self.capped + other.capped,
        )


def cost_of(machine: MachineLife, prices: Prices, now: float) -> Cost:
    """What one machine has cost by `now`, with its disk and its address."""
    ran = machine.seconds(now)
    paid = max(ran, LEAST_SECONDS)
    parts = [
        (prices.at(machine, began), seconds) for began, seconds in _hours(machine.launched, paid)
    ]
    known = [(price, seconds) for price, seconds in parts if price is not None]
    compute = sum(price * seconds / HOUR for price, seconds in known)
    lets_off = is_free(machine, now)
    return Cost(
        machines=0.0 if lets_off else compute,
        disks=prices.gib_month * machine.disk_gib * paid / MONTH,
        addresses=prices.address_hour * paid / HOUR if machine.public_address else 0.0,
        free=compute if lets_off else 0.0,
        seconds=ran,
        unpriced=int(len(known) < len(parts)),
        capped=int(bool(known) and not prices.is_known(machine)),
    )


def is_free(machine: MachineLife, now: float) -> bool:
    """Whether EC2 asks nothing for a machine, but for its disk and its address."""
    return machine.spot and machine.interrupted and machine.seconds(now) < HOUR


def cost_of_all(machines: Iterable[MachineLife], prices: Prices, now: float) -> Cost:
    """What machines have cost by `now`, together."""
    return sum((cost_of(machine, prices, now) for machine in machines), Cost())


def cost_per_hour(machines: Iterable[MachineLife], prices: Prices, now: float) -> float:
    """What the machines that run cost an hour at the prices of `now`, disks and addresses too."""
    return sum(
        (prices.at(machine, now) or 0.0)
        + prices.gib_month * machine.disk_gib * HOUR / MONTH
        + (prices.address_hour if machine.public_address else 0.0)
        for machine in machines
        if machine.ended is None
    )


def extras_per_hour(disk_gib: float, public_address: bool) -> float:
    """What a machine-hour costs besides the machine: its gp3 disk and its address."""
    disk = GP3_GIB_MONTH * disk_gib * HOUR / MONTH
    return disk + (ADDRESS_HOUR if public_address else 0.0)


def _hours(launched: float, seconds: float) -> Iterator[tuple[float, float]]:
    """The hours of a machine's life: when each began and how many seconds of it are paid."""
    began = 0.0
    while began < seconds:
        yield launched + began, min(HOUR, seconds - began)
        began += HOUR
