"""Numbers in the words of a person."""

from __future__ import annotations

from distributed_something.words import count_of, of_target


def test_one_thing_is_not_several() -> None:
    assert count_of(1, "machine") == "1 machine"
    assert count_of(0, "file") == "0 files"
    assert count_of(2000, "job") == "2,000 jobs"
    assert count_of(2, "entry", "entries") == "2 entries"


def test_more_machines_than_are_asked_for_are_no_fraction_of_them() -> None:
    assert of_target(1, 2) == "1 of 2"
    assert of_target(2, 1) == "2, going down to 1"
