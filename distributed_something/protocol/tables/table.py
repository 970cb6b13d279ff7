"""Choose the rows of a table that a job means, and find the files that they name.

A table is CSV as CellProfiler's LoadData reads it: `FileName_X` and `PathName_X` together name an
object, so does `URL_X`, and every cell stays the text that it was (`002` is not 2).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..sources import Pairs
from .paths import TableFault, is_elsewhere, join, place_of_path
from .rows import Rows

_FILE_COLUMN = re.compile(r"(Image_|Objects|)(FileName|URL)((?:_.*)?)", re.DOTALL)


class Cell(NamedTuple):
    """The columns that name one object of each row."""

    file: int
    path: int | None  # None: the file's column has the whole of it
    is_url: bool


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file, as text; each row has as many as there are columns."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def parse_table(lines: Iterable[str], name: str) -> Table:
    """Read a table's lines; raises TableFault. `name` is for its reasons."""
    try:
        found = [row for row in Rows(lines) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise TableFault(f"The table {name} is not a CSV file in UTF-8: {error}.") from None
    if not found:
        raise TableFault(f"The table {name} is empty.")
    columns = tuple(found[0])
    for number, row in enumerate(found[1:], start=1):
        if len(row) > len(columns):
            raise TableFault(
                f"Row {number} of the table {name} has {len(row)} cells for {len(columns)} columns."
            )
    rows = (tuple(row) + ("",) * (len(columns) - len(row)) for row in found[1:])
    return Table(name, columns, tuple(rows))


def choose_rows(table: Table, where: Pairs) -> Table:
    """The rows whose columns have these values; raises TableFault for an unknown column or no row.

    A whole number also fits one with other leading zeros, as 2 fits 002, unless the column has
    the very text too.
    """
    rows = table.rows
    for name, value in where:
        index = find_column(table, name)
        fits = fitting({row[index] for row in table.rows}, value.strip())
        rows = tuple(row for row in rows if row[index] in fits)
    if not rows:
        wanted = " and ".join(f"{name} = {value!r}" for name, value in where) or "any cell"
        raise TableFault(f"The table {table.name} has no row with {wanted}.")
    return Table(table.name, table.columns, rows)


def find_column(table: Table, name: str) -> int:
    """The number of the column of this name, `Metadata_` left out or not; raises TableFault."""
    for known in (name, f"Metadata_{name}"):
        if known in table.columns:
            return table.columns.index(known)
    raise TableFault(
        f"The table {table.name} has no column {name!r}; it has {', '.join(table.columns)}."
    )


def fitting(texts: set[str], value: str) -> set[str]:
    """Those of a column's texts that a value means."""
    if value in texts or not _is_number(value):
        return {value}
    return {text for text in texts if _is_number(text) and int(text) == int(value)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 30


def cells_of(columns: tuple[str, ...]) -> Iterator[Cell]:
    """The columns that name files."""
    for index, column in enumerate(columns):
        if found := _FILE_COLUMN.fullmatch(column):
            owner, kind, rest = found.groups()
            path = f"{owner}PathName{rest}"
            is_url = kind == "URL"
            has_path = not is_url and path in columns
            yield Cell(index, columns.index(path) if has_path else None, is_url)


def place_in_row(row: tuple[str, ...], cell: Cell, paths: Pairs, name: str) -> str | None:
    """The object that a row names in some columns; None where there is none for us to fetch.

    Raises TableFault for a path that `paths` do not lead to a bucket.
    """
    text = row[cell.file]
    if not text or is_elsewhere(text):
        return None
    folder = row[cell.path] if cell.path is not None else ""
    return place_of_path(join(folder, text), paths, name)


def places_of(table: Table, paths: Pairs) -> Iterator[str]:
    """Every object that a table's rows name, in their order; raises TableFault."""
    cells = list(cells_of(table.columns))
    for row in table.rows:
        for cell in cells:
            if place := place_in_row(row, cell, paths, table.name):
                yield place


def parse_list(text: str, name: str) -> list[str]:
    """The paths of a list of files, one a line; raises TableFault if there are none."""
    paths = [line.strip() for line in text.splitlines() if line.strip()]
    if not paths:
        raise TableFault(f"The list {name} names no file.")
    return paths


def places_of_list(listed: Iterable[str], paths: Pairs, name: str) -> Iterator[str]:
    """Every object that the paths of a list mean; raises TableFault."""
    return (place_of_path(path, paths, name) for path in listed if not is_elsewhere(path))
