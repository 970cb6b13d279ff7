"""Remove the containers that carry a label once standard input ends, however its writer ended."""

from __future__ import annotations

import contextlib
import signal
import sys

import docker
from docker.errors import APIError


def main(label: str, value: str) -> None:
    """Wait for the end of standard input, then remove."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    client = docker.from_env()
    for container in client.containers.list(all=True, filters={"label": f"{label}={value}"}):
        with contextlib.suppress(APIError):  # somebody else removes it just now
            container.remove(force=True, v=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
