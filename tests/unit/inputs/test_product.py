"""Products: ranges of wells and numbers, their combinations, and what is taken out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.inputs.product import expand, read_product


def groups_of(value: Mapping[str, object]) -> list[dict[str, object]]:
    found: list[str] = []
    product = read_product(value, found)
    assert found == []
    return [dict(group) for group in product.groups()]


def faults_of(value: Mapping[str, object]) -> list[str]:
    found: list[str] = []
    read_product(value, found)
    return found


def test_wells_are_the_rectangle_between_two_corners_row_by_row() -> None:
    assert expand("B02..C04") == ["B02", "B03", "B04", "C02", "C03", "C04"]


@pytest.mark.parametrize(
    ("plate", "count", "last"),
    [("A01..H12", 96, "H12"), ("A01..P24", 384, "P24"), ("A01..AF48", 1536, "AF48")],
)
def test_every_usual_plate_can_be_named_by_its_corners(plate: str, count: int, last: str) -> None:
    wells = expand(plate)
    assert (len(wells), len(set(wells)), wells[0], wells[-1]) == (count, count, "A01", last)


def test_rows_after_z_have_two_letters() -> None:
    assert expand("Y1..AB1") == ["Y1", "Z1", "AA1", "AB1"]


def test_columns_are_padded_as_they_are_written() -> None:
    assert expand("A8..A11") == ["A8", "A9", "A10", "A11"]
    assert expand("A08..A11") == ["A08", "A09", "A10", "A11"]


@given(st.integers(0, 500), st.integers(0, 500))
def test_numbers_are_numbers_and_padded_numbers_are_texts(first: int, length: int) -> None:
    last = first + length
    assert expand(f"{first}..{last}") == list(range(first, last + 1))
    padded = expand(f"{first:06d}..{last:06d}")
    assert padded == [f"{number:06d}" for number in range(first, last + 1)]


def test_a_list_may_mix_values_and_ranges() -> None:
    assert expand(["1..3", 7, "x", "A01..A02"]) == [1, 2, 3, 7, "x", "A01", "A02"]


def test_text_that_is_no_range_is_itself() -> None:
    assert expand("../a") == ["../a"]
    assert expand("images/a..b/c") == ["images/a..b/c"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("9..1", "backwards"),
        ("C01..A01", "backwards"),
        ("A12..H01", "backwards"),
        ("1..09", "widths"),
        ("A01..H1", "widths"),
        ("A01..9", "neither wells"),
        ("a01..h12", "neither wells"),
        ("1..99999999999", "more than"),
        ({"a": 1}, "neither a text"),
        (None, "neither a text"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused(text: object, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        expand(text)


def test_the_last_axis_changes_fastest_and_single_values_stay() -> None:
    value = {"product": {"plate": ["P1", "P2"], "kind": "raw", "site": "1..2"}}
    assert groups_of(value) == [
        {"plate": "P1", "kind": "raw", "site": 1},
        {"plate": "P1", "kind": "raw", "site": 2},
        {"plate": "P2", "kind": "raw", "site": 1},
        {"plate": "P2", "kind": "raw", "site": 2},
    ]


def test_an_exclusion_takes_out_what_matches_all_of_its_keys() -> None:
    value = {
        "product": {"plate": ["P1", "P2"], "well": "A01..B02"},
        "exclude": [{"plate": "P1", "well": ["A01", "B01..B02"]}, {"well": "A02"}],
    }
    kept = [(group["plate"], group["well"]) for group in groups_of(value)]
    assert kept == [("P2", "A01"), ("P2", "B01"), ("P2", "B02")]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"product": {}}, "must be an object"),
        ({"product": ["a"]}, "must be an object"),
        ({"product": {"well": []}}, "is empty"),
        ({"product": {"well": "9..1"}}, "backwards"),
        ({"product": {"well": "A01..A02"}, "exclud": []}, "'exclud'"),
        ({"product": {"well": "A01..A02"}, "exclude": [{"row": "A"}]}, "no such key"),
        ({"product": {"well": "A01..A02"}, "exclude": [{"well": "A1"}]}, "not among"),
        ({"product": {"site": "1..3"}, "exclude": [{"site": "1"}]}, "not among"),
        ({"product": {"well": "A01..A02"}, "exclude": ["A01"]}, "list of objects"),
        ({"product": {"well": "A01..A02"}, "exclude": [{}]}, "list of objects"),
    ],
)
def test_a_product_that_cannot_be_meant_is_told(value: dict[str, object], word: str) -> None:
    found = faults_of(value)
    assert len(found) == 1 and word in found[0]


def test_every_fault_of_a_product_is_told_at_once() -> None:
    value = {"product": {"well": "9..1", "site": "x..y"}, "exclude": [{"row": 1}]}
    assert len(faults_of(value)) == 3


@pytest.mark.parametrize(
    "text",
    [
        "A01-H12",
        "a01 - h12",
        "A01:H12",
        "A01–H12",
        "A01…H12",
        "A01...H12",
        "A01 .. H12",
        "A1 to H9",
    ],
)
def test_a_range_of_wells_in_another_spelling_is_refused_with_the_right_one(text: str) -> None:
    for value in (text, ["B02", text]):
        with pytest.raises(ValueError, match=r"would be one value: write 'A0?1\.\.H(12|9)' for"):
            expand(value)


@pytest.mark.parametrize("text", ["1:9", "1...9", "1…9", "1 to 9", "1–9", "1 .. 9"])
def test_a_range_of_numbers_in_another_spelling_is_refused_too(text: str) -> None:
    with pytest.raises(ValueError, match=r"write '1\.\.9'"):
        expand(text)


@pytest.mark.parametrize(
    "text", ["1-9", "2026-12", "1.5", "A01", "A01-mock", "P1:2", "12:30:00", "9:1"]
)
def test_values_that_only_look_a_little_like_ranges_are_values(text: str) -> None:
    assert expand(text) == [text]
