"""The benchmark of reading listings runs, and both readings of a page agree."""

from __future__ import annotations

from tests.benchmarks.listing import measure


def test_a_small_page_is_measured_and_read_alike() -> None:
    measured = measure(keys=20, runs=1)
    assert measured.botocore > 0
    assert measured.ours > 0
