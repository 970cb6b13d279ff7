"""A terminal for a program under test: what it shows there, and what a person types."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.golden import CLONE

CTRL_C = b"\x03"
_LONGEST = 60.0  # seconds for what a program has to show; far more than it takes


class Terminal:
    """A terminal of its own, with `run.py` in the foreground of it."""

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.settings: list[Any] = termios.tcgetattr(theirs)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "NO_COLOR"))}
        self._running = subprocess.Popen(
            [sys.executable, "-c", _IN_FOREGROUND, str(CLONE / "run.py"), *words],
            cwd=folder,
            env={**clean, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self._theirs = theirs
        self.shown = ""

    def wait_for(self, is_there: Callable[[str], bool]) -> None:
        """Read what is shown until it is what is waited for."""
        until = time.monotonic() + _LONGEST
        while not is_there(self.shown):
            left = until - time.monotonic()
            assert left > 0, f"not shown: {self.shown}"
            if select.select([self._ours], [], [], min(left, 0.2))[0]:
                self.shown += os.read(self._ours, 65536).decode()

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def end(self) -> int:
        """Wait for the program's end and read the rest; its exit code."""
        code = self._running.wait(timeout=_LONGEST)
        while select.select([self._ours], [], [], 0)[0]:
            self.shown += os.read(self._ours, 65536).decode()
        return code

    def settings_now(self) -> list[Any]:
        """How the terminal is set, such as whether it echoes."""
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        if self._running.poll() is None:
            self._running.kill()
            self._running.wait()
        os.close(self._ours)
        os.close(self._theirs)


# What a login does: take the terminal as one's own, so that Ctrl-C in it is a signal, and heed it:
# a shell that runs the tests in the background has its children ignore it.
_IN_FOREGROUND = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@contextmanager
def on_terminal(
    words: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[Terminal]:
    """`run.py` on a terminal of its own, ended at the latest when this is left."""
    terminal = Terminal(words, folder, environment)
    try:
        yield terminal
    finally:
        terminal.close()
