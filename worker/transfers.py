"""Move objects between S3 and files, many at a time; what broke off goes on where it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import (
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
)

from .clients import PARALLEL_TRANSFERS
from .outcomes import Hopeless

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

LARGE = 32 * 2**20  # bytes; an object from here on is moved in parts
_CHUNK = 2**20
_TRIES = 5
PARTS = TransferConfig(multipart_threshold=LARGE, multipart_chunksize=16 * 2**20, max_concurrency=8)
_BROKEN_OFF = (IncompleteReadError, HTTPClientError, ResponseStreamingError)


def run_all(steps: Iterable[Callable[[], None]], check: Callable[[], None]) -> None:
    """Run steps in parallel; the first error, or one that `check` raises, ends them all.

    The steps may be any number: only a few are taken from the iterable ahead of time.
    """
    waiting: set[Future[None]] = set()
    with ThreadPoolExecutor(PARALLEL_TRANSFERS) as pool:
        try:
            for step in steps:
                check()
                waiting.add(pool.submit(step))
                if len(waiting) >= 2 * PARALLEL_TRANSFERS:
                    waiting = _settle(waiting)
            while waiting:
                check()
                waiting = _settle(waiting)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _settle(waiting: set[Future[None]]) -> set[Future[None]]:
    """Take the results of those that ended, or come back after a second to look around."""
    ended, left = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
    for future in ended:
        future.result()
    return left


def download(s3: S3Client, bucket: str, key: str, path: Path) -> None:
    """Bring one object to a file; raises Hopeless if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
        if response["ContentLength"] >= LARGE:
            response["Body"].close()
            s3.download_file(bucket, key, str(path), Config=PARTS)
        else:
            _save(s3, bucket, key, response, path)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket", "404"):
            raise Hopeless(f"The input s3://{bucket}/{key} does not exist.") from None
        raise


def _save(s3: S3Client, bucket: str, key: str, response: Any, path: Path) -> None:
    """Write a response's body to a file; one that breaks off is taken up where it ended."""
    size, etag = response["ContentLength"], response["ETag"]
    with path.open("wb") as file:
        for last in (*([False] * (_TRIES - 1)), True):
            try:
                for chunk in response["Body"].iter_chunks(_CHUNK):
                    file.write(chunk)
                if file.tell() == size:
                    return
            except _BROKEN_OFF as error:
                if last:
                    raise
                logger.info("s3://%s/%s broke off (%s); going on.", bucket, key, error)
            response = s3.get_object(
                Bucket=bucket, Key=key, Range=f"bytes={file.tell()}-", IfMatch=etag
            )
    raise OSError(f"s3://{bucket}/{key} came as {path.stat().st_size} bytes, not {size}.")


def upload(s3: S3Client, path: Path, bucket: str, key: str, extra: dict[str, Any]) -> None:
    """Send one file; the SDK sends a checksum with it, which S3 verifies."""
    if path.stat().st_size >= LARGE:
        s3.upload_file(str(path), bucket, key, ExtraArgs=extra or None, Config=PARTS)
    else:
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body, **extra)
