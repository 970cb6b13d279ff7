"""How soon the program answers: CPU seconds of help, completion, slips and status; their imports.

    python -m tests.benchmarks.start

The baseline is a Python that imports click and nothing else. Each is run several times, and the
least CPU time counts, since a busy computer adds to it. Then what `--help` imports, slowest first,
as `python -X importtime` tells it. `status` is compared with a Python that makes the same requests
with boto3 and nothing else. Exits 1 if an answer takes more than 0.2 s of CPU, or `status` 0.6 s
more than its requests.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

CLONE = Path(__file__).parents[2]
MOST = 0.2  # seconds of CPU
MOST_OF_STATUS = 0.6  # more than its requests
# The clients that `status` of a run that is over makes, and about as many requests.
REQUESTS = """
import boto3, datetime
session = boto3.Session(region_name="us-east-1")
s3, ec2 = session.client("s3"), session.client("ec2")
for _ in range(3):
    s3.list_objects_v2(Bucket="lab-data", Prefix="runs/")
list(ec2.get_paginator("describe_spot_price_history").paginate(InstanceTypes=["m5.xlarge"]))
"""
COMPLETION = {"_RUN_PY_COMPLETE": "bash_complete", "COMP_WORDS": "ds sta", "COMP_CWORD": "1"}
ANSWERS: dict[str, tuple[list[str], dict[str, str]]] = {
    "python and click": (["-c", "import click"], {}),
    "run.py --help": (["run.py", "--help"], {}),
    "run.py status --help": (["run.py", "status", "--help"], {}),
    "run.py statos": (["run.py", "statos"], {}),
    "completion": (["run.py"], COMPLETION),
    "setup_AWS.py --help": (["setup_AWS.py", "--help"], {}),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="runs of each")
    parser.add_argument("--modules", type=int, default=12, help="modules to show")
    arguments = parser.parse_args()
    slowest = 0.0
    for name, (words, environment) in ANSWERS.items():
        seconds = min(cpu_seconds(words, environment) for _ in range(arguments.times))
        slowest = max(slowest, seconds)
        print(f"{seconds:6.3f} s of CPU  {name}")
    print(f"\nWhat --help imports, of {len(imports(['run.py', '--help']))} modules:")
    for seconds, module in imports(["run.py", "--help"])[: arguments.modules]:
        print(f"{seconds:6.3f} s  {module}")
    whole, requests = status_seconds(arguments.times)
    print(f"\n{whole:6.3f} s of CPU  run.py status, of which its requests {requests:.3f} s")
    return 0 if slowest <= MOST and whole - requests <= MOST_OF_STATUS else 1


def status_seconds(times: int) -> tuple[float, float]:
    """What `status` of a run that is over takes of CPU, and what its requests alone take."""
    # What a test of `--help` would import with this module.
    from distributed_something.local.simulator import Simulator
    from tests.account import new_account
    from tests.builders import write_config
    from tests.made_up_run import write_run

    with Simulator() as simulator, TemporaryDirectory() as folder:
        write_run(new_account(simulator), 100)
        config = str(write_config(Path(folder)))
        environment = simulator.environment
        words = ["run.py", "--config", config, "status"]
        whole = min(cpu_seconds(words, environment) for _ in range(times))
        alone = min(cpu_seconds(["-c", REQUESTS], environment) for _ in range(times))
    return whole, alone


def cpu_seconds(words: list[str], environment: dict[str, str]) -> float:
    """What a Python with these words takes of CPU, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(words, environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imports(words: list[str]) -> list[tuple[float, str]]:
    """Seconds and name of each module that is imported, without what it imports itself."""
    said = _run(["-X", "importtime", *words], {}).stderr
    found = []
    for line in said.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdigit():
            found.append((int(parts[0]) / 1e6, parts[2].strip()))
    return sorted(found, reverse=True)


def _run(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=CLONE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
