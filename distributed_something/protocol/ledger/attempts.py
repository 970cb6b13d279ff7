"""Attempts at jobs: what the key of one says, and what its body adds."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass, replace
from enum import Enum

from ..values.secrets import redacted
from .unreadable import Unreadable, build, read_object

_ADDRESS = re.compile(r"s3://\S+")
_ID = re.compile(r"\b[0-9a-f]{12,}\b|\bi-[0-9a-f]{8,17}\b")
_REASON_LENGTH = 300
_HASH_DIGITS = 8

_UNSAFE = re.compile(rb"[^A-Za-z0-9-]")
_ESCAPED = re.compile(r"_([0-9a-f]{2})")
_NOTHING = "-"
_NO_CODE = "x"  # the exit code of an attempt that has none
_DIGITS = 15  # of the longest number that a key can hold
_GAVE_UP, _PASSED_OVER = "g", "p"


class AttemptState(str, Enum):
    """What a ledger key says of an attempt; `STARTED` with none later is running or vanished."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


_STATES = frozenset(state.value for state in AttemptState)


@dataclass(frozen=True)
class AttemptKey:
    """What the key of an attempt says, so that a listing tells of a thousand attempts.

        <attempt id>.started.<machine>.<slot>
        <attempt id>.<state>.<machine>.<slot>.<exit code>.<ms>.<memory>.<disk>.<files>.<bytes>
            .<flags>.<reason>

    `reason` is the hash of what attempts that ended for the same reason have in common. The key of
    an end sorts before that of its start.
    """

    job_id: str
    attempt_id: str
    state: AttemptState
    instance_id: str = ""
    slot: str = ""
    exit_code: int | None = None
    seconds: float = 0.0  # from start to end, to the millisecond
    memory_mib: int = 0  # at its peak, rounded up; 0: not known
    disk_mib: int = 0  # likewise
    files: int = 0  # of its results
    bytes: int = 0  # likewise
    gave_up: bool = False  # whether no attempt was to follow this one
    passed_over: bool = False  # whether its results were there already: done without a tool
    reason: str = ""

    @property
    def started(self) -> float:
        """Seconds since 1970, by the worker's clock."""
        return int(self.attempt_id.split("-", 1)[0]) / 1000

    @property
    def ended(self) -> float | None:
        """Likewise; None while it has no end."""
        return None if self.state is AttemptState.STARTED else self.started + self.seconds

    @property
    def name(self) -> str:
        """The last part of the key."""
        place = [self.attempt_id, self.state.value, _escape(self.instance_id), _escape(self.slot)]
        if self.state is AttemptState.STARTED:
            return ".".join(place)
        code = _NO_CODE if self.exit_code is None else str(self.exit_code)
        numbers = (self.memory_mib, self.disk_mib, self.files, self.bytes)
        flags = _GAVE_UP * self.gave_up + _PASSED_OVER * self.passed_over
        end = [code, str(round(self.seconds * 1000)), *map(str, numbers)]
        return ".".join([*place, *end, flags or _NOTHING, self.reason or _NOTHING])

    @classmethod
    def parse(cls, job_id: str, name: str) -> AttemptKey:
        """Read the last part of an attempt's key; raises Unreadable."""
        try:
            attempt_id, state, instance_id, slot, *end = name.split(".")
            if max(map(len, (attempt_id.split("-", 1)[0], *end))) > _DIGITS:
                raise ValueError("a number of too many digits")
            int(attempt_id.split("-", 1)[0])
            place = (_unescape(instance_id), _unescape(slot))
            began = cls(job_id, attempt_id, AttemptState(state), *place)
            if began.state is AttemptState.STARTED:
                () = end
                return began
            code, milliseconds, memory, disk, files, size, flags, reason = end
            return cls(
                *(job_id, attempt_id, began.state, *place),
                exit_code=None if code == _NO_CODE else int(code),
                seconds=int(milliseconds) / 1000,
                memory_mib=int(memory),
                disk_mib=int(disk),
                files=int(files),
                bytes=int(size),
                gave_up=_GAVE_UP in flags,
                passed_over=_PASSED_OVER in flags,
                reason="" if reason == _NOTHING else reason,
            )
        except ValueError as error:
            raise Unreadable(f"it is no key of an attempt ({error})") from None


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
    gave_up: bool = False  # whether no attempt was to follow this one
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

    @property
    def key(self) -> AttemptKey:
        """What its key says of it."""
        state = AttemptState(self.state)
        began = AttemptKey(self.job_id, self.attempt_id, state, self.instance_id, self.slot)
        if state is AttemptState.STARTED:
            return began
        ended = self.started if self.ended is None else self.ended
        return AttemptKey(
            *(self.job_id, self.attempt_id, state, self.instance_id, self.slot),
            exit_code=self.exit_code,
            seconds=round(max(0.0, ended - self.started), 3),
            memory_mib=math.ceil(self.peak_memory_mib),
            disk_mib=math.ceil(self.peak_disk_mib),
            files=self.output_files,
            bytes=self.output_bytes,
            gave_up=self.gave_up,
            passed_over=self.is_passed_over,
            reason="" if state is AttemptState.DONE else reason_hash(reason_of(self)),
        )

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Attempt:
        """Read an attempt; keys that a newer worker added are left out; raises Unreadable.

        Tokens in what a job said are hidden, whoever wrote it.
        """
        made = build(cls, read_object(body))
        if made.state not in _STATES:
            raise Unreadable(f"its state is {made.state[:60]!r}")
        return replace(made, reason=redacted(made.reason), log_tail=redacted(made.log_tail))

    @classmethod
    def of_key(cls, key: AttemptKey, name: str, number: int, reason: str) -> Attempt:
        """An attempt as its key tells of it, with what the key does not say."""
        return cls(
            *(key.job_id, name, key.attempt_id, number, key.state.value, key.instance_id, key.slot),
            started=key.started,
            ended=key.ended,
            exit_code=key.exit_code,
            reason=reason,
            gave_up=key.gave_up,
            output_files=key.files,
            output_bytes=key.bytes,
            peak_memory_mib=key.memory_mib,
            peak_disk_mib=key.disk_mib,
        )


def reason_of(attempt: Attempt) -> str:
    """Why an attempt ended, without what differs from job to job."""
    reason = attempt.reason or (
        f"exit code {attempt.exit_code}" if attempt.exit_code is not None else "no reason was given"
    )
    for own in (attempt.name, attempt.job_id):
        reason = reason.replace(own, "…") if len(own) > 2 else reason
    return _ID.sub("…", _ADDRESS.sub("s3://…", reason))[:_REASON_LENGTH]


def reason_hash(reason: str) -> str:
    """The short hash of a `reason_of`, by which keys name it."""
    return hashlib.sha256(reason.encode()).hexdigest()[:_HASH_DIGITS]


def _escape(text: str) -> str:
    """Text as letters, digits, `-` and `_`, which keys may hold anywhere."""
    if text == _NOTHING:
        return "_2d"
    safe = _UNSAFE.sub(lambda found: b"_%02x" % found[0][0], text.encode()).decode()
    return safe or _NOTHING


def _unescape(safe: str) -> str:
    if safe == _NOTHING:
        return ""
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), safe)
    return plain.encode("latin-1").decode()
