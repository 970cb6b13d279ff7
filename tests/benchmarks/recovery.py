"""How soon another worker can have the job of one that is interrupted or killed.

    python -m tests.benchmarks.recovery --lease 20

Prints the seconds from a spot notice, from SIGTERM and from SIGKILL until the job's message can be
received again, beside upstream's rule: the whole visibility timeout, which has to be as long as
the longest job (4 hours in the documentation's example of one). Exits 1 unless a notice takes less
than 5 s and a kill no longer than the lease.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import psutil

from distributed_something.local.machines.metadata import FakeMetadata
from distributed_something.protocol.environment import WorkerEnvironment
from tests.benchmarks.simulated import simulated_aws
from tests.benchmarks.worker import make_run

MOST_FROM_NOTICE = 5.0  # seconds
UPSTREAM = 4 * 3600.0
MACHINE = "i-0123456789abcdef0"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lease", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3, help="of each")
    options = parser.parse_args()
    lease, runs = options.lease, options.runs
    disturbances: dict[str, Callable[[subprocess.Popen[bytes], FakeMetadata], None]] = {
        "spot notice": lambda _worker, metadata: metadata.give_notice(),
        "SIGTERM": lambda worker, _metadata: worker.send_signal(signal.SIGTERM),
        "SIGKILL": lambda worker, _metadata: kill_all(worker),
    }
    worst = {}
    with simulated_aws() as variables:
        os.environ.update(variables, AWS_DEFAULT_REGION="us-east-1")
        for name, disturb in disturbances.items():
            times = [measure(disturb, lease) for _ in range(runs)]
            worst[name] = max(times)
            print(
                f"{name:12} {statistics.median(times):7.2f} s (median of {runs}), "
                f"worst {max(times):.2f} s; lease {lease} s; upstream {UPSTREAM:.0f} s",
                flush=True,
            )
    soon = max(worst["spot notice"], worst["SIGTERM"]) < MOST_FROM_NOTICE
    return 0 if soon and worst["SIGKILL"] < lease + 1 else 1


def measure(disturb: Callable[[subprocess.Popen[bytes], FakeMetadata], None], lease: int) -> float:
    """Seconds from a disturbance in the middle of a job until its message can be received."""
    app, url, dead_url = make_run(0)
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody='{"command": ["sleep", "3600"], "group": {"n": 1}}')
    told = WorkerEnvironment(
        app_name=app,
        aws_region="us-east-1",
        sqs_queue_url=url,
        sqs_dead_letter_queue_url=dead_url,
        aws_bucket=f"bucket-{app}",
        log_group_name=app,
        sqs_message_visibility=lease,
    ).to_environment()
    with tempfile.TemporaryDirectory() as folder, FakeMetadata(MACHINE) as metadata:
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            env={
                **os.environ,
                **told,
                **metadata.environment,
                "WORKER_DIRECTORY": str(Path(folder) / "work"),
                "INSTANCE_ID": MACHINE,
            },
            stdout=subprocess.DEVNULL,
        )
        wait_for_tool(worker)
        began = time.monotonic()
        disturb(worker, metadata)
        taken = take(sqs, url) - began
        worker.wait()
    return taken


def wait_for_tool(worker: subprocess.Popen[bytes]) -> None:
    """Wait until the job is well under way."""
    while not any(
        process.name() == "sleep" for process in psutil.Process(worker.pid).children(recursive=True)
    ):
        time.sleep(0.1)
    time.sleep(3)


def take(sqs: Any, url: str) -> float:
    """When the message could be received."""
    while not sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages"):
        pass
    return time.monotonic()


def kill_all(worker: subprocess.Popen[bytes]) -> None:
    """What the end of a machine does: every process at once."""
    processes = psutil.Process(worker.pid).children(recursive=True)
    worker.kill()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended with its parent
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
