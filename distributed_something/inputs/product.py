"""Turn the `product` of a job file into groups: lists, well ranges and number ranges, multiplied.

A value of a product is one value, or a list of values, or a range: `"A01..H12"` is the rectangle of
wells from A01 to H12, row by row; `"1..9"` are the numbers 1 to 9; `"01..12"` the texts 01 to 12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

Scalar = str | int | float | bool
_RANGE = re.compile(r"(?P<first>\w+)\.\.(?P<last>\w+)")
_WELL = re.compile(r"(?P<row>[A-Z]{1,2})(?P<column>\d{1,2})")
# What people write for `..`, and what of it may well be within a value of their own.
_NEAR = re.compile(
    r"(?P<first>[A-Za-z]{0,2}\d{1,6})\s*(?P<sign>\.+|…|:|-|–|—|\bto\b)\s*(?P<last>[A-Za-z]{0,2}\d{1,6})"
)
_LONGEST_AXIS = 1_000_000  # values; a mistyped range must not fill memory
_MOST_GROUPS = 10_000_000  # that a product makes; one with more is a slip, and would take hours


@dataclass(frozen=True)
class Product:
    """Every combination of the axes' values, the last axis changing fastest, but for the excluded.

    An exclusion takes out the groups that have, for each of its keys, one of its values.
    """

    axes: Mapping[str, Sequence[Scalar]]
    exclusions: tuple[Mapping[str, frozenset[Scalar]], ...] = ()

    def groups(self) -> Iterator[dict[str, Scalar]]:
        for values in product(*self.axes.values()):
            group = dict(zip(self.axes, values, strict=True))
            if not any(_matches(group, exclusion) for exclusion in self.exclusions):
                yield group


def read_product(groups: Mapping[str, object], problems: list[str]) -> Product:
    """Read the object that `groups` is; what is wrong is added to `problems`, one sentence each."""
    axes = {}
    given = groups.get("product")
    if not isinstance(given, Mapping) or not given:
        problems.append('product must be an object, such as {"plate": ["P1"], "well": "A01..H12"}.')
        given = {}
    for key, value in given.items():
        axes[str(key)] = _axis(value, f"product.{key}", problems)
    for key in sorted(set(groups) - {"product", "exclude"}):
        problems.append(f"groups has the key {key!r}; beside product it knows only exclude.")
    if (count := prod(map(len, axes.values()))) > _MOST_GROUPS:
        problems.append(
            f"product makes {count:,} groups, and a job file has at most {_MOST_GROUPS:,}: see "
            "that its ranges are meant, or divide it into several job files."
        )
    return Product(axes, tuple(_exclusions(groups.get("exclude"), axes, problems)))


def expand(value: object) -> list[Scalar]:
    """The values that one value, a range or a list of both stands for; raises ValueError."""
    if isinstance(value, list):
        values: list[Scalar] = []
        for part in value:
            if isinstance(part, list):
                raise ValueError("it has a list within a list")
            values += expand(part)
            if len(values) > _LONGEST_AXIS:
                raise ValueError(f"it has more than {_LONGEST_AXIS:,} values")
        return values
    if isinstance(value, str):
        return _expand_text(value)
    if isinstance(value, (int, float)):
        return [value]
    raise ValueError(f"{value!r} is neither a text, a number nor a list of these")


def near_range(text: str) -> str:
    """The range that a text was likely meant for, such as A01..H12 for A01-H12; '' if none.

    Numbers with a hyphen or a point between them may be a value, or a date.
    """
    found = _NEAR.fullmatch(text.strip())
    if found is None:
        return ""
    first, last = found["first"].upper(), found["last"].upper()
    if _WELL.fullmatch(first) and _WELL.fullmatch(last):
        return f"{first}..{last}"
    is_number = first.isdecimal() and last.isdecimal() and int(first) < int(last)
    return f"{first}..{last}" if is_number and found["sign"] not in ("-", ".") else ""


def _expand_text(text: str) -> list[Scalar]:
    ends = _RANGE.fullmatch(text)
    if ends is None:
        if meant := near_range(text):
            raise ValueError(f"{text!r} would be one value: write {meant!r} for the range")
        return [text]
    first, last = ends["first"], ends["last"]
    if first.isdecimal() and last.isdecimal():
        return _numbers(first, last)
    first_well, last_well = _WELL.fullmatch(first), _WELL.fullmatch(last)
    if first_well and last_well:
        return _wells(first_well, last_well)
    raise ValueError(f"{text!r} is a range of neither wells (A01..H12) nor numbers (1..9)")


def _numbers(first: str, last: str) -> list[Scalar]:
    padded = _is_padded(first) or _is_padded(last)
    if padded and len(first) != len(last):
        raise ValueError(f"'{first}..{last}' has ends of different widths")
    numbers = _span(int(first), int(last), f"{first}..{last}")
    return [f"{n:0{len(first)}d}" for n in numbers] if padded else list(numbers)


def _wells(first: re.Match[str], last: re.Match[str]) -> list[Scalar]:
    text = f"{first[0]}..{last[0]}"
    width = len(first["column"])
    if width != len(last["column"]) and (_is_padded(first["column"]) or width > 1):
        raise ValueError(f"{text!r} has columns of different widths")
    rows = _span(_row_number(first["row"]), _row_number(last["row"]), text)
    columns = _span(int(first["column"]), int(last["column"]), text)
    return [f"{_row_name(row)}{column:0{width}d}" for row in rows for column in columns]


def _span(first: int, last: int, text: str) -> range:
    if last < first:
        raise ValueError(f"{text!r} runs backwards")
    if last - first >= _LONGEST_AXIS:
        raise ValueError(f"{text!r} has more than {_LONGEST_AXIS:,} values")
    return range(first, last + 1)


def _is_padded(digits: str) -> bool:
    return len(digits) > 1 and digits.startswith("0")


def _row_number(row: str) -> int:
    """A is 1, Z is 26, AA is 27: rows of 1,536-well plates go on to AF."""
    number = 0
    for letter in row:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _row_name(number: int) -> str:
    return (
        chr(ord("A") + number - 1)
        if number <= 26
        else _row_name((number - 1) // 26) + _row_name((number - 1) % 26 + 1)
    )


def _axis(value: object, where: str, problems: list[str]) -> list[Scalar]:
    try:
        values = expand(value)
    except ValueError as error:
        problems.append(f"{where}: {error}.")
        return []
    if not values:
        problems.append(f"{where} is empty, so there are no groups.")
    return values


def _exclusions(
    value: object, axes: Mapping[str, Sequence[Scalar]], problems: list[str]
) -> Iterator[Mapping[str, frozenset[Scalar]]]:
    entries = [] if value is None else value
    if isinstance(entries, Mapping):
        entries = [entries]
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) and e for e in entries):
        problems.append(
            'exclude must be a list of objects, such as [{"plate": "P1", "well": "A01"}].'
        )
        return
    for number, entry in enumerate(entries, start=1):
        yield {
            str(key): _excluded(values, axes.get(str(key)), f"exclude {number}, {key}", problems)
            for key, values in entry.items()
        }


def _excluded(
    value: object, axis: Sequence[Scalar] | None, where: str, problems: list[str]
) -> frozenset[Scalar]:
    """The values of one key of an exclusion; one that is not on its axis takes out nothing."""
    if axis is None:
        problems.append(f"{where}: the product has no such key.")
        return frozenset()
    values = frozenset(_axis(value, where, problems))
    if axis and (strange := sorted(map(repr, values - frozenset(axis)))):
        problems.append(f"{where}: {', '.join(strange[:3])} is not among the product's values.")
    return values


def _matches(group: Mapping[str, Scalar], exclusion: Mapping[str, frozenset[Scalar]]) -> bool:
    return all(group[key] in values for key, values in exclusion.items())
