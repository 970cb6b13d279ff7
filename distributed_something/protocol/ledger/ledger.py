"""Write and read a run's ledger: what was submitted, what became of it, who is alive."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from .attempts import HEARTBEAT_LIVE_SECONDS, Attempt, Heartbeat
from .keys import UPLOADS, AttemptState, RunKeys, app_prefix, job_list_count, parse_attempt_key

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

PARALLEL_READS = 16
READ_AHEAD = 256  # objects fetched before the reader asks for them: bounds memory, not the ledger

CLAIM_SECONDS = 300.0  # in which who has claimed a notice has sent it, or was ended
_TOLD = b"told"

# Made once: json.dumps with separators makes a new encoder for every line.
_encode = json.JSONEncoder(separators=(",", ":")).encode

_Read = TypeVar("_Read")
_Fact = TypeVar("_Fact")


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
        values = json.loads(line)
        return cls(values["id"], values["name"], values["body"])


@dataclass(frozen=True)
class DeadJob:
    """A job that was given up, as its dead marker tells it."""

    job_id: str
    reason: str

    @classmethod
    def from_json(cls, body: bytes) -> DeadJob:
        values = json.loads(body)
        return cls(values["job_id"], values["reason"])


class Notice(Enum):
    """How something stands that people are to be told of."""

    OURS = "ours to tell"
    ANOTHERS = "another's, who is about to"
    TOLD = "told"


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


def write_job_list(
    s3: S3Client, bucket: str, keys: RunKeys, chunk: str, lines: Sequence[bytes]
) -> str:
    """Write one list of submitted jobs (`SubmittedJob.to_line`) and return its key.

    `chunk` names the list within the run: the same chunk and count written again replace it.
    """
    key = keys.job_list(chunk, len(lines))
    # Level 1: a million lines take seconds instead of a minute, and job lists compress well anyway.
    body = gzip.compress(b"\n".join(lines) + b"\n", compresslevel=1, mtime=0)
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return key


def list_runs(s3: S3Client, bucket: str, app_name: str) -> list[str]:
    """The ids of an app's runs, in the order in which they began."""
    prefix = app_prefix(app_name)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    folders = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
    names = [folder.removeprefix(prefix).rstrip("/") for folder in folders]
    return [name for name in names if name != UPLOADS]


def read_job_lists(s3: S3Client, bucket: str, keys: RunKeys) -> Iterator[SubmittedJob]:
    """Every submitted job of a run, list by list in the order of their keys."""
    for key in list_keys(s3, bucket, keys.job_lists):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        with gzip.GzipFile(fileobj=body) as lines:
            yield from (SubmittedJob.from_line(line) for line in lines if line.strip())


def count_submitted(s3: S3Client, bucket: str, keys: RunKeys) -> int:
    """How many jobs were submitted to a run, read off the keys of its job lists."""
    return sum(job_list_count(key) for key in list_keys(s3, bucket, keys.job_lists))


def live_heartbeats(
    s3: S3Client, bucket: str, keys: RunKeys, live_seconds: float = HEARTBEAT_LIVE_SECONDS
) -> list[Heartbeat]:
    """The worker slots that are at a job now, by heartbeats younger than `live_seconds`.

    Ages are taken between two times of the bucket's own clock: this computer's may be minutes off.
    """
    fresh: list[str] = []
    for page in _pages(s3, bucket, keys.heartbeats):
        answered = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
        for item in page.get("Contents", []):
            if (answered - item["LastModified"]).total_seconds() < live_seconds:
                fresh.append(item["Key"])
    return read_heartbeats_at(s3, bucket, fresh)


def is_settled(s3: S3Client, bucket: str, keys: RunKeys, job_id: str) -> bool:
    """Whether a job is done or dead-lettered, so that a heartbeat naming it holds nothing."""
    return _exists(s3, bucket, keys.done(job_id)) or _exists(s3, bucket, keys.dead(job_id))


def why_stopped(s3: S3Client, bucket: str, keys: RunKeys) -> str:
    """Why the workers take no more jobs of a run; empty while they do."""
    body = _fetch(s3, bucket, keys.stopped)
    return body.decode() if body is not None else ""


def claim_notice(s3: S3Client, bucket: str, keys: RunKeys, what: str) -> Notice:
    """Whether it is ours to tell people of something in this run.

    Who claims it first does. One who was ended before it was told has lost it after
    CLAIM_SECONDS: rather twice than never.
    """
    key = keys.notice(what)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=b"", IfNoneMatch="*")
    except s3.exceptions.ClientError as error:
        if error.response["Error"].get("Code") not in ("PreconditionFailed", "412"):
            raise
        answer = s3.get_object(Bucket=bucket, Key=key)
        if answer["Body"].read() == _TOLD:
            return Notice.TOLD
        answered = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        if (answered - answer["LastModified"]).total_seconds() < CLAIM_SECONDS:
            return Notice.ANOTHERS
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    return Notice.OURS


def note_told(s3: S3Client, bucket: str, keys: RunKeys, what: str) -> None:
    """Say that people were told of something: nobody tells them again."""
    s3.put_object(Bucket=bucket, Key=keys.notice(what), Body=_TOLD)


def stop_run(s3: S3Client, bucket: str, keys: RunKeys, reason: str) -> None:
    """Say that no more jobs of a run are to be taken, and why; workers and monitor both heed it."""
    s3.put_object(Bucket=bucket, Key=keys.stopped, Body=reason.encode())


def resume_run(s3: S3Client, bucket: str, keys: RunKeys) -> None:
    """Let workers take jobs of a run again: forget why it was stopped and which machines broke.

    What people were told of it is forgotten too, for they will want to hear how it ends now.
    """
    broken = [*list_keys(s3, bucket, keys.broken_machines)]
    told = [*list_keys(s3, bucket, keys.notices)]
    _delete_keys(s3, bucket, [*broken, *told, keys.stopped, keys.monitor_state])


def forget_dead(s3: S3Client, bucket: str, keys: RunKeys, job_ids: Iterable[str]) -> None:
    """Remove the dead markers of jobs that are to be tried again, those without one too."""
    _delete_keys(s3, bucket, [keys.dead(job_id) for job_id in job_ids])


def broken_machines(s3: S3Client, bucket: str, keys: RunKeys) -> set[str]:
    """The ids of the machines of a run that could not work."""
    return {key.rpartition("/")[2] for key in list_keys(s3, bucket, keys.broken_machines)}


def write_broken_machine(
    s3: S3Client, bucket: str, keys: RunKeys, instance_id: str, reason: str, now: float
) -> None:
    """Note that a machine cannot work; a run replaces few of them."""
    body = json.dumps({"reason": reason, "written": now}).encode()
    s3.put_object(Bucket=bucket, Key=keys.broken_machine(instance_id), Body=body)


def unfinished_jobs(s3: S3Client, bucket: str, keys: RunKeys) -> Iterator[SubmittedJob]:
    """The submitted jobs that are neither done nor given up, each once."""
    # Job ids are hexadecimal: a million of them as numbers take a tenth of their texts' memory.
    settled = {
        int(key.rpartition("/")[2], 16)
        for prefix in (keys.done_markers, keys.dead_markers)
        for key in list_keys(s3, bucket, prefix)
    }
    for job in read_job_lists(s3, bucket, keys):
        number = int(job.job_id, 16)
        if number not in settled:
            settled.add(number)
            yield job


def settled_jobs(s3: S3Client, bucket: str, keys: RunKeys) -> tuple[set[str], set[str]]:
    """The ids of the jobs that are done, and of those that were given up and are not done."""
    done, dead = (
        {key.rpartition("/")[2] for key in list_keys(s3, bucket, prefix)}
        for prefix in (keys.done_markers, keys.dead_markers)
    )
    return done, dead - done


def read_attempts(s3: S3Client, bucket: str, keys: RunKeys) -> Iterator[Attempt]:
    """The last word on every attempt of a run, by job id and then by start."""
    ends = _last_words(list_keys(s3, bucket, keys.attempts))
    yield from _read_all(s3, bucket, ends, Attempt.from_json)


def read_attempts_at(s3: S3Client, bucket: str, places: Iterable[str]) -> Iterator[Attempt]:
    """The attempts under these keys, in their order; those that are gone are left out."""
    yield from _read_all(s3, bucket, places, Attempt.from_json)


def read_heartbeats_at(s3: S3Client, bucket: str, places: Iterable[str]) -> list[Heartbeat]:
    """The heartbeats under these keys of slots that are at a job."""
    beats = _read_all(s3, bucket, places, Heartbeat.from_json)
    return [beat for beat in beats if beat.job_id]


def read_done(s3: S3Client, bucket: str, keys: RunKeys) -> Iterator[Attempt]:
    """The attempt that finished each job, as its done marker tells it."""
    yield from _read_all(s3, bucket, list_keys(s3, bucket, keys.done_markers), Attempt.from_json)


def read_dead_jobs(
    s3: S3Client, bucket: str, keys: RunKeys, job_ids: Iterable[str]
) -> Iterator[DeadJob]:
    """These jobs' dead marks, in their order."""
    yield from _read_all(s3, bucket, (keys.dead(one) for one in job_ids), DeadJob.from_json)


def read_dead(s3: S3Client, bucket: str, keys: RunKeys) -> Iterator[DeadJob]:
    """Each job that was given up, with the reason."""
    yield from _read_all(s3, bucket, list_keys(s3, bucket, keys.dead_markers), DeadJob.from_json)


def list_keys(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    """Every key below a prefix, in order."""
    for page in _pages(s3, bucket, prefix):
        yield from (item["Key"] for item in page.get("Contents", []))


def _pages(s3: S3Client, bucket: str, prefix: str) -> Iterator[ListObjectsV2OutputTypeDef]:
    yield from s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)


def _exists(s3: S3Client, bucket: str, key: str) -> bool:
    """Whether there is an object, by a listing: HEAD's 404 may as well be a missing bucket's."""
    page = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(item["Key"] == key for item in page.get("Contents", []))


def _delete_keys(s3: S3Client, bucket: str, keys: Sequence[str]) -> None:
    """Delete objects one by one, side by side; those that are not there are fine."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        for _ in pool.map(lambda key: s3.delete_object(Bucket=bucket, Key=key), keys):
            pass


def _last_words(keys: Iterable[str]) -> Iterator[str]:
    """Of each attempt the key that says how it ended, or that it started if it did not end."""
    ended = None
    for key in keys:
        job_id, attempt_id, state = parse_attempt_key(key)
        if state is not AttemptState.STARTED:
            ended = (job_id, attempt_id)
            yield key
        elif (job_id, attempt_id) != ended:
            yield key


def _read_all(
    s3: S3Client, bucket: str, keys: Iterable[str], parse: Callable[[bytes], _Fact]
) -> Iterator[_Fact]:
    """Fetch objects side by side, in order; one that went away meanwhile is left out."""
    waiting = iter(keys)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        while some := list(islice(waiting, READ_AHEAD)):
            for body in pool.map(lambda key: _fetch(s3, bucket, key), some):
                if body is not None:
                    yield parse(body)


def _fetch(s3: S3Client, bucket: str, key: str) -> bytes | None:
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
