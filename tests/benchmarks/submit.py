"""How fast and in how much memory `submitJob` queues a job file, beside a bare loop that sends.

    python -m tests.benchmarks.submit --groups 1000000

The endpoint is a sink in a process of its own that acknowledges after 20 ms. Each measurement runs
in a new process, the bare loop before and after `submitJob`, since a machine's speed changes.
Exits 1 unless `submitJob` reaches 80 % of the bare loop's mean rate in 150 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from distributed_something.aws.messaging.messages import BATCH_SIZE, THREADS
from distributed_something.aws.session import Aws, make_session
from distributed_something.commands.submitting.submit_job import submit_job
from tests.benchmarks.sink import QUEUE_URL
from tests.builders import settings

MOST_MEMORY = 150  # MB
LEAST_SHARE = 0.8  # of the bare loop's rate
ONE_AT_A_TIME = 500  # messages; more would only take longer
BARE = 200_000  # likewise
COMMAND = "measure --in {input_dir}/{plate}_{well}_s{site}.tif --out {output_dir}/cells.csv"
REGION = "us-east-1"
RUN_ID, JOB_ID = "20261121-142233-a1b2", "0123456789abcdef0123"


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.measure:
        print(json.dumps(MEASUREMENTS[arguments.measure](arguments.groups, arguments.file)))
        return 0
    with tempfile.TemporaryDirectory() as folder, sink(arguments.delay) as endpoint:
        file = Path(folder) / "jobs.json"
        write_job_file(file, arguments.groups)
        results = {}
        for name in ("single", "bare", "submit", "bare again"):
            results[name] = _measure(name.split()[0], arguments.groups, file, endpoint)
            print(_sentence(name, results[name]), flush=True)
    return _verdict(results)


def write_job_file(path: Path, groups: int) -> None:
    """A job file of a screen: plates of 384 wells with 9 sites."""
    shared = {
        "command": COMMAND,
        "inputs": ["projects/screen/{plate}/"],
        "output": "results/{plate}/{well}",
    }
    with path.open("w") as file:
        file.write(json.dumps(shared)[:-1] + ', "groups": [\n')
        for number, group in enumerate(_groups(groups)):
            file.write((",\n" if number else "") + json.dumps(group))
        file.write("\n]}\n")


def _groups(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        plate, rest = divmod(number, 384 * 9)
        well, site = divmod(rest, 9)
        row, column = divmod(well, 24)
        name = f"{chr(ord('A') + row)}{column + 1:02d}"
        yield {"plate": f"BR{plate:08d}", "well": name, "site": site + 1}


@contextmanager
def sink(delay: float) -> Iterator[str]:
    """The address of a sink in a process of its own, which ends with the block."""
    command = [sys.executable, "-m", "tests.benchmarks.sink", "--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def _measure(name: str, groups: int, file: Path, endpoint: str) -> dict[str, float]:
    environment = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION}
    environment |= {"AWS_ACCESS_KEY_ID": "sink", "AWS_SECRET_ACCESS_KEY": "sink"}
    command = [sys.executable, "-m", "tests.benchmarks.submit", "--measure", name]
    command += ["--groups", str(groups), "--file", str(file)]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    result: dict[str, float] = json.loads(output)
    return result


def measure_submit(_groups: int, file: Path) -> dict[str, float]:
    """`submitJob` from the file on disk to the last acknowledgement."""
    begin = time.perf_counter()
    submitted = submit_job(_aws(), settings(), file, folder=file.parent / "files")
    return _result(submitted.count, begin)


def measure_bare(groups: int, _file: Path) -> dict[str, float]:
    """Batches of ready messages, sent in parallel, and nothing else."""
    config = Config(max_pool_connections=THREADS)
    sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config)
    count = min(groups, BARE)
    bodies = (_body(group) for group in _groups(count))

    def send(batch: list[str]) -> None:
        entries: Any = [_entry(str(n), body) for n, body in enumerate(batch)]
        sqs.send_message_batch(QueueUrl=QUEUE_URL, Entries=entries)

    begin = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        while waiting := [
            pool.submit(send, batch)
            for _ in range(20 * THREADS)
            if (batch := list(islice(bodies, BATCH_SIZE)))
        ]:
            for future in waiting:
                future.result()
    return _result(count, begin)


def measure_single(groups: int, _file: Path) -> dict[str, float]:
    """One send_message after the other, as upstream does."""
    aws = _aws()
    begin = time.perf_counter()
    for group in _groups(min(groups, ONE_AT_A_TIME)):
        aws.sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=_body(group))
    return _result(min(groups, ONE_AT_A_TIME), begin)


def _aws() -> Aws:
    return Aws(make_session(REGION), os.environ["AWS_ENDPOINT_URL"])


def _body(group: dict[str, Any]) -> str:
    shared = {
        "command": COMMAND,
        "inputs": ["projects/screen/{plate}/"],
        "output": "results/{plate}/{well}",
    }
    return json.dumps({**shared, "group": group})


def _entry(identity: str, body: str) -> Any:
    values = {"RunId": RUN_ID, "JobId": JOB_ID}
    attributes = {k: {"DataType": "String", "StringValue": v} for k, v in values.items()}
    return {"Id": identity, "MessageBody": body, "MessageAttributes": attributes}


def _result(count: int, begin: float) -> dict[str, float]:
    seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000  # Linux counts KiB
    cpu = time.process_time()
    return {
        "jobs": count, "seconds": seconds, "rate": count / seconds, "memory": memory, "cpu": cpu
    }  # fmt: skip


def _sentence(name: str, result: dict[str, float]) -> str:
    title = {"single": "one at a time", "bare": "bare loop", "submit": "submitJob"}
    return (
        f"{title.get(name, 'and again'):>14}: {result['jobs']:>9,.0f} jobs, "
        f"{result['seconds']:7.1f} s, {result['rate']:7,.0f} jobs/s, "
        f"CPU {1e6 * result['cpu'] / result['jobs']:.0f} us a job, peak {result['memory']:.0f} MB"
    )


def _verdict(results: dict[str, dict[str, float]]) -> int:
    rates = {name: result["rate"] for name, result in results.items()}
    bare = (rates["bare"] + rates["bare again"]) / 2
    share, memory = rates["submit"] / bare, results["submit"]["memory"]
    print(
        f"submitJob has {share:.0%} of the bare loop's rate (at least {LEAST_SHARE:.0%} wanted), "
        f"{rates['submit'] / rates['single']:.0f} times that of one at a time, "
        f"and a peak of {memory:.0f} MB (below {MOST_MEMORY} MB wanted)."
    )
    return 0 if share >= LEAST_SHARE and memory < MOST_MEMORY else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=1_000_000)
    parser.add_argument("--delay", type=float, default=0.02, help="the sink's, in seconds")
    parser.add_argument("--measure", choices=sorted(MEASUREMENTS), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser


MEASUREMENTS = {"submit": measure_submit, "bare": measure_bare, "single": measure_single}

if __name__ == "__main__":
    sys.exit(main())
