"""Go on in copies of this process, each with its own copy of the simulated account."""

from __future__ import annotations

import gc
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, NoReturn, TypeVar

Case = TypeVar("Case")

_END = "\0"  # said last of all: a process that could not speak to its end was not well


class Copies(Generic[Case]):
    """Copies of this process, at most two at once, each for one case.

    This process and what it holds stay as they are.
    """

    def __init__(self, at_once: int = 2) -> None:
        self.is_copy = False
        self._said: dict[Case, str] = {}
        self._at_once = at_once
        self._running: dict[int, tuple[int, Case]] = {}
        self._mouth = -1

    def start(self, case: Case) -> bool:
        """Whether this is the copy for this case; it goes on from here."""
        while len(self._running) >= self._at_once:
            self._wait()
        reading, writing = os.pipe()
        gc.freeze()  # or the first collection in each copy would copy all memory
        process = _fork()
        if process:
            os.close(writing)
            self._running[process] = (reading, case)
            return False
        os.close(reading)
        gc.disable()
        self.is_copy, self._mouth, self._running = True, writing, {}
        return True

    def follow(self, doing: Callable[[], str]) -> dict[Case, str]:
        """What each copy that was started while this was done said at its end.

        A copy says what its own doing returned, or the traceback of what it raised.
        """
        try:
            text = doing()
        except BaseException:
            if not self.is_copy:
                self._stop()
                raise
            text = traceback.format_exc()  # the process that waits must hear of anything
        if self.is_copy:
            self._say(text)
        while self._running:
            self._wait()
        return self._said

    def _say(self, text: str) -> NoReturn:
        try:
            with os.fdopen(self._mouth, "w") as file:
                file.write(text + _END)
        finally:
            os._exit(0)  # nothing of pytest's may run twice

    def _stop(self) -> None:
        for process, (pipe, _) in self._running.items():
            os.close(pipe)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

    def _wait(self) -> None:
        """Hear out the copy that has run longest."""
        process, (pipe, case) = next(iter(self._running.items()))
        with os.fdopen(pipe) as file:
            text = file.read()
        _, status = os.waitpid(process, 0)
        del self._running[process]
        is_whole = not status and text.endswith(_END)
        self._said[case] = (
            text.removesuffix(_END) if is_whole else f"{text}ended early, with status {status}"
        )


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns of other threads: here it is the simulator's server, which holds no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Do what a pool is given at once and here: of many threads, a copy would have but one."""
    of_threads = ThreadPoolExecutor.submit
    ThreadPoolExecutor.submit = _do_at_once  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ThreadPoolExecutor.submit = of_threads  # type: ignore[method-assign]


def _do_at_once(
    _: ThreadPoolExecutor, doing: Callable[..., Any], /, *values: Any, **named: Any
) -> Future[Any]:
    done: Future[Any] = Future()
    try:
        done.set_result(doing(*values, **named))
    except BaseException as error:  # noqa: BLE001 - as a pool does
        done.set_exception(error)
    return done
