"""What is shown before machines are bought: their price and the most that they can cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributed_something.cli.verbs.start_cluster import show_purchase
from distributed_something.commands.buying.start_cluster import Purchase


def test_prices_are_shown_to_the_last_digit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    purchase = Purchase("Counting", "us-east-1", 3, ("m5.large",), 0.1234567, 0.0, 30, (), ())
    show_purchase(purchase)
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())  # as wide as it may be
    assert "$0.1234567 a machine-hour" in said
    assert "$0.3703701 an hour for all" in said


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "$50.40 for 168 h (MAX_HOURS), disks and addresses about $4.20 more; no MAX_COST"),
        ({"max_cost": 60.0}, "disks and addresses about $4.20 more disk 30 GiB"),
        ({"max_cost": 20.0}, "more; while monitor watches, the run ends at $20.00 (MAX_COST)"),
        (
            {"price_cap": None},
            "not known without MACHINE_PRICE, for 168 h (MAX_HOURS); no MAX_COST",
        ),
        ({"max_hours": 0.5, "extras_per_hour": 0.0}, "$0.15 for 0.5 h"),
        (
            {"already_per_hour": 0.2},
            "already running sfr-1; with these at most $0.50 an hour for all",
        ),
    ],
)
def test_the_most_that_a_purchase_can_cost_is_said(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], told: str
) -> None:
    purchase = Purchase("Counting", "us-east-1", 3, ("m5.large",), 0.1, 0.0, 30, ("sfr-1",), ())
    show_purchase(replace(purchase, **{"extras_per_hour": 0.025, **changes}))
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert told in said
