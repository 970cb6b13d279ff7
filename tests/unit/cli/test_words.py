"""Numbers in the words of a person."""

from __future__ import annotations

from distributed_something.words import (
    count_of,
    dollars,
    exit_words,
    of_target,
    usd,
    with_iso_times,
)


def test_one_thing_is_not_several() -> None:
    assert count_of(1, "machine") == "1 machine"
    assert count_of(0, "file") == "0 files"
    assert count_of(2000, "job") == "2,000 jobs"
    assert count_of(2, "entry", "entries") == "2 entries"


def test_more_machines_than_are_asked_for_are_no_fraction_of_them() -> None:
    assert of_target(1, 2) == "1 of 2"
    assert of_target(2, 1) == "2, going down to 1"


def test_money_has_cents_and_every_digit_beyond_them() -> None:
    amounts = (0.1, 5, 0.0464, 1234.5)
    assert [dollars(amount) for amount in amounts] == ["$0.10", "$5.00", "$0.0464", "$1,234.50"]


def test_a_sum_that_is_too_small_for_its_places_is_no_zero() -> None:
    assert [usd(amount) for amount in (0, 0.004, 0.005, 1234.5)] == [
        "$0.00",
        "< $0.01",
        "$0.01",
        "$1,234.50",
    ]
    assert [usd(amount, 4) for amount in (0, 0.00004, 0.0012)] == ["$0.00", "< $0.0001", "$0.0012"]


def test_an_end_by_a_signal_has_its_name() -> None:
    assert [exit_words(code) for code in (None, 0, 3)] == ["", "0", "3"]
    assert [exit_words(code) for code in (-9, -15, -64)] == ["SIGKILL", "SIGTERM", "SIGRTMAX"]
    assert exit_words(-99) == "signal 99"


def test_what_is_a_time_by_its_name_is_written_as_programs_read_it() -> None:
    values = {"now": 1.7e9, "ended": None, "rows": [{"since": 0, "seconds": 5.0}], "ends": [1.5]}
    assert with_iso_times(values) == {
        "now": "2023-11-14T22:13:20.000Z",
        "ended": None,
        "rows": [{"since": "1970-01-01T00:00:00.000Z", "seconds": 5.0}],
        "ends": ["1970-01-01T00:00:01.500Z"],
    }
