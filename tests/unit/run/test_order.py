"""The order in which jobs are sent."""

from __future__ import annotations

from distributed_something.run.order import longest_first


def test_long_jobs_are_sent_first_and_equal_ones_in_their_own_order() -> None:
    assert longest_first([1.0, 3.0, 2.0, 3.0]) == [1, 3, 2, 0]


def test_a_job_of_unknown_weight_counts_as_a_usual_one() -> None:
    assert longest_first([1.0, None, 9.0, 5.0]) == [2, 1, 3, 0]
    assert longest_first([None, None]) == [0, 1]
