"""Refuse what cannot be read, in one way; and leave it out, with one word on it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

_Read = TypeVar("_Read")


class Unreadable(ValueError):
    """An object or key of a ledger is not what our workers write."""


class LeftOut:
    """What a ledger could not read: left out and counted, and the first of it is logged."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        """`is_quiet` leaves the logging to whoever takes these in."""
        self._is_quiet = is_quiet
        self._first: Unreadable | None = None
        self.keys: list[str] = []

    def read(
        self, parse: Callable[[bytes], _Read], found: Iterable[tuple[str, bytes]]
    ) -> Iterator[_Read]:
        """What bodies say, by their keys; those that cannot be read are left out."""
        for key, body in found:
            try:
                yield parse(body)
            except Unreadable as error:
                self.add(key, error)

    def add(self, key: str, error: Unreadable) -> None:
        """Leave out what is at a key."""
        if not self.keys:
            self._first = error
            if not self._is_quiet:
                logger.warning("%s is left out of the run's ledger: %s.", key, error)
        self.keys.append(key)

    def take_in(self, other: LeftOut) -> None:
        """Add what another could not read."""
        if other._first is not None:
            self.add(other.keys[0], other._first)
            self.keys += other.keys[1:]


def read_object(body: bytes) -> dict[str, Any]:
    """A body that is one JSON object; raises Unreadable."""
    try:
        values = json.loads(body)
    except ValueError as error:  # a UnicodeDecodeError too
        raise Unreadable(f"its JSON cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise Unreadable("it is no JSON object")
    return values


def build(kind: type[_Read], values: Mapping[str, Any]) -> _Read:
    """A dataclass of the values that it has fields for; raises Unreadable where one is missing."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    try:
        return kind(**{name: value for name, value in values.items() if name in known})
    except TypeError as error:
        raise Unreadable(str(error)) from None
