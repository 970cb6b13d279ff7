"""The book of a run's machines: what EC2 forgets stays known."""

from __future__ import annotations

from dataclasses import replace

from distributed_something.run.machine_book import MachineBook
from distributed_something.run.money import MachineLife

ONE = MachineLife("i-1", "m5.xlarge", "us-east-1a", 1000.0, disk_gib=30, public_address=True)
TWO = MachineLife("i-2", "m5.xlarge", "us-east-1b", 1100.0)


def test_a_machine_that_ec2_has_forgotten_ended_when_it_was_seen_last() -> None:
    book = MachineBook({}).seen([ONE, TWO], 1200.0).seen([TWO], 9000.0)
    assert book.machines["i-1"] == replace(ONE, ended=1200.0)
    assert book.machines["i-2"] == TWO


def test_an_end_that_is_known_stays_and_so_does_the_address() -> None:
    gone = replace(ONE, ended=1500.0, interrupted=True, public_address=False)
    later = replace(gone, ended=1700.0, interrupted=False)
    book = MachineBook({}).seen([ONE], 1200.0).seen([gone], 1600.0).seen([later], 1800.0)
    assert book.machines["i-1"] == replace(ONE, ended=1500.0, interrupted=True)


def test_what_nobody_saw_end_ended_with_its_run() -> None:
    book = MachineBook({}).seen([ONE, replace(TWO, ended=1150.0)], 1200.0)
    assert [one.ended for one in book.closed(2000.0)] == [2000.0, 1150.0]
    assert [one.ended for one in book.closed(900.0)] == [1000.0, 1150.0]


def test_a_book_is_read_as_it_was_written() -> None:
    book = MachineBook({}).seen([ONE, TWO], 1200.0)
    assert MachineBook.from_json(book.to_json()) == book
    newer = book.to_json().replace(b'"zone"', b'"colour": "red", "zone"')
    assert MachineBook.from_json(newer) == book
