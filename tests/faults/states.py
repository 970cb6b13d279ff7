"""Write down all that a run can go on from, so that what ends alike is ended once.

Two states are the same when they differ in nothing but the ids that AWS and we draw, and in when
it all began: an id is written as its place in the order of appearance, a time as its distance to
now. What is not known here is written as it is: two states that are the same are then ended twice,
which costs time; two that differ are never taken for one.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any

from moto.core.base_backend import BackendDict

from distributed_something.local.simulator.on_disk.stored_keys import StoredKey
from distributed_something.local.simulator.sqs import FastQueue
from distributed_something.local.simulator.ssm import Parameters

# AWS's own catalogues, which nothing of ours changes.
_CATALOGUES = {"amis", "snapshots", "managed_prefix_lists", "network_acls"}
# When things were made by this computer's clock: a life on a busy computer has other such times,
# and goes on as it would on an idle one.
_REAL_TIMES = {
    "_reason",  # of a machine's end, in which its moment stands
    "_time_progressed",
    "attach_time",
    "createdAt",
    "created_at",
    "created_on",
    "create_date",
    "created_date",
    "created_timestamp",
    "creation_date",
    "creation_time",
    "create_time",
    "last_modified",
    "last_modified_date",
    "last_modified_on",
    "last_modified_timestamp",
    "launch_time",
    "registered_at",
    "started_at",
    "configuration_updated_timestamp",
    "state_updated_timestamp",
    "updatedAt",
    "updated_at",
}
_CACHES = {"lock", "_lock", "_pagination_tokens"}
_LEFT_OUT = _CATALOGUES | _REAL_TIMES | _CACHES

_ID = re.compile(
    r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"  # a run's
    r"|\b\d{10,13}-[0-9a-f]{6}\b"  # a submission's
    r"|(?:sfr-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|(?<![a-zA-Z0-9-])(?:[a-z]{1,8}-){1,3}[0-9a-f]{8}(?:[0-9a-f]{9})?\b"  # a resource of EC2's
    r"|\b[0-9a-f]{32}\b"  # a token or a checksum
    r"|\b[a-z0-9]{100,}\b"  # a receipt handle
    r"|\b[A-Z0-9]{16,21}\b"  # a resource of IAM's
    r"|\b(?=[a-z0-9]*[g-z])[a-z0-9]{20}\b"
    r"|\b(?:\d{1,3}[.-]){3}\d{1,3}\b(?::\d+)?"  # an address
    r"|\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"
)
_TIME = re.compile(
    r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?|\b\d{10}(?:\.\d+|\d{3})?\b"
)


def all_backends() -> list[Any]:
    """Everything that the simulated account holds, as its services hold it."""
    found = [
        backend
        for service in BackendDict._instances  # type: ignore[misc]
        for of_account in service.values()
        for backend in of_account.values()
    ]
    return sorted(found, key=lambda backend: (type(backend).__name__, backend.region_name))


def files(folder: Path) -> dict[str, str]:
    """All files of a folder, by name."""
    return {path.name: path.read_text() for path in sorted(folder.iterdir()) if path.is_file()}


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def write_state(now: float, *parts: object) -> str:
    """All parts as a text, in which ids and times are relative; `now` is seconds since 1970."""
    lines: list[str] = []
    _Writer(lines).write(parts)
    return _with_relative_times(_with_relative_ids("\n".join(lines)), now)


class _Writer:
    """Writes values of every kind, each object once."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._written: dict[int, tuple[int, object]] = {}

    def write(self, value: object) -> None:
        if value is None or isinstance(value, (str, bytes, int, float, Enum)):
            self._lines.append(repr(value))
        elif isinstance(value, datetime):
            self._lines.append(value.isoformat())
        elif id(value) in self._written:
            self._lines.append(f"= {self._written[id(value)][0]}")
        else:
            self._written[id(value)] = (len(self._written), value)
            self._write_new(value)

    def _write_new(self, value: object) -> None:
        if isinstance(value, (set, frozenset)):
            self._lines.append(repr(sorted(map(repr, value))))
        elif isinstance(value, Mapping) or _is_kind(value, _PARTS) or hasattr(value, "__dict__"):
            self._lines.append(f"{type(value).__name__} {{")
            for name, part in _parts(value):
                self.write(name)
                self.write(part)
            self._lines.append("}")
        elif isinstance(value, Iterable) and hasattr(value, "__len__"):
            self._lines.append("[")
            for part in value:
                self.write(part)
            self._lines.append("]")
        else:
            self._lines.append(type(value).__name__)


def _is_kind(value: object, kinds: Mapping[type, object]) -> bool:
    return type(value) in kinds


def _parts(value: Any) -> Iterator[tuple[object, object]]:
    """What a value holds, by name."""
    if isinstance(value, type) or callable(value):
        return
    if type(value) in _PARTS:
        yield from _PARTS[type(value)](value)
        return
    parts = [*(value.items() if isinstance(value, Mapping) else ()), *_vars(value)]
    yield from ((name, part) for name, part in parts if name not in _LEFT_OUT)


def _vars(value: object) -> Iterable[tuple[str, object]]:
    return getattr(value, "__dict__", {}).items()


def _of_queue(queue: FastQueue) -> Iterator[tuple[object, object]]:
    """A queue, with its messages in their order and without what is only there to be quick."""
    quick = {"_waiting", "_hidden", "_live", "_by_handle", "_counts", "_change", "_messages_lock"}
    for name, part in vars(queue).items():
        if name not in quick | _LEFT_OUT:
            yield name, part
    yield "waiting", [entry.message for entry in queue._waiting.values()]
    hidden = [entry for entry in queue._live.values() if entry.wakes]
    yield "hidden", [(entry.message, entry.wakes, entry.received) for entry in hidden]


def _of_object(key: StoredKey) -> Iterator[tuple[object, object]]:
    """What S3 tells of an object, without what follows from its bytes."""
    packed = key.name.endswith(".gz")  # with the moment of its packing
    yield "value", gzip.decompress(bytes(key.value)) if packed else bytes(key.value)
    yield "type", key._metadata.get("Content-Type")
    yield "storage", key.storage_class


def _of_parameters(parameters: Parameters) -> Iterator[tuple[object, object]]:
    yield from (
        (name, part) for name, part in dict.items(parameters) if not name.startswith("/aws")
    )


_PARTS: dict[type, Callable[[Any], Iterator[tuple[object, object]]]] = {
    FastQueue: _of_queue,
    StoredKey: _of_object,
    Parameters: _of_parameters,
}


def _with_relative_ids(text: str) -> str:
    places: dict[str, str] = {}
    return _ID.sub(lambda found: places.setdefault(found[0], f"#{len(places)}"), text)


def _with_relative_times(text: str, now: float) -> str:
    return _TIME.sub(lambda found: _relative(found[0], now), text)


def _relative(text: str, now: float) -> str:
    """A time's distance to now, in whole seconds; the text itself if it is none of our days."""
    if "-" in text:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        time = moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
    else:
        time = float(text) / (1000 if len(text) == 13 and "." not in text else 1)
    if abs(time - now) > 366 * 86400:
        return text
    return f"now{round(time - now):+d}"
