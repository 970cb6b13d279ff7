"""Say to a loop, from any thread or signal, that it is to end; and wake it up."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SAVE_SIGNAL = signal.SIGUSR1  # from the supervisor to its loops: save a checkpoint
_REASON = "interruption"


class Stopping:
    """Whether and why this process is to end; `wake` is set by all that its main thread awaits."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self.wake = threading.Event()
        self.reason = ""
        self.is_crash = False  # the worker's first process is gone: no one told it to end
        self.save_wanted = threading.Event()  # a checkpoint should be saved soon
        self._asked = threading.Event()
        self._asked_at = 0.0
        self._now = now

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self, reason: str, *, is_crash: bool = False) -> None:
        """Ask the process to end; the first reason counts."""
        if not self._asked.is_set():
            self.reason = reason
            self.is_crash = is_crash
            self._asked_at = self._now()
            self._asked.set()
        self.wake.set()

    def seconds_since(self) -> float:
        """How long ago it was asked; 0 if it was not."""
        return self._now() - self._asked_at if self.asked else 0.0

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond being asked to end; True if it was."""
        return self._asked.wait(seconds)


def write_interruption(directory: Path, reason: str) -> None:
    """Leave a loop, in its folder, the reason why it is about to be told to stop."""
    with contextlib.suppress(OSError):  # a loop that finds none gives the signal as its reason
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _REASON).write_text(reason)


def read_interruption(directory: Path) -> str:
    """The reason that the supervisor left; empty if there is none."""
    try:
        return (directory / _REASON).read_text()
    except OSError:
        return ""


def listen(handle: Callable[[signal.Signals], None], *numbers: signal.Signals) -> None:
    """Call `handle` in a thread of its own whenever one of these signals arrives; main thread only.

    A Python signal handler runs between two lines of the main thread, which may hold the very lock
    that the handler wants, or sit in a long call. The number that the C handler writes to a pipe
    reaches another thread at once.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in numbers:
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def pump() -> None:
        while received := os.read(reader, 64):
            for number in received:
                handle(signal.Signals(number))

    threading.Thread(target=pump, name="signals", daemon=True).start()
