"""The simulated AWS in a process of its own, so that it shares no lock with what is measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SETTINGS = {"AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated"}


@contextmanager
def simulated_aws() -> Iterator[str]:
    """Serve it while in here; gives its endpoint."""
    command = [sys.executable, "-m", "tests.benchmarks.simulated"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


def main() -> None:
    from distributed_something.local.simulator import Simulator

    with Simulator() as simulator:
        print(simulator.endpoint_url, flush=True)
        sys.stdin.read()  # until whoever started us closes it, or ends


if __name__ == "__main__":
    main()
