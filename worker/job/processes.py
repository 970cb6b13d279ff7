"""Adopt, find and end the processes that a tool leaves behind, wherever they hide."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Collection

import psutil

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (does nothing but on Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int, number: signal.Signals) -> None:
    """Be sent a signal when the parent process ends, even by KILL (does nothing but on Linux)."""
    _prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:  # it ended before the line above
        os.kill(os.getpid(), number)


def has_ended(parent: int, patience: float = 1.0) -> bool:
    """Whether the parent process has ended, or does within `patience` seconds.

    Linux sends the signal of `end_with_parent` when the thread ends that began this process; its
    other threads, and with them the process, may be there for a moment more.
    """
    until = time.monotonic() + patience
    while os.getppid() == parent:
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
    return True


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def descendants(spared: Collection[int] = ()) -> list[psutil.Process]:
    """Every process below this one, but for the spared children and all below those."""
    found = []
    for child in psutil.Process().children():
        if child.pid in spared:
            continue
        found.append(child)
        with contextlib.suppress(psutil.NoSuchProcess):
            found += child.children(recursive=True)
    return found


def kill_descendants(
    spared: Collection[int] = (), *, sleep: Callable[[float], None] = time.sleep, tries: int = 200
) -> int:
    """Kill and reap everything below this process but the spared children; returns how many.

    A process may fork while it is being killed, so this goes on until none is left.
    """
    killed: set[int] = set()
    for _ in range(tries):
        left = [process for process in descendants(spared) if not _is_gone(process)]
        if not left:
            break
        for process in left:
            killed.add(process.pid)
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.kill()
        sleep(0.005)
        reap(spared)
    else:
        logger.error("Some processes that a tool left behind cannot be killed: %s.", left)
    return len(killed)


def _is_gone(process: psutil.Process) -> bool:
    """Dead, or dead and only waiting for a parent to take note."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE) and process.ppid() != os.getpid()
    except psutil.NoSuchProcess:
        return True


def reap(spared: Collection[int] = ()) -> None:
    """Take note of dead children that nobody else waits for."""
    for child in psutil.Process().children():
        if child.pid not in spared:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)
