"""The dashboard shows the names that a run really uses, and does not overlap itself."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from typing import Any

from distributed_something.definitions.dashboard import dashboard
from distributed_something.protocol.ledger.record import FleetRecord, RunRecord

RECORD = RunRecord(
    app_name="Counting",
    cluster="lab",
    queue_name="SpecialQueue",
    bucket="lab-data",
    log_group_name="LabLogs",
    dead_letter_queue_name="lab_DeadMessages",
    fleets=(FleetRecord("1", {}, 2, "sfr-1"), FleetRecord("2", {}, 3, "sfr-2")),
)


def widgets(record: RunRecord = RECORD, price: float | None = 0.1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard(record, "eu-west-1", price)["widgets"]
    return found


def titled(title: str, **options: Any) -> dict[str, Any]:
    (found,) = (w["properties"] for w in widgets(**options) if title in w["properties"]["title"])
    return dict(found)


def test_every_name_is_the_one_in_use() -> None:
    text = json.dumps(widgets())
    for name in ("sfr-1", "sfr-2", "lab", "SpecialQueue", "lab_DeadMessages"):
        assert f'"{name}"' in text
    assert "SOURCE 'LabLogs_perInstance'" in text
    assert "CountingQueue" not in text
    assert {widget["properties"]["region"] for widget in widgets()} == {"eu-west-1"}


def test_the_cost_is_the_machine_hours_of_all_fleets_times_the_cap() -> None:
    *hidden, total = titled("Dollars")["metrics"]
    assert [metric[3] for metric in hidden] == ["sfr-1", "sfr-2"]
    assert total[0]["expression"] == "RUNNING_SUM(FILL(m0, 0)+FILL(m1, 0))*300/3600*0.1"


def test_no_price_is_rounded() -> None:
    exact = titled("Dollars", price=0.12345678)
    assert exact["metrics"][-1][0]["expression"].endswith("*0.12345678")
    assert "$0.12345678 a" in exact["title"]
    assert titled("Dollars", price=0.00001)["metrics"][-1][0]["expression"].endswith("*0.00001")


def test_without_a_cap_it_shows_hours_and_without_a_fleet_nothing() -> None:
    assert "0.1" not in json.dumps(titled("Machine-hours", price=None)["metrics"])
    assert titled("Dollars", record=replace(RECORD, fleets=()))["metrics"] == []


def test_no_widget_lies_on_another_or_beyond_the_edge() -> None:
    for one, other in combinations(widgets(), 2):
        apart = (
            one["x"] + one["width"] <= other["x"]
            or other["x"] + other["width"] <= one["x"]
            or one["y"] + one["height"] <= other["y"]
            or other["y"] + other["height"] <= one["y"]
        )
        assert apart
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets())
