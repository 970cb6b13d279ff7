"""Watch several runs at once, in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")
Sleep = Callable[[float], None]


class Stopped(Exception):
    """The person has stopped watching; each watch ends at its next pause."""


def watch_all(watches: Sequence[Callable[[Sleep], T]]) -> list[T | Exception]:
    """Do all watches at once, each with a thread and a `sleep`; what became of each, in order.

    A watch that fails does not end the others. Ctrl-C ends all of them, each where it pauses, and
    is raised again.
    """
    stop = Event()

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    with ThreadPoolExecutor(max(1, len(watches))) as pool:
        running = [pool.submit(watch, sleep) for watch in watches]
        try:
            wait(running)
        except KeyboardInterrupt:
            stop.set()
            raise
    return [_outcome(future) for future in running]


def _outcome(ended: Future[Any]) -> Any:
    error = ended.exception()
    if error is None:
        return ended.result()
    if isinstance(error, Exception):
        return error
    raise error
