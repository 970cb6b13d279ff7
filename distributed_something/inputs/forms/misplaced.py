"""Find settings in the wrong file: constants of config.py in job files, and keys of jobs there."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ...protocol.jobs import RESERVED_KEYS
from ..near_names import likely_meant

# What ends a run that costs too much or fails: in a job file it would limit nothing.
GUARDS = frozenset({"MAX_COST", "MAX_HOURS", "MAX_FAILURES"})


class Misplaced(NamedTuple):
    """A key of a job file that is a constant of config.py, which limits a run or not."""

    key: str
    constant: str

    @property
    def is_guard(self) -> bool:
        return self.constant in GUARDS

    @property
    def sentence(self) -> str:
        if not self.is_guard:
            return f"`{self.key}` has no effect here: {self.constant} belongs in config.py."
        return (
            f"`{self.key}` limits nothing here: {self.constant} belongs in config.py. A value of "
            f'your own needs another name, or "own_keys": ["{self.key}"].'
        )


def misplaced_constants(
    given: Collection[str], used: Collection[str], known: Collection[str], *, has_command: bool
) -> Iterator[Misplaced]:
    """The keys that are constants of config.py (`known`), and of which no template makes anything.

    Without a command, small letters may be a value that `worker/something.py` reads, unless they
    would be a limit.
    """
    for key in sorted(set(given) - set(used) - RESERVED_KEYS):
        capitals = key.upper()
        if guard := capitals if capitals in GUARDS else likely_meant(key, GUARDS):
            yield Misplaced(key, guard)
        elif key in known or (has_command and "_" in key and capitals in known):
            yield Misplaced(key, capitals)


def misplaced_keys(constants: Collection[str], known: Collection[str], source: str) -> list[str]:
    """A sentence for each constant that is a job's key in capitals, and has no effect in a config.

    `source` is the text of the config: a constant from which it makes others is its author's own.
    """
    names = {name for name in constants if name.lower() in RESERVED_KEYS} - set(known)
    if not names:
        return []
    read = {
        node.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return [
        f"{name} has no effect here: `{name.lower()}` belongs in the job file, or in JOB_DEFAULTS."
        for name in sorted(names - read)
    ]
