"""Decide whether a job has succeeded, by the conditions that its `done_when` sets.

Only files that are kept count: those that a link has outside the output folder are not.
"""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

from distributed_something.protocol.done_when import DoneWhen

from ..files.results import is_kept

_KILLED_BELOW_A_SHELL = 128 + signal.SIGKILL
_BUS_ERROR_BELOW_A_SHELL = 128 + signal.SIGBUS
_MEMORY = (
    "most often because the container's memory ran out: give it more with MEMORY, or run fewer "
    "jobs at once with DOCKER_CORES."
)


_SHARED_MEMORY = (
    "most often because its shared memory (/dev/shm) was full: give it more with SHARED_MEMORY_MB."
)
# What a tool's last lines say that it ran out of, and the constant that gives it more.
_SAID = (
    (
        re.compile(r"bus error|out of shared memory|no space left.*/dev/shm", re.IGNORECASE),
        "SHARED_MEMORY_MB",
        f"It ended so {_SHARED_MEMORY}",
    ),
    (
        re.compile(r"too many open files", re.IGNORECASE),
        "ULIMITS",
        "It may have no more files open at once: allow more with ULIMITS = {'nofile': 65536}.",
    ),
)
_START_LINE = "start run "  # the command itself, which may hold any words


def what_is_missing(conditions: DoneWhen, output: Path, exit_code: int) -> str | None:
    """The first condition that does not hold, as a sentence; None if the job has succeeded."""
    if conditions.exit_code is not None and exit_code not in conditions.exit_code:
        return exit_sentence(exit_code)
    for check in (_too_few_files, _wrong_file, _too_few_matches, _no_json_path):
        if reason := check(conditions, output):
            return reason
    return None


def exit_sentence(exit_code: int) -> str:
    """An exit code in words."""
    if exit_code == _KILLED_BELOW_A_SHELL:
        return f"The command ended with exit code {exit_code}: a part of it was killed, {_MEMORY}"
    if exit_code == _BUS_ERROR_BELOW_A_SHELL:
        return (
            f"The command ended with exit code {exit_code}: a part of it was ended by SIGBUS, "
            f"{_SHARED_MEMORY}"
        )
    if exit_code >= 0:
        return f"The command ended with exit code {exit_code}."
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name == "SIGKILL":
        return f"The command was killed (SIGKILL), {_MEMORY}"
    if name == "SIGBUS":
        return f"The command was ended by SIGBUS, {_SHARED_MEMORY}"
    return f"The command was ended by {name}."


def what_it_lacked(reason: str, last_lines: str) -> str:
    """What to add to a failure by what the tool printed last; '' if that names no known lack."""
    lines = [line for line in last_lines.splitlines() if not line.startswith(_START_LINE)]
    for said, constant, advice in _SAID:
        if constant not in reason and any(map(said.search, lines)):
            return f" {advice}"
    return ""


def _files(conditions: DoneWhen, output: Path, pattern: str) -> int:
    """How many files that match a pattern are kept and large enough."""
    inside = output.resolve()
    kept = (path for path in output.glob(pattern) if is_kept(path, inside))
    return sum(1 for path in kept if path.stat().st_size >= conditions.min_file_bytes)


def _too_few_files(conditions: DoneWhen, output: Path) -> str | None:
    if not conditions.min_files:
        return None
    count = _files(conditions, output, "**/*")
    if count >= conditions.min_files:
        return None
    size = f" of at least {conditions.min_file_bytes} bytes" if conditions.min_file_bytes else ""
    return (
        f"The output folder has {count} files of its own{size}; "
        f"done_when.min_files wants {conditions.min_files}."
    )


def _wrong_file(conditions: DoneWhen, output: Path) -> str | None:
    if conditions.file is None:
        return None
    path = output / conditions.file
    if not is_kept(path, output.resolve()):
        return f"The output folder has no file {conditions.file!r}, which done_when.file wants."
    if conditions.first_line is None:
        return None
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline(len(conditions.first_line) + 1000).strip()
    if first == conditions.first_line.strip():
        return None
    return (
        f"The first line of {conditions.file!r} is {first[:200]!r}; "
        f"done_when.first_line wants {conditions.first_line!r}."
    )


def _too_few_matches(conditions: DoneWhen, output: Path) -> str | None:
    for pattern, wanted in conditions.glob:
        count = _files(conditions, output, pattern)
        if count < wanted:
            return f"{count} output files match {pattern!r}; done_when.glob wants {wanted}."
    return None


def _no_json_path(conditions: DoneWhen, output: Path) -> str | None:
    if conditions.json_file is None or conditions.json_path is None:
        return None
    try:
        value = json.loads((output / conditions.json_file).read_bytes())
    except OSError:
        return f"There is no file {conditions.json_file!r}, which done_when.json_file wants."
    except ValueError as error:
        return f"{conditions.json_file!r} is not JSON: {error}."
    for part in conditions.json_path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return f"{conditions.json_file!r} has no {conditions.json_path!r}: {part!r} is missing."
    return None
