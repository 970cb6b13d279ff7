"""What a run is said to take before it is bought."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributed_something.run.forecast import STARTING_MINUTES, curve, forecast
from tests.benchmarks.money import CASES, simulate


def test_rounds_of_equal_jobs_take_their_time_and_the_start() -> None:
    found = forecast(84, [600.0], 3, 4, "fast")
    assert found.hours == pytest.approx((7 * 10 + STARTING_MINUTES) / 60)
    assert found.machine_hours == pytest.approx(3 * found.hours, rel=0.01)


def test_cheap_takes_longer_and_pays_for_less_where_jobs_differ() -> None:
    times = [60.0 * number for number in range(1, 41)]
    fast, cheap = (forecast(400, times, 20, 4, kind) for kind in ("fast", "cheap"))
    assert cheap.machines == 10
    assert cheap.hours > fast.hours
    assert cheap.machine_hours < fast.machine_hours


def test_the_curve_has_both_kinds_and_half_and_double_the_machines() -> None:
    found = curve(4000, [600.0, 1200.0], 10, 4, "fast")
    assert [(one.finish, one.machines) for one in found] == [
        ("fast", 10),
        ("cheap", 10),
        ("fast", 5),
        ("fast", 20),
    ]
    half, double = found[2], found[3]
    assert half.hours > found[0].hours > double.hours
    assert half.machine_hours < double.machine_hours


def test_a_million_jobs_are_forecast_from_some_of_them() -> None:
    found = forecast(1_000_000, [30.0], 1000, 8, "fast")
    assert found.hours == pytest.approx(125 * 30 / 3600 + STARTING_MINUTES / 60, rel=0.02)
    assert found.machine_hours == pytest.approx(1000 * found.hours, rel=0.02)


@pytest.mark.parametrize("finish", ["fast", "cheap"])
@pytest.mark.parametrize("name", ["G", "C"])
def test_the_forecast_is_near_what_the_simulation_pays(name: str, finish: str) -> None:
    case = replace(CASES[name], rate=0.0)
    useful = sum(case.times(1)) / case.slots / 3600
    paid = simulate(case, finish, 1).paid * useful
    found = forecast(case.jobs, case.times(1), case.machines, case.slots, finish)
    assert found.machine_hours == pytest.approx(paid, rel=0.12)
