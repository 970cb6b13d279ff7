"""Move many files at a time between S3 and here, and stop them all as soon as one may not go on."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, HTTPClientError

from .clients import PARALLEL_TRANSFERS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

LARGE = 32 * 2**20  # bytes; an object from here on is moved in parts
PART = 16 * 2**20
PARTS_AT_ONCE = 8
PARTS = TransferConfig(
    multipart_threshold=LARGE, multipart_chunksize=PART, max_concurrency=PARTS_AT_ONCE
)
_LARGE_AT_ONCE = 2  # each has parts of its own to fill the line with
_LOOK = 0.5  # seconds between two looks whether to go on, while there is nothing else to do
# Seconds between tries of one upload, after the SDK's own: hours of a tool's work are in the file.
PAUSES = (2.0, 5.0, 15.0, 30.0, 60.0)
_PASSING = frozenset({"SlowDown", "RequestTimeout", "Throttling", "RequestLimitExceeded"})


class Stopped(Exception):
    """Another step has failed, so that this one is of no use."""


class Crew:
    """What the steps of one transfer share: whether to go on, and the turns of large objects."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._stopped = threading.Event()
        self._turns = threading.BoundedSemaphore(_LARGE_AT_ONCE)

    def check(self) -> None:
        """Raise if the transfer may not go on."""
        if self._stopped.is_set():
            raise Stopped
        self._check()

    def stop(self) -> None:
        """Let every step's next `check` end it."""
        self._stopped.set()

    def pause(self, seconds: float) -> None:
        """Wait, but not a second longer than the transfer goes on."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.check()
            self._stopped.wait(min(left, _LOOK))

    @contextlib.contextmanager
    def large_turn(self) -> Iterator[None]:
        """Wait until few enough other large objects are on their way."""
        while not self._turns.acquire(timeout=_LOOK):
            self.check()
        try:
            yield
        finally:
            self._turns.release()


Step = Callable[[Crew], None]


def run_all(steps: Iterable[Step], check: Callable[[], None]) -> None:
    """Run steps in parallel; the first error, or one that `check` raises, ends them all.

    The steps may be any number: only a few are taken from the iterable ahead of time.
    """
    crew = Crew(check)
    waiting: set[Future[None]] = set()
    with ThreadPoolExecutor(PARALLEL_TRANSFERS, "transfer") as pool:
        try:
            for step in steps:
                check()
                waiting.add(pool.submit(step, crew))
                if len(waiting) >= 2 * PARALLEL_TRANSFERS:
                    waiting = _settle(waiting)
            while waiting:
                check()
                waiting = _settle(waiting)
        except BaseException:
            crew.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _settle(waiting: set[Future[None]]) -> set[Future[None]]:
    """Take the results of those that ended, or come back soon to look around."""
    ended, left = wait(waiting, timeout=_LOOK, return_when=FIRST_COMPLETED)
    for future in ended:
        future.result()
    return left


def upload(
    s3: S3Client,
    path: Path,
    bucket: str,
    key: str,
    extra: dict[str, Any],
    crew: Crew,
    *,
    pauses: tuple[float, ...] = PAUSES,
) -> None:
    """Send one file; the SDK sends a checksum with it, or with each part, which S3 verifies.

    What fails in passing is tried again after each of the `pauses` (seconds); a large file then
    begins anew, for the SDK takes back the parts of an upload that it gave up.
    """
    for pause in pauses:
        try:
            _send(s3, path, bucket, key, extra, crew)
            return
        except (ClientError, HTTPClientError, S3UploadFailedError) as error:
            if not _may_pass(error):
                raise
            logger.warning("%s could not be sent (%s); trying again in %g s.", key, error, pause)
        crew.pause(pause)
    _send(s3, path, bucket, key, extra, crew)


def _send(
    s3: S3Client, path: Path, bucket: str, key: str, extra: dict[str, Any], crew: Crew
) -> None:
    crew.check()
    if path.stat().st_size < LARGE:
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body, **extra)
        return
    with crew.large_turn():
        s3.upload_file(
            str(path),
            bucket,
            key,
            ExtraArgs=extra or None,
            Config=PARTS,
            Callback=lambda _sent: crew.check(),
        )


def _may_pass(error: Exception) -> bool:
    """Whether S3 could not be reached, or could not serve us for the moment."""
    if isinstance(error, S3UploadFailedError) and error.__context__ is not None:
        error = error.__context__ if isinstance(error.__context__, Exception) else error
    if isinstance(error, HTTPClientError):
        return True
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or error.response.get("Error", {}).get("Code") in _PASSING
