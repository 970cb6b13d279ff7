"""What failed in a run, in one block: the same at the end of every verb that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from ...run.failures import FailureGroup
from ...words import count_of
from ..people import say

_KINDS = 10  # of what may be as many as jobs


def failure_lines(groups: Sequence[FailureGroup]) -> list[str]:
    """A head and a line for each kind of failure; empty if nothing failed."""
    if not groups:
        return []
    total = sum(group.count for group in groups)
    lines = [f"Failed: {count_of(total, 'job')}."]
    lines += [f"  {group.sentence}" for group in groups[:_KINDS]]
    if rest := groups[_KINDS:]:
        lines.append(
            f"  and {count_of(sum(group.count for group in rest), 'job')} for other reasons"
        )
    return lines


def say_failures(groups: Sequence[FailureGroup]) -> None:
    """Show the block on stderr."""
    for number, line in enumerate(failure_lines(groups)):
        say(line, style="red" if number else "bold red")
