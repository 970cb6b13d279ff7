"""Run a job's command, pass on what it prints, measure it, end it with all that it started."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from .blame import PERMANENT_ERRORS
from .outcomes import Hopeless
from .processes import kill_descendants

LONGEST_LINE = 16 * 1024  # bytes; a longer one is shown in pieces
_READ = 64 * 1024
_FIRST_SAMPLE, _SAMPLE = 0.05, 1.0  # seconds
_DISK_SAMPLE = 15.0
_MIB = 2**20
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


class CannotStart(Exception):
    """The command's program does not exist or cannot be run; `is_permanent` if of what it is."""

    def __init__(self, reason: str, is_permanent: bool = False) -> None:
        super().__init__(reason)
        self.is_permanent = is_permanent


@dataclass(frozen=True)
class ToolResult:
    """How a command ended; `ended` is why we ended it, empty if it ended by itself."""

    exit_code: int  # minus a signal's number, if one ended it
    seconds: float
    peak_memory_mib: float
    peak_disk_mib: float
    ended: str = ""


@dataclass
class _Peaks:
    memory: float = 0.0  # bytes
    disk: float = 0.0
    kernel: float = 0.0  # what the kernel says was the largest process


@dataclass(frozen=True)
class _Limits:
    """What ends a command that does not end by itself."""

    why_end: Callable[[], str]
    started: float  # by the monotonic clock
    timeout: float | None  # seconds
    memory: float | None  # MiB

    @property
    def age(self) -> float:
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float:
        return math.inf if self.timeout is None else max(0.0, self.timeout - self.age)

    def why_end_now(self, peaks: _Peaks) -> str:
        """The reason to end the command now; empty if there is none."""
        if reason := self.why_end():
            return reason
        if self.timeout is not None and self.age >= self.timeout:
            return f"it ran longer than its timeout of {self.timeout:g} s"
        if self.memory is not None and peaks.memory > self.memory * _MIB:
            return (
                f"it used {peaks.memory / _MIB:.0f} MiB of memory, more than its memory_limit of "
                f"{self.memory:g} MiB"
            )
        return ""


def run_tool(
    argv: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *,
    on_line: Callable[[str], None],
    wake: threading.Event,
    why_end: Callable[[], str],
    timeout: float | None,
    grace: Callable[[], float],
    memory_limit: float | None = None,
) -> ToolResult:
    """Run a command in a directory until it and all that it started are gone.

    `why_end` is asked whenever `wake` is set: a reason ends the command, with TERM first and with
    KILL after `grace()` seconds; so do `timeout`, in seconds, and `memory_limit`, in MiB of all
    that it started, as seen about once a second. Raises CannotStart, and Hopeless for words that
    no machine could start a command with.
    """
    limits = _Limits(why_end, time.monotonic(), timeout, memory_limit)
    process = _start(argv, directory, environment)
    peaks, ended = _Peaks(), threading.Event()
    reader = _in_background(_read_lines, process, on_line)
    _in_background(_wait, process, peaks, ended, wake)
    try:
        reason = _watch(process, directory, peaks, ended, wake, limits)
        if reason:
            _end(process, ended, grace())
    finally:
        _kill_group(process)
        ended.wait()
        kill_descendants()
        reader.join()
    if not reason:  # who ends a tool has no time for a walk through all its files
        peaks.disk = max(peaks.disk, _folder_bytes(directory))
    memory = max(peaks.memory, peaks.kernel)
    return ToolResult(process.returncode, limits.age, _mib(memory), _mib(peaks.disk), reason)


def _mib(size: float) -> float:
    return round(size / _MIB, 1)


def _in_background(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    return thread


def _start(
    argv: Sequence[str], directory: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise Hopeless(
                f"{argv[0][:60]!r} cannot be started: its arguments and variables are longer than "
                "this system takes. Put long texts in a file among the inputs."
            ) from error
        reason = f"{argv[0]!r} cannot be started: {error.strerror or error}."
        raise CannotStart(reason, error.errno in PERMANENT_ERRORS) from error
    except ValueError as error:
        raise Hopeless(
            f"{argv[0][:60]!r} cannot be started: one of its arguments or variables has a "
            f"character that none can have ({error})."
        ) from error


def _wait(
    process: subprocess.Popen[bytes], peaks: _Peaks, ended: threading.Event, wake: threading.Event
) -> None:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # A child starts as a copy of this process, so a figure near our own says nothing of the tool.
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if usage.ru_maxrss > 1.5 * ours:
        peaks.kernel = usage.ru_maxrss * _MAXRSS_UNIT
    ended.set()
    wake.set()


def _watch(
    process: subprocess.Popen[bytes],
    directory: Path,
    peaks: _Peaks,
    ended: threading.Event,
    wake: threading.Event,
    limits: _Limits,
) -> str:
    """Measure until the process ends (an empty answer) or there is a reason to end it."""
    pause = _FIRST_SAMPLE
    disk_at = limits.started + _DISK_SAMPLE
    while not ended.is_set():
        if reason := limits.why_end_now(peaks):
            return reason
        wake.wait(min(pause, limits.seconds_left))
        wake.clear()
        pause = min(_SAMPLE, pause * 2)
        if not ended.is_set():
            peaks.memory = max(peaks.memory, _tree_bytes(process.pid))
            if time.monotonic() >= disk_at:
                before = time.monotonic()
                peaks.disk = max(peaks.disk, _folder_bytes(directory))
                # A folder of a million files must not keep us busy.
                disk_at = time.monotonic() + max(_DISK_SAMPLE, 20 * (time.monotonic() - before))
    return ""


def _end(process: subprocess.Popen[bytes], ended: threading.Event, grace: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    ended.wait(grace)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the command's process group, its leader included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _read_lines(process: subprocess.Popen[bytes], on_line: Callable[[str], None]) -> None:
    """Pass on lines until the pipe's last writer is gone; pieces of a line that does not end."""
    assert process.stdout is not None
    rest = b""
    with process.stdout as pipe:
        while chunk := os.read(pipe.fileno(), _READ):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                _pass_on(line, on_line)
            while len(rest) > LONGEST_LINE:
                _pass_on(rest[:LONGEST_LINE], on_line)
                rest = rest[LONGEST_LINE:]
    if rest:
        _pass_on(rest, on_line)


def _pass_on(line: bytes, on_line: Callable[[str], None]) -> None:
    for start in range(0, max(1, len(line)), LONGEST_LINE):
        piece = line[start : start + LONGEST_LINE].decode("utf-8", "replace")
        on_line(piece.rstrip("\r").replace("\0", "\N{REPLACEMENT CHARACTER}"))


def _tree_bytes(pid: int) -> float:
    """The memory that a process and all below it hold now."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_info().rss
    return total


def _folder_bytes(directory: Path) -> float:
    """What a folder takes on its disk."""
    total = 0.0
    for root, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_blocks * 512  # noqa: PTH118
    return total
