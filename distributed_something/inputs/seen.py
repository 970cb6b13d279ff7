"""Remember millions of hashes in 16 bytes each, where a set of Python's would take 70."""

from __future__ import annotations

from array import array

_FULLEST = 0.75  # of the table: beyond it, searches get long


class Seen:
    """Tells whether a 64-bit hash was given before; 0 and 1 count as the same."""

    def __init__(self) -> None:
        self._table = _empty(1 << 12)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, value: int) -> bool:
        value = value or 1
        table = self._table
        mask = len(table) - 1
        place = value & mask
        while table[place]:
            if table[place] == value:
                return True
            place = (place + 1) & mask
        return False

    def add(self, value: int) -> bool:
        """Remember a hash below 2**64; returns whether it is new."""
        value = value or 1  # 0 marks a free place
        table = self._table
        mask = len(table) - 1
        place = value & mask
        while table[place]:
            if table[place] == value:
                return False
            place = (place + 1) & mask
        table[place] = value
        self._count += 1
        if self._count > _FULLEST * len(table):
            self._grow()
        return True

    def _grow(self) -> None:
        old, self._table = self._table, _empty(2 * len(self._table))
        table, mask = self._table, len(self._table) - 1
        for value in old:
            if value:
                place = value & mask
                while table[place]:
                    place = (place + 1) & mask
                table[place] = value


def _empty(size: int) -> array[int]:
    return array("Q", bytes(8 * size))
