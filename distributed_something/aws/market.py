"""Ask what spot machines cost just now, and how many of them an account may have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_service_quotas import ServiceQuotasClient

# Quotas count vCPUs of running spot machines, by groups of families:
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html
STANDARD_QUOTA = "L-34B43A08"  # A, C, D, H, I, M, R, T and Z
_QUOTAS = {"g": "L-3819A6DF", "vt": "L-3819A6DF", "p": "L-7212CCBC", "x": "L-E3A00192"}


def spot_prices_now(
    ec2: EC2Client, types: Iterable[str], now: float
) -> dict[str, dict[str, float]]:
    """USD an hour by machine type and zone; `now` in seconds since 1970.

    A type that no zone has is left out.
    """
    request: Any = {
        "InstanceTypes": list(dict.fromkeys(types)),
        "ProductDescriptions": ["Linux/UNIX"],
        # The last change before it is told too, which is the price that counts.
        "StartTime": datetime.fromtimestamp(now, timezone.utc),
    }
    newest: dict[tuple[str, str], tuple[datetime, float]] = {}
    for page in ec2.get_paginator("describe_spot_price_history").paginate(**request):
        for one in page["SpotPriceHistory"]:
            place = (one["InstanceType"], one["AvailabilityZone"])
            entry = (one["Timestamp"], float(one["SpotPrice"]))
            newest[place] = max(newest.get(place, entry), entry)
    prices: dict[str, dict[str, float]] = {}
    for (machine, zone), (_, price) in sorted(newest.items()):
        prices.setdefault(machine, {})[zone] = price
    return prices


def spot_quota(quotas: ServiceQuotasClient, code: str) -> int | None:
    """The most vCPUs of running spot machines of a group; None if AWS tells of none."""
    try:
        found = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
    except quotas.exceptions.NoSuchResourceException:
        return None
    return int(found["Value"])


def quota_of(machine: str) -> str:
    """The code of the quota that counts a machine type; such as m5.xlarge."""
    family = machine.partition(".")[0]
    letters = "".join(c for c in family[: len(family)] if c.isalpha() or c == "-")
    for prefix in ("vt", "g", "p", "x"):
        if letters.startswith(prefix):
            return _QUOTAS[prefix]
    return STANDARD_QUOTA


def running_spot_vcpus(ec2: EC2Client, code: str) -> int:
    """The vCPUs of the spot machines that the account has now and that a quota counts."""
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[
            {"Name": "instance-lifecycle", "Values": ["spot"]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
    )
    return sum(
        _vcpus(instance.get("CpuOptions", {}))
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if quota_of(instance["InstanceType"]) == code
    )


def _vcpus(options: Any) -> int:
    return int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 1))
