"""Where a job's lines are: the name of its own stream, and their form in its machine's."""

from __future__ import annotations

import re

LONGEST_STREAM_NAME = 512  # characters, CloudWatch's limit
SHARED_LINE = "%s | %s"  # name and line, where a job has no stream of its own
_SHARED = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ \S+ (?P<rest>.*)", re.DOTALL)


def stream_name(name: str) -> str:
    """A job's name as CloudWatch allows it for a stream."""
    legal = re.sub(r"[:*\x00-\x1f]", "_", name)[:LONGEST_STREAM_NAME]
    return legal.encode("utf-8", "replace").decode() or "_"


def parse_shared_line(text: str, name: str | None) -> tuple[str, str] | None:
    """The job and what it printed, of a line in its machine's stream; None if it is no such line.

    With a name it is that job's lines alone; without, the name ends at the first ` | `.
    """
    found = _SHARED.fullmatch(text)
    if found is None:
        return None
    if name is not None:
        start = SHARED_LINE % (name, "")
        return (name, found["rest"][len(start) :]) if found["rest"].startswith(start) else None
    job, bar, line = found["rest"].partition(" | ")
    return (job, line) if bar else None
