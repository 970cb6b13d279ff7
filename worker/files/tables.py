"""Read the lists and tables of a job, and write them with the places of the files here."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from distributed_something.protocol.sources import Pairs
from distributed_something.protocol.tables.paths import TableFault, is_elsewhere, place_of_path
from distributed_something.protocol.tables.table import (
    Cell,
    Table,
    cells_of,
    parse_list,
    parse_table,
    place_in_row,
)

Bring = Callable[[str], Path]
"""Takes an object's place (a key or an address), and gives the file that it becomes."""


def read_table(path: Path, name: str) -> Table:
    """Read a CSV file; raises TableFault, with the line, if it is none. `name` is for reasons."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return parse_table(file, name)


def localise(table: Table, paths: Pairs, bring: Bring) -> Table:
    """The table with every file's place on this machine, each brought by `bring`.

    Left as they are: empty cells, and addresses that the tool can fetch. Raises TableFault for
    a path that `paths` do not lead to a bucket.
    """
    cells = list(cells_of(table.columns))
    return Table(
        table.name,
        table.columns,
        tuple(_localised(row, cells, table.name, paths, bring) for row in table.rows),
    )


def _localised(
    row: tuple[str, ...], cells: Iterable[Cell], name: str, paths: Pairs, bring: Bring
) -> tuple[str, ...]:
    new = list(row)
    for cell in cells:
        place = place_in_row(row, cell, paths, name)
        if place is None:
            continue
        file = bring(place)
        if cell.is_url:
            new[cell.file] = file.as_uri()
        elif cell.path is None:
            new[cell.file] = str(file)
        else:
            new[cell.file], new[cell.path] = file.name, str(file.parent)
    return tuple(new)


def write_table(table: Table, path: Path) -> None:
    """Write a table as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)


def localise_list(path: Path, name: str, paths: Pairs, bring: Bring) -> None:
    """Replace each line of a list of files by the file's place on this machine.

    Raises TableFault.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableFault(f"The list {name} is not text in UTF-8: {error}.") from None
    local = [
        source if is_elsewhere(source) else str(bring(place_of_path(source, paths, name)))
        for source in parse_list(text, name)
    ]
    path.write_text("".join(f"{place}\n" for place in local), encoding="utf-8")
