"""Check the machine types: do containers fit, what do they cost, how many are allowed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ...aws.compute.images import MachineType
from ...aws.compute.market import quota_of, running_spot_vcpus, spot_prices_now, spot_quota
from ...errors import UsageError
from ...words import count_of
from ..buying.fleet_plan import TIGHT_MEMORY, fit
from .findings import Finding, apart, missing, ok, unseen, warning

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

_CPU_UNITS = 1024  # of a vCPU, as ECS counts them


def containers(settings: Settings, types: Collection[MachineType]) -> Iterator[Finding]:
    """Whether TASKS_PER_MACHINE containers fit each machine type, and how many would."""
    for machine in types:
        subject = f"fit on {machine.name}"
        try:
            notes = list(fit(settings, machine))
        except UsageError as error:
            yield missing(subject, *apart(str(error)))
            continue
        if notes:
            yield warning(subject, *apart(notes[0]))
            continue
        room = most_containers(settings, machine)
        more = f", room for {room}" if room > settings.tasks_per_machine else ""
        count = settings.tasks_per_machine
        told = "1 container" if count == 1 else f"{count} containers"
        yield ok(
            subject,
            f"{told} of {settings.memory} MB and {settings.cpu_shares} CPU_SHARES on "
            f"{machine.memory_mib} MB and {machine.vcpus} vCPUs{more}",
        )


def most_containers(settings: Settings, machine: MachineType) -> int:
    """How many of the config's containers surely fit a machine, by memory and by vCPUs."""
    by_memory = int(machine.memory_mib * TIGHT_MEMORY // settings.memory)
    return min(by_memory, machine.vcpus * _CPU_UNITS // settings.cpu_shares)


def prices(
    aws: Aws, settings: Settings, names: Sequence[str], zones: Collection[str], now: float
) -> Iterator[Finding]:
    """What each type costs in each zone that the fleet may use, against MACHINE_PRICE."""
    found = spot_prices_now(aws.ec2, names, now)
    for name in names:
        everywhere = found.get(name, {})
        here = {zone: price for zone, price in everywhere.items() if not zones or zone in zones}
        yield _price(settings, name, here, elsewhere=bool(everywhere))


def _price(settings: Settings, name: str, here: Mapping[str, float], *, elsewhere: bool) -> Finding:
    subject = f"price of {name}"
    if not here:
        where = "in the fleet's zones, only in others" if elsewhere else "in this region"
        fix = "choose another MACHINE_TYPE, or subnets in other zones"
        return warning(subject, f"no spot price {where}: AWS may not offer it there", fix)
    low, high = min(here.values()), max(here.values())
    span = _usd(low) if low == high else f"{_usd(low)} to {_usd(high)}"
    told = f"{span} an hour in {', '.join(here)}"
    cap = settings.machine_price
    dear = [zone for zone, price in here.items() if cap is not None and price > cap]
    if cap is None:
        return ok(subject, f"{told}; no cap (MACHINE_PRICE)")
    if len(dear) == len(here):
        why = f"{told}: above MACHINE_PRICE = {cap:g}, so no machine would come"
        return missing(
            subject, why, f"set MACHINE_PRICE to {high * 1.2:.2f} or more, or take it out"
        )
    if dear:
        why = f"{told}: above MACHINE_PRICE = {cap:g} in {', '.join(dear)}"
        return warning(subject, why, "raise MACHINE_PRICE to use these zones too")
    return ok(subject, f"{told}; MACHINE_PRICE is {cap:g}")


def _usd(price: float) -> str:
    return f"${price:.6f}".rstrip("0").rstrip(".")


def quotas(aws: Aws, settings: Settings, types: Collection[MachineType]) -> Iterator[Finding]:
    """Whether the account may have the vCPUs of all the machines at once."""
    by_quota: dict[str, list[MachineType]] = {}
    for machine in types:
        by_quota.setdefault(quota_of(machine.name), []).append(machine)
    for code, members in by_quota.items():
        yield _quota(aws, settings, code, members, alone=len(by_quota) == 1)


def _quota(
    aws: Aws, settings: Settings, code: str, members: list[MachineType], *, alone: bool
) -> Finding:
    subject = "spot quota" if alone else f"spot quota {code}"
    if not code:
        return unseen(subject, f"which quota counts a {members[0].name} is unknown here")
    limit = spot_quota(aws.quotas, code)
    if limit is None:
        return unseen(subject, f"not seen: AWS lists no quota {code} here")
    used = running_spot_vcpus(aws.ec2, code)
    ask = f"request more of {code} in the Service Quotas console of {aws.region}"
    told_used = f", {used} of them in use" if used else ""
    if settings.run_per_machine_type:
        return _quota_of_runs(settings, subject, members, limit, used, told_used, ask)
    smallest = min(members, key=lambda member: member.vcpus)
    wanted = settings.cluster_machines * smallest.vcpus
    told = f"{wanted} vCPUs wanted ({settings.cluster_machines} {smallest.name}), {limit} allowed"
    told += told_used
    if smallest.vcpus > limit:
        return missing(subject, f"{told}: not one machine can start", ask)
    if wanted > limit - used:
        room = max(0, limit - used) // smallest.vcpus
        return warning(
            subject,
            f"{told}: {count_of(room, 'machine')} can start",
            f"{ask}, or lower CLUSTER_MACHINES",
        )
    return ok(subject, told)


def _quota_of_runs(
    settings: Settings,
    subject: str,
    members: list[MachineType],
    limit: int,
    used: int,
    told_used: str,
    ask: str,
) -> Finding:
    """The same where each type has a run, and machines, of its own: their vCPUs add up."""
    wanted = settings.cluster_machines * sum(member.vcpus for member in members)
    names = " and ".join(sorted(member.name for member in members))
    told = f"{wanted} vCPUs wanted ({settings.cluster_machines} each of {names}), {limit} allowed"
    told += told_used
    if never := [member.name for member in members if member.vcpus > limit]:
        return missing(subject, f"{told}: not one {never[0]} can start", ask)
    if wanted > limit - used:
        fix = f"{ask}, lower CLUSTER_MACHINES, or run the types in sequence"
        return warning(subject, f"{told}: not all of them can run at once", fix)
    return ok(subject, told)
