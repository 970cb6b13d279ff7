"""Move many files at a time between S3 and here, and stop them all as soon as one may not go on."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from boto3.s3.transfer import TransferConfig

from ..clients import PARALLEL_TRANSFERS

LARGE = 32 * 2**20  # bytes; an object from here on is moved in parts
PART = 16 * 2**20
PARTS_AT_ONCE = 8
PARTS = TransferConfig(
    multipart_threshold=LARGE, multipart_chunksize=PART, max_concurrency=PARTS_AT_ONCE
)
_LARGE_AT_ONCE = 2  # each has parts of its own to fill the line with
_LOOK = 0.5  # seconds between two looks whether to go on, while there is nothing else to do


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
