"""Write what becomes of each job to the run's ledger in S3, and read what became of it before."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.keys import AttemptState, RunKeys, parse_attempt_key

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

# A message that was sent by hand, with no run of this app ever begun, still gets a ledger.
NO_RUN = "no-run"
# HeadObject has no body to name its error in; without s3:ListBucket an absent key is a 403.
_ABSENT = ("404", "NoSuchKey", "NotFound")
_CONFLICTS = 5  # tries of a write that meets others; the first of those to arrive ends them


@dataclass(frozen=True)
class History:
    """A job's earlier attempts since its message was sent."""

    attempts: int = 0
    failures: int = 0  # attempts that failed, or vanished without a word
    vanished: int = 0  # those of them that have no end in the ledger
    last_failed: str = ""  # the id of the last attempt that said why it failed


@dataclass(frozen=True)
class Burial:
    """The giving up of a job: its dead marker, written before its letter is sent and after."""

    job_id: str
    reason: str
    message_id: str  # of the message that brought the job
    letter_sent: bool = False


def write_attempt(s3: S3Client, bucket: str, keys: RunKeys, attempt: Attempt) -> None:
    """Write one attempt under the key that says its state."""
    key = keys.attempt(attempt.job_id, attempt.attempt_id, AttemptState(attempt.state))
    s3.put_object(Bucket=bucket, Key=key, Body=attempt.to_json())


def is_done(s3: S3Client, bucket: str, keys: RunKeys, job_id: str) -> bool:
    """Whether an attempt has put its outputs in place and said so."""
    try:
        s3.head_object(Bucket=bucket, Key=keys.done(job_id))
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def mark_done(s3: S3Client, bucket: str, keys: RunKeys, attempt: Attempt) -> bool:
    """Write the done marker; False if another attempt has written it first.

    The SDK sends a request again whose answer was lost: then the marker that is there is our own.
    """
    if _put_first(s3, bucket, keys.done(attempt.job_id), attempt.to_json()):
        return True
    return _read_done(s3, bucket, keys, attempt.job_id).attempt_id == attempt.attempt_id


def _put_first(s3: S3Client, bucket: str, key: str, body: bytes) -> bool:
    """Write an object unless there is one with this key; False if there is.

    S3 answers a write that meets another with a conflict, and asks to try it again.
    """
    for tries_left in reversed(range(_CONFLICTS)):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                return False
            if code != "ConditionalRequestConflict" or not tries_left:
                raise
        else:
            return True
    raise AssertionError("the last try returns or raises")


def complete(s3: S3Client, bucket: str, keys: RunKeys, job_id: str) -> None:
    """Write the attempt that a done marker holds, whose worker may have died just before it did."""
    write_attempt(s3, bucket, keys, _read_done(s3, bucket, keys, job_id))


def _read_done(s3: S3Client, bucket: str, keys: RunKeys, job_id: str) -> Attempt:
    body = s3.get_object(Bucket=bucket, Key=keys.done(job_id))["Body"].read()
    return Attempt.from_json(body)


def find_burial(
    s3: S3Client, bucket: str, keys: RunKeys, job_id: str, message_id: str
) -> Burial | None:
    """What the ledger says of the giving up of a job that this very message brought; or None.

    A message has the same id at each receipt, and one that is sent anew has another.
    """
    try:
        body = s3.get_object(Bucket=bucket, Key=keys.dead(job_id))["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    told = json.loads(body)
    if told.get("message_id") != message_id:
        return None
    return Burial(job_id, told["reason"], message_id, bool(told.get("letter_sent")))


def begin_burial(s3: S3Client, bucket: str, keys: RunKeys, burial: Burial) -> bool:
    """Note that a job is to be given up; False if that is noted already for the same message."""
    body = json.dumps(asdict(burial)).encode()
    if _put_first(s3, bucket, keys.dead(burial.job_id), body):
        return True
    if find_burial(s3, bucket, keys, burial.job_id, burial.message_id):
        return False
    write_burial(s3, bucket, keys, burial)  # the job was sent anew, by hand
    return True


def write_burial(s3: S3Client, bucket: str, keys: RunKeys, burial: Burial) -> None:
    """Write why a job is given up, and whether its letter has been sent."""
    body = json.dumps(asdict(burial)).encode()
    s3.put_object(Bucket=bucket, Key=keys.dead(burial.job_id), Body=body)


def count_dead(s3: S3Client, bucket: str, keys: RunKeys, enough: int) -> int:
    """How many jobs of the run were given up, counted until there are `enough`."""
    count = 0
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=keys.dead_markers)
    for page in pages:
        count += page.get("KeyCount", 0)
        if count >= enough:
            break
    return count


def stop_run(s3: S3Client, bucket: str, keys: RunKeys, reason: str) -> None:
    """Say that no more jobs of the run are to be taken, and why."""
    logger.error("The run is stopped: %s", reason)
    s3.put_object(Bucket=bucket, Key=keys.stopped, Body=reason.encode())


def why_stopped(s3: S3Client, bucket: str, keys: RunKeys) -> str:
    """Why the run is stopped; empty if it is not."""
    try:
        body = s3.get_object(Bucket=bucket, Key=keys.stopped)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return ""
    return body.decode() or "no reason is given."


def read_history(s3: S3Client, bucket: str, keys: RunKeys, job_id: str, since: float) -> History:
    """Count the attempts that began after `since` (seconds since 1970), from their keys alone."""
    states: dict[str, set[AttemptState]] = {}
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=keys.attempts_of(job_id)
    )
    for page in pages:
        for item in page.get("Contents", []):
            _, attempt_id, state = parse_attempt_key(item["Key"])
            if int(attempt_id.split("-", 1)[0]) >= int(since * 1000):
                states.setdefault(attempt_id, set()).add(state)
    failed = [one for one, seen in states.items() if AttemptState.FAILED in seen]
    vanished = sum(seen == {AttemptState.STARTED} for seen in states.values())
    return History(len(states), len(failed) + vanished, vanished, max(failed, default=""))


def why_failed(s3: S3Client, bucket: str, keys: RunKeys, job_id: str, history: History) -> str:
    """Why a job is given up whose attempts were too many: the last reason, if each told of one."""
    if history.vanished:
        return (
            f"{history.failures} attempts failed or vanished without a word, {history.vanished} of "
            "them vanished: a worker that vanishes has most often run out of memory."
        )
    key = keys.attempt(job_id, history.last_failed, AttemptState.FAILED)
    last = Attempt.from_json(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return f"{history.failures} attempts failed; the last one: {last.reason}"


def find_run_id(s3: S3Client, bucket: str, app_name: str) -> str:
    """The id of the app's live or last run, for a message that was sent by hand."""
    try:
        body = s3.get_object(Bucket=bucket, Key=f"monitors/{app_name}SpotFleetRequestId.json")
        record = json.loads(body["Body"].read())
        return str(record.get("run_id") or NO_RUN)
    except s3.exceptions.NoSuchKey:
        return NO_RUN
    except (ValueError, AttributeError):  # upstream's own record may not be JSON; it has no run id
        return NO_RUN
