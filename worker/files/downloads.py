"""Bring one object to a file of a job's own, from this machine's cache if it is the same there."""

from __future__ import annotations

import errno
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..job.outcomes import Hopeless
from .cache import Cache, Shelf
from .mount import Bucket
from .parts import download_parts, make_plan
from .reading import Damaged, blocks, is_md5
from .refusals import readable
from .transfers import LARGE, Crew

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_UNCHANGED = ("304", "NotModified")


@dataclass(frozen=True)
class Input:
    """One object, and the file that it becomes; a listing tells its ETag and size (bytes) too."""

    bucket: str
    key: str
    path: Path
    etag: str = ""
    size: int = 0
    is_rewritten: bool = False  # the file is changed here, so it must be the job's own

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def fetch(s3: S3Client, item: Input, cache: Cache, crew: Crew) -> None:
    """Bring one object; raises Hopeless if it can never be read, Damaged if it came spoilt."""
    item.path.parent.mkdir(parents=True, exist_ok=True)

    def storage_class() -> str:
        return s3.head_object(Bucket=item.bucket, Key=item.key).get("StorageClass", "")

    with (
        readable(str(item), storage_class, partial(_folder_hint, s3, item)),
        cache.shelf(item.bucket, item.key, crew.check) as shelf,
    ):
        _fetch(s3, item, shelf, crew)


def _folder_hint(s3: S3Client, item: Input) -> str:
    """What to write where a key that does not exist is the name of a folder; '' if it is none."""
    try:
        below = s3.list_objects_v2(Bucket=item.bucket, Prefix=f"{item.key}/", MaxKeys=1)
    except ClientError:  # without the bucket, or the right to list it, nothing is known
        return ""
    is_folder = bool(below.get("KeyCount"))
    return f"; {item.key}/ is a folder: write it with the slash at its end" if is_folder else ""


def link(mounted: Bucket, item: Input, crew: Crew) -> None:
    """Let a file of the job's own lead to the object's place in its mounted bucket."""
    crew.check()
    if ".." in item.key.split("/"):
        raise Hopeless(f"The input {item} would leave its bucket.")
    path = mounted.path_of(item.key)
    try:
        path.stat()
    except FileNotFoundError:
        if not mounted.is_mounted():  # then every object is missing
            raise OSError(errno.ENOTCONN, f"The mount of {item.bucket} has dropped") from None
        raise Hopeless(f"The input {item} does not exist.") from None
    item.path.parent.mkdir(parents=True, exist_ok=True)
    item.path.symlink_to(path)


def _fetch(s3: S3Client, item: Input, shelf: Shelf, crew: Crew) -> None:
    kept = shelf.etag()
    if kept and kept == item.etag and shelf.give(item.path):
        return
    if item.size >= LARGE and not kept:
        _fetch_large(s3, item, item.etag, item.size, shelf, crew)
        return
    response = _ask(s3, item, kept)
    if response is None:
        if shelf.give(item.path):
            return
        response = s3.get_object(Bucket=item.bucket, Key=item.key)
    etag, size = response["ETag"], response["ContentLength"]
    if size >= LARGE:
        response["Body"].close()
        _fetch_large(s3, item, etag, size, shelf, crew)
    else:
        _fetch_small(s3, item, response, shelf, crew)


def _ask(s3: S3Client, item: Input, kept: str) -> Any:
    """The object, or None if it is what is kept."""
    if not kept:
        return s3.get_object(Bucket=item.bucket, Key=item.key)
    try:
        return s3.get_object(Bucket=item.bucket, Key=item.key, IfNoneMatch=kept)
    except ClientError as error:
        if error.response["Error"]["Code"] in _UNCHANGED:
            return None
        raise


def _fetch_small(s3: S3Client, item: Input, response: Any, shelf: Shelf, crew: Crew) -> None:
    etag, size = response["ETag"], response["ContentLength"]
    digest = hashlib.md5(usedforsecurity=False)
    with item.path.open("wb") as file:
        for block in blocks(s3, item.bucket, item.key, etag, 0, size, crew, body=response["Body"]):
            digest.update(block)
            file.write(block)
    bare = etag.strip('"')
    if is_md5(bare, response, item.bucket) and digest.hexdigest() != bare:
        raise Damaged(
            f"{item} arrived damaged: the MD5 digest {digest.hexdigest()} is not its ETag."
        )
    _keep_copy(item.path, size, etag, shelf)


def _keep_copy(path: Path, size: int, etag: str, shelf: Shelf) -> None:
    """Leave a copy in the cache; a job must not fail because there can be none."""
    with suppress(OSError):
        if unfinished := shelf.unfinished(size):
            shelf.put(path, unfinished, etag)


def _fetch_large(s3: S3Client, item: Input, etag: str, size: int, shelf: Shelf, crew: Crew) -> None:
    with crew.large_turn():
        plan = make_plan(s3, item.bucket, item.key, etag)
        if unfinished := shelf.unfinished(size):
            try:
                digest = download_parts(s3, plan, unfinished, crew)
                shelf.keep(unfinished, etag, digest)
                if shelf.give(item.path):
                    return
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                unfinished.unlink(missing_ok=True)
        download_parts(s3, plan, item.path, crew)
