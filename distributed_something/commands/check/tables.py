"""Read the lists and tables that jobs name: are the rows and columns there, and which images?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws.readability import ABSENT, read_text, why_refused
from ...protocol.sources import FileList, FileTable, Pairs
from ...protocol.tables.paths import TableFault
from ...protocol.tables.table import (
    Table,
    cells_of,
    find_column,
    fitting,
    parse_list,
    parse_table,
    place_in_row,
    places_of_list,
)

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.buckets import Buckets

MOST_TABLES = 50  # that are read; a screen has a table a plate
MOST_BYTES = 50_000_000  # of one
_SHOWN = 4  # rows that are not there

Place = tuple[str, str]  # bucket and key


class NamedFiles:
    """What the lists and tables of jobs name, each read once."""

    def __init__(self, aws: Aws, named: Buckets) -> None:
        self.places: dict[Place, None] = {}
        self.tables = 0  # that were read
        self.unread: list[str] = []  # too large, or too many
        self._aws = aws
        self._named = named
        self._known: dict[Place, _Index | list[str] | None] = {}
        self._faults: dict[str, str] = {}
        self._absent: dict[str, list[str]] = defaultdict(list)  # a table's name: rows without

    def look_at(self, source: FileList | FileTable) -> None:
        """Remember what a job's list or table names, or what is wrong with it."""
        place = self._named.find(source.place, self._named.source)
        name = f"s3://{place[0]}/{place[1]}"
        if place not in self._known:
            self._known[place] = self._read(place, name, isinstance(source, FileTable))
        content = self._known[place]
        try:
            if isinstance(content, list):
                found = list(places_of_list(content, source.paths, name))
            elif isinstance(content, _Index) and isinstance(source, FileTable):
                found = content.places(source.where or (), source.paths)
            else:
                return
        except _NoRow as fault:
            self._absent[name].append(str(fault))
        except TableFault as fault:
            self._faults.setdefault(str(fault), str(fault))
        else:
            of = self._named.source
            self.places.update(dict.fromkeys(self._named.find(written, of) for written in found))

    def faults(self) -> Iterator[str]:
        """A sentence for each thing that is wrong, without its end."""
        for sentence in self._faults.values():
            yield sentence.rstrip(".")
        for name, rows in self._absent.items():
            shown = "; ".join(dict.fromkeys(rows[:_SHOWN]))
            more = f"; and {len(rows) - _SHOWN:,} more jobs" if len(rows) > _SHOWN else ""
            yield f"the table {name} has no row with {shown}{more}"

    def _read(self, place: Place, name: str, is_table: bool) -> _Index | list[str] | None:
        if self.tables >= MOST_TABLES:
            self.unread.append(name)
            return None
        kind = "table" if is_table else "list"
        try:
            text = read_text(self._aws.s3, *place, MOST_BYTES)
        except ClientError as error:
            why = why_refused(self._aws.s3, *place, error)
            if why != ABSENT:  # which is said of it as of any input
                self._faults[name] = f"the {kind} {name} {why or 'is empty'}"
            return None
        except UnicodeDecodeError as error:
            self._faults[name] = f"the {kind} {name} is not text in UTF-8: {error}"
            return None
        if text is None:
            self.unread.append(name)
            return None
        self.tables += 1
        try:
            lines = text.splitlines(keepends=True)
            return _Index(parse_table(lines, name)) if is_table else parse_list(text, name)
        except TableFault as fault:
            self._faults[name] = str(fault)
            return None


class _NoRow(TableFault):
    """No row has a job's values, which are the sentence."""


class _Index:
    """Finds a job's rows of a table without going through all of it for each."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cells = list(cells_of(table.columns))
        self._rows: dict[tuple[int, ...], dict[tuple[str, ...], list[int]]] = {}
        self._texts: dict[int, set[str]] = {}
        self._fitting: dict[tuple[int, str], set[str]] = {}

    def places(self, where: Pairs, paths: Pairs) -> list[str]:
        """What the rows with these values name; raises TableFault."""
        columns = tuple(find_column(self._table, name) for name, _ in where)
        values = [
            self._fits(column, value) for column, (_, value) in zip(columns, where, strict=True)
        ]
        lookup = self._lookup(columns)
        rows = [number for key in product(*values) for number in lookup.get(key, ())]
        if not rows:
            raise _NoRow(" and ".join(f"{name} = {value!r}" for name, value in where) or "any cell")
        found = (
            place_in_row(self._table.rows[number], cell, paths, self._table.name)
            for number in rows
            for cell in self._cells
        )
        return [place for place in found if place]

    def _fits(self, column: int, value: str) -> set[str]:
        known = self._fitting.get((column, value))
        if known is None:
            if column not in self._texts:
                self._texts[column] = {row[column] for row in self._table.rows}
            known = self._fitting[column, value] = fitting(self._texts[column], value.strip())
        return known

    def _lookup(self, columns: tuple[int, ...]) -> dict[tuple[str, ...], list[int]]:
        if columns not in self._rows:
            rows = self._rows[columns] = defaultdict(list)
            for number, row in enumerate(self._table.rows):
                rows[tuple(row[column] for column in columns)].append(number)
        return self._rows[columns]
