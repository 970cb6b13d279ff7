"""Put `command_prefix` before each command: lines that are the arguments of a runner."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import UsageError

if TYPE_CHECKING:
    from ..job_files import JobFile
    from ..jobs import Group

KEY = "command_prefix"


def with_prefix(file: JobFile) -> JobFile:
    """The file with its prefix in the commands, as they are sent; raises UsageError.

    A row or line may have a prefix of its own, and whole messages have theirs in them already.
    """
    shared = {key: value for key, value in file.shared.items() if key != KEY}
    prefix = file.shared.get(KEY)
    if "command" in shared:
        shared["command"] = _joined(prefix, shared["command"])

    def groups() -> Iterator[Group]:
        for group in file.groups():
            yield group._replace(own=_own(group.own, prefix)) if group.own else group

    return replace(file, shared=shared, groups=groups)


def _own(own: Mapping[str, object], prefix: object) -> dict[str, object] | None:
    kept = {key: value for key, value in own.items() if key != KEY}
    if "command" in kept:
        kept["command"] = _joined(own.get(KEY, prefix), kept["command"])
    return kept or None


def _joined(prefix: Any, command: Any) -> object:
    """The command with what comes before it; one of another kind is left for others to refuse."""
    if prefix in (None, "", []):
        return command
    if not _is_command(prefix):
        raise UsageError(f"{KEY} is {prefix!r}; it must be text or a list of texts.")
    if not _is_command(command):
        return command
    if isinstance(command, list):
        return [*(shlex.split(prefix) if isinstance(prefix, str) else prefix), *command]
    words = prefix if isinstance(prefix, str) else shlex.join(prefix)
    return f"{words} {command}"


def _is_command(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(word, str) for word in value)
    return isinstance(value, str)
