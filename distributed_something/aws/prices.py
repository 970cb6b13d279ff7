"""Read what spot machines cost and cost before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ..money import PriceChange

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

# What ECS-optimised machines are billed as; in accounts of the year 2012 and before AWS says
# "Linux/UNIX (Amazon VPC)".
PRODUCT = "Linux/UNIX"


def spot_prices(
    ec2: EC2Client, machine_types: Collection[str], since: float
) -> dict[tuple[str, str], list[PriceChange]]:
    """The price changes of machine types by type and zone, oldest first, USD a machine-hour.

    From the last change before `since` (seconds since 1970), which still held then, until now.
    """
    found: defaultdict[tuple[str, str], list[PriceChange]] = defaultdict(list)
    if not machine_types:
        return found
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=sorted(machine_types),  # type: ignore[arg-type]  # a user's text
        ProductDescriptions=[PRODUCT],
        StartTime=datetime.fromtimestamp(since, timezone.utc),
    )
    for page in pages:
        for one in page["SpotPriceHistory"]:
            place = (one.get("InstanceType", ""), one.get("AvailabilityZone", ""))
            change = PriceChange(one["Timestamp"].timestamp(), float(one["SpotPrice"]))
            found[place].append(change)
    for changes in found.values():
        changes.sort(key=lambda change: change.time)
    return found
