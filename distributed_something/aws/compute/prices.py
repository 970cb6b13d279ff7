"""Read what spot machines cost and cost before, and what On-Demand machines cost."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ...run.money import PriceChange

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

# What ECS-optimised machines are billed as; in accounts of the year 2012 and before AWS says
# "Linux/UNIX (Amazon VPC)".
PRODUCT = "Linux/UNIX"
# What tells an ordinary machine in the price list from reserved, dedicated and licensed ones.
_ORDINARY = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


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
        for price in page["SpotPriceHistory"]:
            place = (price.get("InstanceType", ""), price.get("AvailabilityZone", ""))
            change = PriceChange(price["Timestamp"].timestamp(), float(price["SpotPrice"]))
            found[place].append(change)
    for changes in found.values():
        changes.sort(key=lambda change: change.time)
    return found


def on_demand_prices(pricing: Any, region: str, machine_types: Collection[str]) -> dict[str, float]:
    """What Linux machines cost on demand in a region, USD a machine-hour; some may be left out.

    `pricing` is a client of AWS's price list, which few regions serve and all may ask.
    """
    prices: dict[str, float] = {}
    for machine_type in machine_types:
        wanted = {"instanceType": machine_type, "regionCode": region, **_ORDINARY}
        filters = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in wanted.items()]
        answer = pricing.get_products(ServiceCode="AmazonEC2", Filters=filters)
        found = [price for text in answer["PriceList"] for price in _hourly(json.loads(text))]
        if found:
            prices[machine_type] = max(found)
    return prices


def _hourly(product: dict[str, Any]) -> Iterator[float]:
    """The prices of a product that are asked for by the hour."""
    for offer in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in offer["priceDimensions"].values():
            if dimension.get("unit") == "Hrs":
                yield float(dimension["pricePerUnit"].get("USD", 0.0))
