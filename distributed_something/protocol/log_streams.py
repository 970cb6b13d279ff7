"""The name of a job's log stream, which the worker writes to and the toolkit reads."""

from __future__ import annotations

import re

LONGEST_STREAM_NAME = 512  # characters, CloudWatch's limit


def stream_name(name: str) -> str:
    """A job's name as CloudWatch allows it for a stream."""
    legal = re.sub(r"[:*\x00-\x1f]", "_", name)[:LONGEST_STREAM_NAME]
    return legal.encode("utf-8", "replace").decode() or "_"
