"""Read tables of jobs as people and spreadsheets write them: CSV, or with other separators."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from ...errors import UsageError
from ...protocol.jobs import RESERVED_KEYS
from ...protocol.tables.rows import Rows
from ..jobs import Group, split_row, without_comments
from ..text import read_lines

logger = logging.getLogger(__name__)

_TEXT_KEYS = frozenset({"command", "command_prefix", "inputs", "output", "name"})
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, and .xls
# What a spreadsheet writes in the place of a value that it cannot show, or shows short.
_ERROR = re.compile(r"#(?:REF!|N/A|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)")
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d\d+")
_ODD = re.compile(rf"(?:^|\x1f)(?:{_ERROR.pattern}|{_SHORTENED.pattern})(?:\x1f|$)")


def is_table(path: Path) -> bool:
    """Whether a job file's name is that of a table."""
    return path.suffix.lower() in (".csv", ".tsv")


def refuse_spreadsheet(path: Path) -> None:
    """Raise UsageError for a file that only a spreadsheet program can read."""
    with path.open("rb") as file:
        if file.read(4) in _SPREADSHEETS:
            raise UsageError(f"{path} is a spreadsheet: save it as CSV, and name that file.")


def table_rows(path: Path) -> Iterator[dict[str, object]]:
    """Each row by the header's names; every value is text, blanks around it aside.

    Raises UsageError.
    """
    rows = _rows(path)
    try:
        header = next(rows, [])
        _check_header(path, header)
        for row in rows:
            if not any(row):
                continue
            if len(row) != len(header):
                raise UsageError(
                    f"{path}, line {rows.line} has {_count(row, 'value')}, the header has "
                    f"{len(header)}: put a value that holds {_signs(rows)} in double quotes."
                )
            _look_at_odd(path, rows.line, row)
            yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line}: {error}.") from None


def _look_at_odd(path: Path, line: int, row: Sequence[str]) -> None:
    """Raise UsageError for a spreadsheet's error; log a warning for a number that it shortened."""
    if not _ODD.search("\x1f".join(row)):
        return
    if error := next((cell for cell in row if _ERROR.fullmatch(cell)), ""):
        raise UsageError(f"{path}, line {line} has {error}, an error of the spreadsheet.")
    shortened = next(cell for cell in row if _SHORTENED.fullmatch(cell))
    _warn_once(
        f"{path}, line {line} has {shortened}, as a spreadsheet shows a long number, and it is "
        "taken as it stands: if it was longer, format the column as text before you save it."
    )


@lru_cache(maxsize=1000)
def _warn_once(sentence: str) -> None:
    """Log a warning, though a file is read several times."""
    logger.warning("%s", sentence)


def _rows(path: Path) -> Rows:
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    return Rows((line for _, line in read_lines(path)), usual)


def _signs(rows: Rows) -> str:
    return "a comma" if rows.separator == "," else f"its separator ({rows.separator_words})"


def say_separator(path: Path) -> None:
    """Log what separates a table's columns, unless it is what its name says."""
    rows = _rows(path)
    if rows.is_unusual:
        _warn_once(f"{path}: the columns are separated by {rows.separator_words}, and read so.")


def _count(row: Sequence[object], noun: str) -> str:
    return f"1 {noun}" if len(row) == 1 else f"{len(row)} {noun}s"


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise UsageError(f"{path}, line 1: there is no header row to name the columns.")
    if "" in header:
        raise UsageError(f"{path}, line 1: column {header.index('') + 1} has no name.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise UsageError(f"{path}, line 1: the column {twice[0]!r} is there twice.")


def split_cells(row: Mapping[str, object], claimed: frozenset[str]) -> Group:
    """The group of a CSV job file's row; the cell of a reserved key is text or JSON, or not set."""
    return split_row(
        {
            key: _cell(key, value) if key in RESERVED_KEYS - claimed else value
            for key, value in without_comments(row).items()
        },
        claimed,
    )


def _cell(key: str, cell: object) -> object:
    if cell == "":
        return None
    if key in _TEXT_KEYS:
        return cell
    try:
        return json.loads(str(cell).lower() if key in ("shell", "checkpoint") else str(cell))
    except ValueError:
        return cell  # which JobKeys.read then refuses, naming the key and the rule
