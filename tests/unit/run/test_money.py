"""What machines cost, against figures worked out by hand from AWS's published rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.run.money import (
    Cost,
    MachineLife,
    PriceChange,
    Prices,
    cost_of,
    cost_of_all,
    cost_per_hour,
)

HOUR = 3600.0
START = 1_800_000_000.0
# m5.xlarge in us-east-1a: 10 cents until 5400 s after START, 13 cents from then on.
HISTORY = Prices(
    spot={
        ("m5.xlarge", "us-east-1a"): (
            PriceChange(START - 86400, 0.10),
            PriceChange(START + 5400, 0.13),
        )
    }
)
MACHINE = MachineLife("i-1", "m5.xlarge", "us-east-1a", START)


def life(seconds: float, **changes: object) -> MachineLife:
    return replace(MACHINE, ended=START + seconds, **changes)  # type: ignore[arg-type]


def machines_only(machine: MachineLife) -> float:
    return cost_of(machine, HISTORY, START).machines


def test_a_run_checked_by_hand_to_the_cent() -> None:
    """Four machines, each with a disk of 30 GiB and a public address.

    1. 4 h at our own end. Hours 1 and 2 began at 10 cents (the change came in the middle of hour
       2, which keeps its price), hours 3 and 4 at 13 cents: 0.10 + 0.10 + 0.13 + 0.13 = 0.46.
    2. 20 s, paid as 60: 0.10 / 60 = 0.001667.
    3. Taken by EC2 after 59 min: free.
    4. Taken by EC2 after 90 min: 0.10 + 0.10 / 2 = 0.15.
    Disks: 30 GiB x $0.08 x (14,400 + 60 + 3,540 + 5,400 s) / 2,592,000 s = 0.021667.
    Addresses: $0.005 x 23,400 s / 3,600 s = 0.0325.
    In all 0.46 + 0.001667 + 0.15 + 0.021667 + 0.0325 = 0.665833: 67 cents.
    """
    with_all = {"disk_gib": 30, "public_address": True}
    lives = [
        life(4 * HOUR, **with_all),
        life(20, **with_all),
        life(59 * 60, interrupted=True, **with_all),
        life(90 * 60, interrupted=True, **with_all),
    ]
    cost = cost_of_all(lives, HISTORY, START)
    assert cost.machines == pytest.approx(0.46 + 0.10 / 60 + 0.15)
    assert cost.disks == pytest.approx(0.0216667, abs=1e-7)
    assert cost.addresses == pytest.approx(0.0325)
    assert cost.free == pytest.approx(0.10 * 59 / 60)
    assert f"{cost.total:.2f}" == "0.67"
    assert (cost.unpriced, cost.capped) == (0, 0)


def test_a_disk_costs_what_amazons_own_example_says() -> None:
    """2,000 GB for 12 hours at $0.08 are $2.67: https://aws.amazon.com/ebs/pricing/"""
    cost = cost_of(life(12 * HOUR, disk_gib=2000), HISTORY, START)
    assert f"{cost.disks:.2f}" == "2.67"


def test_seconds_are_paid_and_sixty_at_least() -> None:
    assert machines_only(life(0)) == machines_only(life(1)) == machines_only(life(60))
    assert machines_only(life(61)) == pytest.approx(0.10 * 61 / HOUR)


def test_what_we_end_ourselves_in_the_first_hour_is_paid() -> None:
    assert machines_only(life(59 * 60)) == pytest.approx(0.10 * 59 / 60)


def test_a_machine_taken_at_its_full_hour_is_paid() -> None:
    assert machines_only(life(HOUR, interrupted=True)) == pytest.approx(0.10)


def test_a_price_change_counts_from_the_next_hour_of_each_machine() -> None:
    late = replace(MACHINE, launched=START + 5401, ended=START + 5401 + HOUR)
    assert machines_only(late) == pytest.approx(0.13)
    early = replace(MACHINE, launched=START + 5399, ended=START + 5399 + HOUR)
    assert machines_only(early) == pytest.approx(0.10)


def test_a_machine_that_runs_costs_up_to_now() -> None:
    assert cost_of(MACHINE, HISTORY, START + 1800).machines == pytest.approx(0.05)


def test_where_no_spot_price_is_known_the_most_that_it_can_be_is_taken_and_told() -> None:
    elsewhere = life(HOUR, zone="us-east-1f")
    assert cost_of(elsewhere, HISTORY, START) == Cost(seconds=HOUR, unpriced=1)
    capped = cost_of(elsewhere, replace(HISTORY, cap=0.2), START)
    assert capped.machines == pytest.approx(0.2)
    assert (capped.capped, capped.unpriced) == (1, 0)
    asked = cost_of(elsewhere, replace(HISTORY, cap=0.2, on_demand={"m5.xlarge": 0.192}), START)
    assert asked.machines == pytest.approx(0.192)
    assert asked.capped == 1


def test_an_on_demand_machine_costs_its_own_price() -> None:
    cost = cost_of(life(HOUR, spot=False), replace(HISTORY, on_demand={"m5.xlarge": 0.192}), START)
    assert cost.machines == pytest.approx(0.192)
    assert cost.capped == 0


def test_an_hour_costs_what_runs_now_at_the_price_of_now() -> None:
    running = replace(MACHINE, disk_gib=30, public_address=True)
    per_hour = cost_per_hour([running, life(HOUR)], HISTORY, START + 6000)
    assert per_hour == pytest.approx(0.13 + 0.08 * 30 / 720 + 0.005)


@given(st.lists(st.floats(0, 40 * HOUR), min_size=1, max_size=5), st.floats(0, 40 * HOUR))
def test_more_time_never_costs_less(spans: list[float], more: float) -> None:
    lives = [life(seconds) for seconds in spans]
    longer = [life(seconds + more) for seconds in spans]
    before, after = (cost_of_all(some, HISTORY, START).total for some in (lives, longer))
    assert after >= before - 1e-9
    assert before <= sum(max(60.0, seconds) for seconds in spans) / HOUR * 0.13 + 1e-9
