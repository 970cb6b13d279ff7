"""What a ledger says besides its attempts: submitted jobs, given-up ones, heartbeats, numbers."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace

from ..values.secrets import redacted
from .attempts import AttemptKey
from .keys import parse_heartbeat
from .objects import Item
from .unreadable import Unreadable, build, read_object

HEARTBEAT_SECONDS = 60  # how often a worker slot writes its heartbeat
HEARTBEAT_LIVE_SECONDS = 150  # a heartbeat older than this is a dead worker's

_JOB_ID = re.compile(r"[0-9a-f]{1,64}")
# Made once: json.dumps with separators makes a new encoder for every line.
_encode = json.JSONEncoder(separators=(",", ":")).encode


MOST_LINE = (
    4 << 20
)  # bytes of a job list's line: a message has at most 1 MiB, its escapes double it


def job_number(job_id: str) -> int:
    """A job's id as a number, which takes a tenth of the memory; raises Unreadable."""
    if not _JOB_ID.fullmatch(job_id):
        raise Unreadable(f"{job_id[:60]!r} is no id of a job")
    return int(job_id, 16)


@dataclass(frozen=True)
class SubmittedJob:
    """One job as `submitJob` wrote it down; `body` is the message's text."""

    job_id: str
    name: str
    body: str

    def to_line(self) -> bytes:
        """The job's line in a job list, without the line's end."""
        line = {"id": self.job_id, "name": self.name, "body": self.body}
        return _encode(line).encode()

    @classmethod
    def from_line(cls, line: bytes) -> SubmittedJob:
        """Read a line; raises Unreadable."""
        values = read_object(line, MOST_LINE)
        try:
            values["job_id"] = values["id"]
        except KeyError as error:
            raise Unreadable(f"a job without {error}") from None
        job = build(cls, values)
        job_number(job.job_id)
        return job


@dataclass(frozen=True)
class GivenUp:
    """The giving up of a job, noted before its dead-letter message is sent and after."""

    job_id: str
    reason: str
    message_id: str = ""  # of the message that brought the job
    is_sent: bool = False  # whether its dead-letter message surely is

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, body: bytes) -> GivenUp:
        """Read one, tokens in its reason hidden; raises Unreadable."""
        made = build(cls, read_object(body))
        return replace(made, reason=redacted(made.reason))


@dataclass(frozen=True)
class Heartbeat:
    """What a worker slot works on; the heartbeat of an idle slot has no body at all."""

    job_id: str
    name: str
    attempt_id: str
    since: float  # seconds since 1970, by the worker's clock

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Heartbeat:
        """Read one; raises Unreadable."""
        return build(cls, read_object(body))


@dataclass(frozen=True)
class Beat:
    """A heartbeat as a listing shows it; `written` in seconds since 1970, by the bucket's clock."""

    instance_id: str
    slot: str
    written: float
    age: float
    is_busy: bool

    @classmethod
    def of(cls, item: Item) -> Beat:
        """The heartbeat that a listing shows."""
        instance_id, slot = parse_heartbeat(item.key)
        return cls(instance_id, slot, item.written, item.age, is_busy=item.size > 0)


@dataclass(frozen=True)
class History:
    """A job's earlier attempts since its message was sent."""

    attempts: int = 0
    failures: int = 0  # attempts that failed, or vanished without a word
    vanished: int = 0  # those of them that have no end in the ledger
    last_failed: AttemptKey | None = None  # the last attempt that said why it failed
    done: AttemptKey | None = None  # one that was done, and ended before its marker was written


@dataclass(frozen=True)
class LedgerSummary:
    """How far a run is, in numbers: of jobs first, then of attempts."""

    submitted: int
    done: int
    dead: int
    attempts: int
    failed: int
    interrupted: int
    open: int  # attempts begun and not ended: running, or vanished with their machine

    @property
    def unfinished(self) -> int:
        return max(0, self.submitted - self.done - self.dead)
