"""Read lines of CloudWatch logs: of one stream, of a whole group, and as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...protocol.values.secrets import redacted

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient


@dataclass(frozen=True)
class LogLine:
    """One event; `time` is in seconds since 1970."""

    time: float
    stream: str
    text: str
    event_id: str = ""


def find_lines(
    logs: CloudWatchLogsClient, group: str, words: Sequence[str], since: float, most: int
) -> list[str]:
    """The texts of a group's lines since a time that hold any of these words, `most` at most."""
    pattern = " ".join(f'?"{word}"' for word in words)
    lines = iterate_lines(logs, group, since=since, pattern=pattern)
    found = (line.text for line in lines if any(word in line.text for word in words))
    return list(islice(found, most))


def iterate_lines(
    logs: CloudWatchLogsClient,
    group: str,
    *,
    streams: Sequence[str] = (),
    prefix: str = "",
    since: float = 0.0,
    until: float | None = None,
    pattern: str = "",
) -> Iterator[LogLine]:
    """The lines of a group in the order of their times, of some streams if these are named.

    Tokens of known forms are hidden in them. `since` and `until` are in seconds since 1970. None
    for a group or a stream that does not exist.
    """
    request: dict[str, Any] = {"logGroupName": group, "startTime": int(since * 1000)}
    if until is not None:
        request["endTime"] = int(until * 1000)
    if streams:
        request["logStreamNames"] = list(streams)
    elif prefix:
        request["logStreamNamePrefix"] = prefix
    if pattern:
        request["filterPattern"] = pattern
    try:
        for page in logs.get_paginator("filter_log_events").paginate(**request):
            for event in page["events"]:
                yield LogLine(
                    event["timestamp"] / 1000,
                    event.get("logStreamName", ""),
                    redacted(event.get("message", "").rstrip("\n")),
                    event.get("eventId", ""),
                )
    except logs.exceptions.ResourceNotFoundException:
        return
