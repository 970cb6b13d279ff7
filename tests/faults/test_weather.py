"""Whatever the weather of AWS: nothing is lost, nothing left, and no machine ended at its job."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .weather import JOBS, KINDS, draw, play

SEEDS = range(50)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_in_any_weather_does_its_jobs_and_leaves_nothing(seed: int, tmp_path: Path) -> None:
    found = play(seed, tmp_path)
    assert (found.wronged, found.by_alarm, found.left_over) == ((), 0, ()), found
    assert found.done == Counter({f"job-{number}": 1 for number in range(JOBS)}), found
    assert found.ended.is_complete and found.ended.summary.done == JOBS, found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [one for one in SEEDS if "clock off" in draw(one).kinds][:4])
def test_a_monitor_whose_clock_is_off_and_the_lambda_beside_it_end_a_run_alike(
    seed: int, tmp_path: Path
) -> None:
    found = play(seed, tmp_path, is_watched_twice=True)
    assert (found.wronged, found.by_alarm, found.left_over) == ((), 0, ()), found
    assert found.done == Counter({f"job-{number}": 1 for number in range(JOBS)}), found


def test_each_kind_of_weather_is_in_a_fifth_of_the_seeds() -> None:
    kinds = Counter(kind for seed in SEEDS for kind in draw(seed).kinds)
    assert all(kinds[kind] >= len(SEEDS) / 5 for kind in KINDS), kinds
