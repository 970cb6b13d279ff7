"""Play a rehearsal in a process of its own, for tests that end it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from distributed_something.local.rehearsal import rehearse
from distributed_something.local.serving import Served, serve
from tests.builders import settings


def main(verb: str, folder: Path, job_file: Path, runtime: str) -> int:
    """Rehearse or serve; returns 0 if every job was done and nothing was left over."""
    config = settings(DOCKER_CORES=2, MEMORY=2000, DOCKERHUB_TAG=sys.argv[5])
    if verb == "serve":
        serve(config, runtime=runtime, directory=folder, on_ready=_say)
        return 0
    report = rehearse(config, job_file, runtime=runtime, directory=folder)
    return 0 if report.succeeded else 1


def _say(served: Served) -> None:
    print(json.dumps([served.endpoint_url, str(served.fleet_file)]), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
