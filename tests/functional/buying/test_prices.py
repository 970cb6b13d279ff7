"""What AWS says of prices, as its answers have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from distributed_something.aws.compute.prices import on_demand_prices, spot_prices
from distributed_something.aws.session import Aws
from distributed_something.commands.runs.spending import prices_of
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.record import FleetRecord, RunRecord
from distributed_something.run.money import MachineLife, PriceChange, cost_of_all
from tests.account import new_account, simulated_ec2
from tests.answers import instead
from tests.lives import refusing

RECORD = RunRecord("Counting", "counting", "CountingQueue", "lab-data", "Counting")
ON_DEMAND = MachineLife("i-1", "m5.xlarge", "us-east-1a", 0.0, 3600.0, spot=False)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Simulator() as simulator:
        aws = new_account(simulator)
        prices = simulated_ec2().spot_prices
        prices["m5.xlarge", "us-east-1a"] = [(100.0, 0.05), (2000.0, 0.06), (3000.0, 0.07)]
        prices["c5.large", "us-east-1a"] = [(100.0, 0.02)]
        yield aws


def product(params: dict[str, Any]) -> dict[str, Any]:
    """The price list's answer: https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html"""
    asked = {one["Field"]: one["Value"] for one in params["Filters"]}
    assert (asked["regionCode"], asked["operatingSystem"]) == ("us-east-1", "Linux")
    if asked["instanceType"] != "m5.xlarge":
        return {"FormatVersion": "aws_v1", "PriceList": []}
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": "0.1920000000"}}
    terms = {"OnDemand": {"SKU.JRTCKXETXF": {"priceDimensions": {"SKU.JRTCKXETXF.6YS": dimension}}}}
    one = {"product": {"sku": "SKU"}, "serviceCode": "AmazonEC2", "terms": terms}
    return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one)]}


def test_the_price_before_the_first_change_is_told_too(aws: Aws) -> None:
    found = spot_prices(aws.ec2, {"m5.xlarge"}, 2500.0)
    assert dict(found) == {
        ("m5.xlarge", "us-east-1a"): [PriceChange(2000.0, 0.06), PriceChange(3000.0, 0.07)]
    }
    assert not spot_prices(aws.ec2, set(), 2500.0)


def test_the_price_list_tells_what_on_demand_machines_cost(aws: Aws) -> None:
    with instead(aws.pricing, "GetProducts", product):
        found = on_demand_prices(aws.pricing, "us-east-1", ["m5.xlarge", "x9.huge"])
    assert found == {"m5.xlarge": 0.192}


def test_an_on_demand_machine_is_counted_at_its_price(aws: Aws) -> None:
    with instead(aws.pricing, "GetProducts", product):
        prices = prices_of(aws, RECORD, [ON_DEMAND])
    cost = cost_of_all([ON_DEMAND], prices, 3600.0)
    assert (round(cost.machines, 6), cost.capped, cost.unpriced) == (0.192, 0, 0)


def test_without_the_right_to_ask_it_is_counted_at_the_cap(aws: Aws) -> None:
    request = {"SpotPrice": "0.25"}
    capped = RunRecord(**{**RECORD.__dict__, "fleets": (FleetRecord("t", request, 1, "sfr-1"),)})
    with refusing(aws.pricing, "GetProducts"):
        cost = cost_of_all([ON_DEMAND], prices_of(aws, capped, [ON_DEMAND]), 3600.0)
        unknown = cost_of_all([ON_DEMAND], prices_of(aws, RECORD, [ON_DEMAND]), 3600.0)
    assert (cost.machines, cost.capped) == (0.25, 1)
    assert (unknown.machines, unknown.unpriced) == (0.0, 1)


def test_the_price_list_is_not_asked_where_spot_prices_are_known(aws: Aws) -> None:
    spot = MachineLife("i-2", "c5.large", "us-east-1a", 200.0, 3800.0)

    def never(_: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError("it was asked")

    with instead(aws.pricing, "GetProducts", never):
        cost = cost_of_all([spot], prices_of(aws, RECORD, [spot]), 3800.0)
    assert round(cost.machines, 6) == 0.02
