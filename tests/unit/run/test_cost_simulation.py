"""What the product's decisions cost in the made-up world, at sizes that take a moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.money import CASES, RULES, Case, means, runs, simulate

SMALL = Case(240, 900.0, 10, 4, 0.2)


@pytest.mark.parametrize("rule", RULES)
def test_no_job_is_lost_or_done_twice_and_nothing_is_left_over(rule: str) -> None:
    for seed in range(3):
        run = simulate(SMALL, rule, seed)
        assert (run.lost_jobs, run.left_over) == (0, 0)
        assert run.twice == 0 or rule == "upstream"


def test_each_rule_pays_less_than_the_one_before_it() -> None:
    paid = [means(runs(SMALL, rule, 6)).paid for rule in ("upstream", "as built", "fast", "cheap")]
    assert paid == sorted(paid, reverse=True)
    assert paid[2] < 0.95 * paid[1]


def test_a_run_that_no_one_watches_costs_about_the_same() -> None:
    watched, unwatched = (means(runs(CASES["G"], rule, 6)).paid for rule in ("fast", "no one"))
    assert unwatched < watched + 0.10


def test_first_hours_that_aws_ends_are_free_and_those_that_we_end_are_not() -> None:
    stormy = replace(SMALL, rate=2.0)
    fast, as_built = (means(runs(stormy, rule, 4)) for rule in ("fast", "as built"))
    assert fast.free > as_built.free + 0.2


def test_what_is_paid_is_what_the_kinds_of_waste_add_up_to() -> None:
    run = simulate(SMALL, "fast", 1)
    kinds = 1 + run.boot + run.beside + run.lost + run.idle - run.free
    assert run.paid == pytest.approx(kinds, abs=0.02)


@pytest.mark.parametrize(
    ("case", "most_packed"), [(SMALL, 1.10), (Case(60, 1800.0, 8, 4, 0.3, "two kinds"), 1.15)]
)
def test_who_watches_changes_little_and_checkpoints_save_the_tail(
    case: Case, most_packed: float
) -> None:
    paid = {
        rule: means(runs(case, rule, 6)).paid
        for rule in ("fast", "lambda", "no one", "cheap", "packed")
    }
    assert paid["lambda"] <= paid["fast"] + 0.05
    assert paid["no one"] <= paid["fast"] + 0.10
    assert paid["cheap"] <= paid["fast"]
    assert paid["packed"] <= most_packed
