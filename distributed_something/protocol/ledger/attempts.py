"""What a worker writes of an attempt at a job, and what its heartbeat says, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

HEARTBEAT_SECONDS = 60  # how often a worker slot writes its heartbeat
HEARTBEAT_LIVE_SECONDS = 150  # a heartbeat older than this is a dead worker's


@dataclass(frozen=True)
class Attempt:
    """One attempt at one job; times are seconds since 1970, sizes MiB, None where not known."""

    job_id: str
    name: str
    attempt_id: str
    number: int  # 1 for a job's first attempt
    state: str
    instance_id: str
    slot: str
    started: float
    ended: float | None = None
    exit_code: int | None = None
    reason: str = ""
    output: str = ""  # s3://bucket/prefix
    output_files: int = 0
    output_bytes: int = 0
    input_seconds: float = 0.0
    tool_seconds: float = 0.0
    upload_seconds: float = 0.0
    peak_memory_mib: float = 0.0
    peak_disk_mib: float = 0.0
    log_tail: str = ""
    instance_type: str = ""
    worker_version: str = ""

    @property
    def is_passed_over(self) -> bool:
        """Whether its results were there already: done without a tool, which its reason says."""
        return self.state == "done" and bool(self.reason) and not self.tool_seconds

    def to_json(self) -> bytes:
        return _dump(self)

    @classmethod
    def from_json(cls, body: bytes) -> Attempt:
        """Read an attempt; keys that a newer worker added are left out."""
        return _load(cls, body)


@dataclass(frozen=True)
class Heartbeat:
    """What a worker slot is doing; `job_id` is empty while it waits for a job or after it ended."""

    instance_id: str
    slot: str
    written: float
    job_id: str = ""
    name: str = ""
    attempt_id: str = ""
    since: float = 0.0
    instance_type: str = ""
    zone: str = ""

    def to_json(self) -> bytes:
        return _dump(self)

    @classmethod
    def from_json(cls, body: bytes) -> Heartbeat:
        return _load(cls, body)


_Fact = TypeVar("_Fact", Attempt, Heartbeat)


def _dump(fact: Attempt | Heartbeat) -> bytes:
    return json.dumps(asdict(fact), separators=(",", ":")).encode()


def _load(kind: type[_Fact], body: bytes) -> _Fact:
    known = {field.name for field in fields(kind)}
    values: Mapping[str, Any] = json.loads(body)
    return kind(**{key: value for key, value in values.items() if key in known})
