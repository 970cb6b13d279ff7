"""Refuse what cannot be read, in one way; and leave it out, with one word on it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn, TypeVar

logger = logging.getLogger(__name__)

MOST_BYTES = 1 << 18  # of a fact's body; the longest that workers write have a tenth of it
_MOST = 1e15  # of any number: seconds since 1970 in ms have 13 digits, and bytes of a run fewer
_HALF = re.compile(r"[\ud800-\udfff]")  # of a character, which no encoding has
_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "None": (type(None),),
}  # fmt: skip
_told: set[str] = set()  # keys that were reported: each once in a process

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
            if not self._is_quiet and key not in _told:
                _told.add(key)
                logger.warning("%s is ignored in the run's ledger: %s.", key, error)
        self.keys.append(key)

    def take_in(self, other: LeftOut) -> None:
        """Add what another could not read."""
        if other._first is not None:
            self.add(other.keys[0], other._first)
            self.keys += other.keys[1:]


def read_object(body: bytes, most: int = MOST_BYTES) -> dict[str, Any]:
    """A body that is one JSON object; raises Unreadable."""
    if len(body) > most:
        raise Unreadable(f"it has more than {most:,} bytes")
    try:
        values = json.loads(body, parse_constant=_refuse)
    except ValueError as error:  # a UnicodeDecodeError too
        raise Unreadable(f"its JSON cannot be read ({error})") from None
    except RecursionError:
        raise Unreadable("its JSON is nested too deeply") from None
    if not isinstance(values, dict):
        raise Unreadable("it is no JSON object")
    return values


def build(kind: type[_Read], values: Mapping[str, Any]) -> _Read:
    """A dataclass of the values that it has fields for; raises Unreadable where one is missing."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    given = {name: _whole(value) for name, value in values.items() if name in known}
    try:
        made = kind(**given)
    except TypeError as error:
        raise Unreadable(str(error)) from None
    check_fields(made)
    return made


def check_fields(made: Any) -> None:
    """Raise Unreadable unless a dataclass has values of the kinds that its fields name."""
    for field in fields(made):
        check_value(getattr(made, field.name), str(field.type), field.name)


def check_value(value: object, kind: str, name: str) -> None:
    """Raise Unreadable unless a value is of a kind, written as in an annotation."""
    if is_dataclass(value) and not isinstance(value, type):
        check_fields(value)
        return
    if isinstance(value, tuple):
        member = kind.removeprefix("tuple[").removesuffix(", ...]")
        for inner in value:
            check_value(inner, member, name)
        return
    parts = kind.split(" | ")
    if not all(part in _KINDS for part in parts):
        if kind.startswith("Mapping"):
            _check_mapping(value, kind, name)
        return
    kinds = tuple(accepted for part in parts for accepted in _KINDS[part])
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise Unreadable(f"{name} is {str(value)[:60]!r}")
    if isinstance(value, (int, float)) and not abs(value) < _MOST:
        raise Unreadable(f"{name} is a number that cannot be")


def _check_mapping(value: object, kind: str, name: str) -> None:
    if not isinstance(value, Mapping):
        raise Unreadable(f"{name} is {str(value)[:60]!r}")
    member = kind.removeprefix("Mapping[str, ").removesuffix("]")
    for part in value.values():
        check_value(part, member, name)


def _whole(value: Any) -> Any:
    return _HALF.sub("\ufffd", value) if isinstance(value, str) else value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
