"""Say why an object that is there cannot be read: it is archived, closed, or its key is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .faults import error_code

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Classes whose objects must be restored before they can be read:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html
ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
# Of these some may be in an archive tier, which only the object itself says.
MAYBE_ARCHIVED = frozenset({"INTELLIGENT_TIERING"})
ABSENT = "does not exist"
_PARALLEL = 8


def read_text(s3: S3Client, bucket: str, key: str, most: int) -> str | None:
    """The text of an object in UTF-8; None if it has more than `most` bytes.

    Raises ClientError, and UnicodeDecodeError.
    """
    answer = s3.get_object(Bucket=bucket, Key=key)
    with answer["Body"] as body:
        return None if answer["ContentLength"] > most else body.read().decode("utf-8-sig")


def find_unreadable(s3: S3Client, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Why each of some objects (bucket and key) cannot be read, for those that cannot.

    Asks for one byte of each, which is what tells whether all of it would come.
    """
    wanted = list(dict.fromkeys(places))
    with ThreadPoolExecutor(_PARALLEL) as pool:
        reasons = pool.map(partial(_why, s3), wanted)
        return {place: why for place, why in zip(wanted, reasons, strict=True) if why}


def _why(s3: S3Client, place: tuple[str, str]) -> str:
    bucket, key = place
    try:
        s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-0")["Body"].close()
    except ClientError as error:
        return why_refused(s3, bucket, key, error)
    return ""


def why_refused(s3: S3Client, bucket: str, key: str, error: ClientError) -> str:
    """What S3 meant when it refused to give an object; '' if it has no byte to give."""
    code, told = error_code(error), str(error.response.get("Error", {}).get("Message", ""))
    if code in ("InvalidRange", "416"):
        return ""
    if code == "InvalidObjectState":
        return _archive_words(s3, bucket, key, error)
    if code in ("NoSuchKey", "404"):
        return ABSENT
    if code == "NoSuchBucket":
        return "is in a bucket that does not exist"
    if "kms" in f"{code} {told}".lower():
        return f"is encrypted with a KMS key that may not be used ({code}: {told.rstrip('.')})"
    if code in ("AccessDenied", "403", "Forbidden", "AllAccessDisabled"):
        return f"may not be read with these credentials ({code})"
    return f"cannot be read ({code}: {told.rstrip('.')})"


def _archive_words(s3: S3Client, bucket: str, key: str, error: ClientError) -> str:
    named: Any = error.response.get("Error", {})
    where, state = named.get("AccessTier") or named.get("StorageClass"), ""
    with suppress(ClientError):
        head: Any = s3.head_object(Bucket=bucket, Key=key)
        where = where or head.get("ArchiveStatus") or head.get("StorageClass")
        state = head.get("Restore", "")
    if 'ongoing-request="true"' in state:
        return f"is archived in {where}, and its restore goes on"
    return f"is archived in {where}, and not restored"


def archived_of(entries: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Key and storage class of each entry of a listing that is, or may be, archived."""
    for entry in entries:
        name = entry.get("StorageClass", "")
        if name in ARCHIVES or name in MAYBE_ARCHIVED:
            yield entry["Key"], name
