"""Find keys that an object of a JSON file has twice: readers keep the last, and say nothing."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import UsageError
from ...protocol.families import Family
from ...protocol.jobs import RESERVED_KEYS

logger = logging.getLogger(__name__)

_SHOWN = 10  # repeated keys

# A text, a bracket, or what separates; whatever else there is cannot be a key.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')


class Repeated(NamedTuple):
    """A key that its object has had before; `within` are the keys that lead to the object."""

    key: str
    within: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        where = f" of `{self.within[0]}`" if self.within else ""
        return f"line {self.line}: `{self.key}` is there twice in one object{where}"


class KeyWatch:
    """Lets ijson's events through, and remembers whether any object had a key twice."""

    def __init__(self) -> None:
        self.has_repeated = False

    def over(self, events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """The events as they come; a file of a million groups has millions."""
        open_objects: list[set[str]] = []
        for pair in events:
            event, value = pair
            if event == "map_key":
                keys = open_objects[-1]
                if value in keys and not value.startswith("_comment"):
                    self.has_repeated = True
                keys.add(value)
            elif event == "start_map":
                open_objects.append(set())
            elif event == "end_map":
                open_objects.pop()
            yield pair


def refuse_repeated(
    path: Path, own: Collection[str], family: Family, lines: Iterator[tuple[int, str]]
) -> None:
    """Raise UsageError for repeated keys that have a meaning here, and warn of others.

    A file with reserved keys is of our form, in which all have; upstream read its own forms
    without a word, and took the last. `own` are the file's own keys.
    """
    ours = not RESERVED_KEYS.isdisjoint(own)
    meant = {*RESERVED_KEYS, *family.required, *(family.sent or ()), *family.objects}
    meant |= {family.list_key, family.item_key}
    refused = []
    for key in repeated_keys(lines):
        if ours or (key.within[0] if key.within else key.key) in meant:
            cure = "put them into one list" if key.key == family.list_key else "keep one of them"
            refused.append(f"{key}; {cure}.")
        else:
            logger.warning("%s, %s: the last one counts.", path, key)
    if refused:
        more = [f"and {len(refused) - _SHOWN} more"] if len(refused) > _SHOWN else []
        raise UsageError("\n  ".join([f"{path}:", *refused[:_SHOWN], *more]))


def warn_of_repeated(source: str, text: str) -> None:
    """Log a warning for each repeated key of a text, of which only the last is read."""
    for key in repeated_keys(enumerate(text.splitlines(), start=1)):
        logger.warning("%s, %s: the last one counts.", source, key)


def repeated_keys(lines: Iterable[tuple[int, str]]) -> Iterator[Repeated]:
    """Every repeated key of a file that is JSON, with its line; comments may come again."""
    open_objects: list[tuple[dict[str, int] | None, str]] = []  # what was seen, and in which key
    key, before = "", ""
    for number, line in lines:
        for token in _TOKEN.findall(line):
            if token in ("{", "["):
                open_objects.append(({} if token == "{" else None, key))
            elif token in ("}", "]") and open_objects:
                open_objects.pop()
            elif token == ":" and open_objects and open_objects[-1][0] is not None:
                key = _text(before)
                seen = open_objects[-1][0]
                if key in seen and not key.startswith("_comment"):
                    within = tuple(name for _, name in open_objects[1:] if name)
                    yield Repeated(key, within, number)
                seen[key] = number
            before = token


def unrepeated(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """An object for `json.loads(..., object_pairs_hook=...)`; raises RepeatedKey."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen and not key.startswith("_comment"):
                raise RepeatedKey(key)
            seen.add(key)
    return found


class RepeatedKey(ValueError):
    """An object has this key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"`{key}` is there twice in one object")


def _text(token: str) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token
