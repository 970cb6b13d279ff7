"""Read what lists and tables of a job say of its files, and write them with the files' new places.

A table is CSV as CellProfiler's LoadData reads it: `FileName_X` and `PathName_X` together name an
object, so does `URL_X`, and every cell stays the text that it was (`002` is not 2).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from distributed_something.protocol.sources import Pairs

from ..job.outcomes import Hopeless

MOUNT = "/home/ubuntu/bucket"  # where upstream's containers see the bucket's root
_FILE_COLUMN = re.compile(r"(Image_|Objects|)(FileName|URL)((?:_.*)?)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_ELSEWHERE = ("http://", "https://", "ftp://", "gs://", "omero:")  # the tool's own to fetch

Bring = Callable[[str], Path]
"""Takes an object's place (a key or an address), and gives the file that it becomes."""


class _Cell(NamedTuple):
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


def read_table(path: Path, name: str) -> Table:
    """Read a CSV file; raises Hopeless, with the line, if it is none. `name` is for its reasons."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [row for row in csv.reader(file, strict=True) if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise Hopeless(f"The table {name} is not a CSV file in UTF-8: {error}.") from None
    if not lines:
        raise Hopeless(f"The table {name} is empty.")
    columns = tuple(column.strip() for column in lines[0])
    for number, row in enumerate(lines[1:], start=1):
        if len(row) > len(columns):
            raise Hopeless(
                f"Row {number} of the table {name} has {len(row)} cells for {len(columns)} columns."
            )
    rows = (tuple(row) + ("",) * (len(columns) - len(row)) for row in lines[1:])
    return Table(name, columns, tuple(rows))


def choose_rows(table: Table, where: Pairs) -> Table:
    """The rows whose columns have these values; raises Hopeless for an unknown column or no row.

    A whole number also fits one with other leading zeros, as 2 fits 002, unless the column has
    the very text too.
    """
    rows = table.rows
    for name, value in where:
        index = _column(table, name)
        fits = _fitting({row[index].strip() for row in table.rows}, value.strip())
        rows = tuple(row for row in rows if row[index].strip() in fits)
    if not rows:
        wanted = " and ".join(f"{name} = {value!r}" for name, value in where) or "any cell"
        raise Hopeless(f"The table {table.name} has no row with {wanted}.")
    return Table(table.name, table.columns, rows)


def _column(table: Table, name: str) -> int:
    for known in (name, f"Metadata_{name}"):
        if known in table.columns:
            return table.columns.index(known)
    raise Hopeless(
        f"The table {table.name} has no column {name!r}; it has {', '.join(table.columns)}. "
        'Say which rows are meant with "where".'
    )


def _fitting(texts: set[str], value: str) -> set[str]:
    if value in texts or not _is_number(value):
        return {value}
    return {text for text in texts if _is_number(text) and int(text) == int(value)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 30


def localise(table: Table, paths: Pairs, bring: Bring) -> Table:
    """The table with the place of each named file on this machine; `bring` is told of each.

    Empty cells stay empty, and so do addresses that only the tool can fetch. Raises Hopeless for
    a path that `paths` do not lead to a bucket.
    """
    cells = list(_cells(table.columns))
    return Table(
        table.name,
        table.columns,
        tuple(_localised(row, cells, table.name, paths, bring) for row in table.rows),
    )


def _cells(columns: tuple[str, ...]) -> Iterable[_Cell]:
    for index, column in enumerate(columns):
        if found := _FILE_COLUMN.fullmatch(column):
            owner, kind, rest = found.groups()
            path = f"{owner}PathName{rest}"
            is_url = kind == "URL"
            has_path = not is_url and path in columns
            yield _Cell(index, columns.index(path) if has_path else None, is_url)


def _localised(
    row: tuple[str, ...], cells: Iterable[_Cell], name: str, paths: Pairs, bring: Bring
) -> tuple[str, ...]:
    new = list(row)
    for cell in cells:
        text = row[cell.file].strip()
        if not text or text.startswith(_ELSEWHERE):
            continue
        folder = row[cell.path].strip() if cell.path is not None else ""
        place = bucket_place(f"{folder.rstrip('/')}/{text}" if folder else text, paths, name)
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
    """Replace each line of a list of files by the file's place on this machine; raises Hopeless."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Hopeless(f"The list {name} is not text in UTF-8: {error}.") from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise Hopeless(f"The list {name} names no file.")
    local = [
        one if one.startswith(_ELSEWHERE) else str(bring(bucket_place(one, paths, name)))
        for one in names
    ]
    path.write_text("".join(f"{one}\n" for one in local), encoding="utf-8")


def bucket_place(path: str, paths: Pairs, name: str) -> str:
    """The key or s3:// address that a path in the list or table `name` means; raises Hopeless.

    The longest beginning among `paths` is replaced; upstream's mount is the bucket's root.
    """
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    place = _replaced(path, {MOUNT: "", **dict(paths)})
    if place is None:
        if path.startswith("/") or (_SCHEME.match(path) and not path.startswith("s3://")):
            raise Hopeless(
                f"{name} names {path!r}, which is in no bucket: say what the beginnings of its "
                'paths stand for, such as "paths": {"/data": "s3://a-bucket/images"}.'
            )
        place = path
    steps = place.removeprefix("s3://").split("/")
    if ".." in steps or not steps[0] or not steps[-1] or "\0" in place:
        raise Hopeless(f"{name} names {path!r}, which is no object's name.")
    return place


def _replaced(path: str, beginnings: Mapping[str, str]) -> str | None:
    for start in sorted(beginnings, key=len, reverse=True):
        bare, to = start.rstrip("/"), beginnings[start].rstrip("/")
        if path.startswith(f"{bare}/"):
            rest = path[len(bare) :].lstrip("/")
            return f"{to}/{rest}" if to else rest
    return None
