"""The simulated AWS in a process of its own, so that it shares no lock with what is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def simulated_aws() -> Iterator[dict[str, str]]:
    """Serve it while in here; gives the variables that lead a process there."""
    command = [sys.executable, "-m", "tests.benchmarks.simulated"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


def main() -> None:
    from distributed_something.local.simulator import Rules, Simulator

    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        print(json.dumps(simulator.environment), flush=True)
        sys.stdin.read()  # until whoever started us closes it, or ends


if __name__ == "__main__":
    main()
