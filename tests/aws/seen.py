"""Write down what AWS was asked in a test and how it answered, as a file that can be sent on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed_something.aws.session import Aws

_ACCOUNT = re.compile(r"\b\d{12}\b")


class Seen:
    """The calls of a test, in their order; account numbers are left out."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.notes: dict[str, Any] = {}
        self._began = time.time()

    def watch(self, client: Any) -> None:
        """Note every call of a client, with its time, duration and error."""
        started: dict[int, float] = {}

        def begin(model: Any, context: Any, **_: Any) -> None:
            started[id(context)] = time.time()

        def end(model: Any, context: Any, parsed: Any, http_response: Any, **_: Any) -> None:
            now = time.time()
            error = parsed.get("Error", {})
            self.calls.append(
                {
                    "at": round(now - self._began, 1),
                    "operation": f"{model.service_model.service_name}:{model.name}",
                    "seconds": round(now - started.pop(id(context), now), 2),
                    "status": http_response.status_code,
                    "attempts": parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0) + 1,
                    "error": f"{error.get('Code', '')} {error.get('Message', '')}".strip(),
                }
            )

        client.meta.events.register("before-call", begin)
        client.meta.events.register("after-call", end)

    def note(self, what: str, value: Any) -> None:
        """Keep an observation of one of the open points."""
        self.notes[what] = value

    def write(self, folder: Path) -> Path:
        """Write it all to a new file in a folder."""
        path = folder / f"aws-seen-{time.strftime('%Y%m%d-%H%M%S')}.json"
        text = json.dumps({"notes": self.notes, "calls": self.calls}, indent=1, default=str)
        path.write_text(_ACCOUNT.sub("ACCOUNT", text))
        return path


@contextmanager
def watching(aws: Aws, folder: Path) -> Iterator[Seen]:
    """Watch the clients of a test, and write the file however the test ends."""
    seen = Seen()
    for client in (
        aws.sqs,
        aws.ecs,
        aws.ec2,
        aws.s3,
        aws.logs,
        aws.cloudwatch,
        aws.iam,
        aws.quotas,
    ):
        seen.watch(client)
    try:
        yield seen
    finally:
        print(f"What AWS did is in {seen.write(folder)}")


def note_alarms(aws: Aws, app_name: str, seen: Seen) -> None:
    """Note how the machines' alarms stand, and when they last changed."""
    found = aws.cloudwatch.describe_alarms(AlarmNamePrefix=f"{app_name}_i-")["MetricAlarms"]
    known = seen.notes.setdefault("alarms", [])
    for alarm in found:
        now = (alarm["StateValue"], alarm["ActionsEnabled"], alarm["StateUpdatedTimestamp"])
        if now not in known:
            known.append(now)
