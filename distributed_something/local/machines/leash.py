"""Run a command that ends with us, however we end: on a closed pipe everything below it is killed.

Run as `python leash.py FD DIRECTORY COMMAND...`: FD is the reading end of a pipe that nobody writes
to, so it ends when its owner closes it, ends or is killed. The directory is removed at the end.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_SECONDS = 0.2
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


def main(arguments: list[str]) -> int:
    """Run the command to its end or the leash's; returns its exit code."""
    leash, directory, command = int(arguments[0]), arguments[1], arguments[2:]
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # what a tool leaves behind becomes our child
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    wake = _wake_on_child()
    child = subprocess.Popen(command, preexec_fn=_end_with_parent)  # one thread only
    for number in _FORWARDED:
        signal.signal(number, lambda received, _: _forward(child, received))
    while child.poll() is None:
        readable, _, _ = select.select([leash, wake], [], [], 60.0)
        if leash in readable:
            break
        if wake in readable:
            os.read(wake, 512)
            _reap(spared=child.pid)
    _kill_everything()
    code = child.wait()
    _reap()
    shutil.rmtree(directory, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _wake_on_child() -> int:
    """A file descriptor that becomes readable when a child ends."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def _forward(child: subprocess.Popen[bytes], number: int) -> None:
    if child.poll() is None:
        child.send_signal(number)


def _kill_everything() -> None:
    """Kill every process below this one, and again what they started meanwhile."""
    for _ in range(50):
        below = [
            process
            for process in psutil.Process().children(recursive=True)
            if _status(process) != psutil.STATUS_ZOMBIE
        ]
        if not below:
            return
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_LOOK_SECONDS / 10)


def _reap(spared: int | None = None) -> None:
    """Take note of the dead whose parents are gone, or they would stay in the list of processes."""
    for process in psutil.Process().children():
        if process.pid != spared and _status(process) == psutil.STATUS_ZOMBIE:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_ZOMBIE)


def _end_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
