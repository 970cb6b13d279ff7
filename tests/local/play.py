"""Play a rehearsal in a process of its own, for tests that end it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from distributed_something.local.rehearsal import rehearse
from distributed_something.local.serving import Served, serve
from tests.builders import settings


def main(verb: str, folder: Path, job_file: Path, runtime: str) -> int:
    """Rehearse or serve; returns 0 if every job was done and nothing was left over."""
    config = settings(MEMORY=2000, DOCKERHUB_TAG=sys.argv[5])
    if verb == "serve":
        serve(config, runtime=runtime, directory=folder, on_ready=_say)
        return 0
    report = rehearse(config, job_file, runtime=runtime, directory=folder)
    return 0 if report.succeeded else 1


def strike(after: str, times: int) -> None:
    """Send this process TERM right after a function of that name returns for the nth time.

    Only calls that make something of ours are counted: a folder by its name, a container.
    """
    left = times

    def watch(frame: FrameType, event: str, function: object) -> None:
        nonlocal left
        if event == "c_return":
            name = getattr(function, "__name__", "")
            is_ours = "distributed-something-" in str(frame.f_locals.get("file", ""))
        else:
            name, is_ours = frame.f_code.co_name, "docker" in frame.f_code.co_filename
        if event.endswith("return") and name == after and is_ours:
            left -= 1
            if not left:
                sys.setprofile(None)
                os.kill(os.getpid(), signal.SIGTERM)

    sys.setprofile(watch)


def _say(served: Served) -> None:
    print(json.dumps([served.endpoint_url, str(served.fleet_file)]), flush=True)


if __name__ == "__main__":
    if wanted := os.environ.get("STRIKE_AFTER"):
        name, count = wanted.split()
        strike(name, int(count))
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
