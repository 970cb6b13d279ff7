"""Read rows of separated values as people and spreadsheets write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain

_SEPARATORS = (",", ";", "\t", "|")
_QUOTED = re.compile(r'"[^"]*"')
_SAYS = re.compile(r'"?sep=([,;\t|])"?\s*')  # Excel's own first line
_WORDS = {",": "commas", ";": ";", "\t": "tabs", "|": "|"}


class Rows(Iterator[list[str]]):
    """The rows of a text with the blanks around each cell taken off, the header among them.

    Where the header has none of the `usual` separators but has another one, that separates.
    Iterating raises csv.Error.
    """

    def __init__(self, lines: Iterable[str], usual: str = ",") -> None:
        given = iter(lines)
        first = next(given, "")
        self._skipped = 0
        self.usual = usual
        if says := _SAYS.fullmatch(first):
            self.separator, self._skipped = says[1], 1
        else:
            self.separator = _separator(first, usual)
            given = chain([first], given) if first else given
        self._reader = csv.reader(
            given, delimiter=self.separator, strict=True, skipinitialspace=True
        )

    def __next__(self) -> list[str]:
        return [cell.strip() for cell in next(self._reader)]

    @property
    def line(self) -> int:
        """The number of the line that was read last, from 1 on."""
        return self._reader.line_num + self._skipped

    @property
    def is_unusual(self) -> bool:
        return self.separator != self.usual

    @property
    def separator_words(self) -> str:
        """What separates the columns, as a person calls it."""
        return _WORDS[self.separator]


def _separator(header: str, usual: str) -> str:
    bare = _QUOTED.sub("", header)
    if usual in bare:
        return usual
    return next((separator for separator in _SEPARATORS if separator in bare), usual)
