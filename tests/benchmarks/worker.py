"""What a worker costs a job whose tool does nothing, beside the bare sequence of the same calls.

    python -m tests.benchmarks.worker --jobs 300

The bare sequence makes the same requests one after the other and starts the same tool. Upstream's
fixed cost is its 30 s sleep before every upload and one start of the AWS command line, which is
measured here if it is installed. Exits 1 unless the worker is within twice the bare sequence.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import RUN_ID_ATTRIBUTE
from distributed_something.protocol.ledger.keys import RunKeys
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.benchmarks.simulated import simulated_aws

RUN_ID = "20261121-142233-a1b2"
MOST = 2.0  # times the bare sequence
UPSTREAM_SLEEP = 30.0  # seconds before each upload


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=300)
    jobs = parser.parse_args().jobs
    with simulated_aws() as variables:
        os.environ.update(variables, AWS_DEFAULT_REGION="us-east-1")
        bare = min(measure_bare(jobs), measure_bare(jobs))
        ours = min(measure_worker(jobs), measure_worker(jobs))
    print(f"bare sequence of the same calls: {1000 * bare:7.1f} ms a job")
    print(f"the worker:                      {1000 * ours:7.1f} ms a job, {ours / bare:.2f} times")
    print(f"upstream's fixed cost:           {1000 * upstream():7.1f} ms a job")
    return 0 if ours <= MOST * bare else 1


def make_run(jobs: int) -> tuple[str, str, str]:
    """A queue of jobs and a bucket; gives the app, the queue, and the dead letters."""
    app = f"app{uuid4().hex[:8]}"
    boto3.client("s3").create_bucket(Bucket=f"bucket-{app}")
    boto3.client("logs").create_log_group(logGroupName=app)
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=app)["QueueUrl"]
    for number in range(jobs):
        sqs.send_message(
            QueueUrl=url,
            MessageBody=json.dumps({"command": ["true"], "group": {"number": number}}),
            MessageAttributes={RUN_ID_ATTRIBUTE: {"DataType": "String", "StringValue": RUN_ID}},
        )
    return app, url, sqs.create_queue(QueueName=f"{app}Dead")["QueueUrl"]


def measure_bare(jobs: int) -> float:
    """Seconds a job that the requests and the tool's start take by themselves."""
    app, url, _ = make_run(jobs)
    s3, sqs, logs = boto3.client("s3"), boto3.client("sqs"), boto3.client("logs")
    keys, bucket = RunKeys(app, RUN_ID), f"bucket-{app}"
    began = time.monotonic()
    for number in range(jobs):
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"]
        job, receipt = f"{number:020d}", message["ReceiptHandle"]
        _is_there(s3, bucket, keys.done(job))
        _put(s3, bucket, f"{keys.attempts_of(job)}1.started.i.s")
        logs.create_log_stream(logGroupName=app, logStreamName=job)
        subprocess.run(["true"], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=60)
        _is_there(s3, bucket, keys.done(job))
        _put(s3, bucket, f"{keys.attempts_of(job)}1.done.i.s.0.1.1.1.0.0.-.-")
        _put(s3, bucket, keys.done(job), IfNoneMatch="*")
        logs.put_log_events(
            logGroupName=app,
            logStreamName=job,
            logEvents=[{"timestamp": int(time.time() * 1000), "message": "start run"}],
        )
        sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
    return (time.monotonic() - began) / jobs


def _put(s3: Any, bucket: str, key: str, **more: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 500, **more)


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError:
        return False
    return True


def measure_worker(jobs: int) -> float:
    """Seconds a job that a worker of one loop takes, its own start left out."""
    app, url, dead_url = make_run(jobs)
    told = WorkerEnvironment(
        app_name=app,
        aws_region="us-east-1",
        sqs_queue_url=url,
        sqs_dead_letter_queue_url=dead_url,
        aws_bucket=f"bucket-{app}",
        log_group_name=app,
    ).to_environment()
    ledger = RunLedger(boto3.client("s3"), f"bucket-{app}", app, RUN_ID)
    with tempfile.TemporaryDirectory() as folder:
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            env={
                **os.environ,
                **told,
                "WORKER_DIRECTORY": str(Path(folder) / "work"),
                "WORKER_POLL_SECONDS": "1",
                "INSTANCE_ID": "benchmark",
            },
            stdout=subprocess.DEVNULL,
        )
        try:
            times = _done_times(ledger, jobs)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
    return (max(times) - min(times)) / (jobs - 1)


def _done_times(ledger: RunLedger, jobs: int) -> list[float]:
    """When each job was done, by its attempt; waits until all are."""
    while len(ledger.ended_jobs()[0]) < jobs:
        time.sleep(1)
    ends = (attempt.ended for attempt in ledger.read_attempts(ledger.done_attempts()))
    return [ended for ended in ends if ended is not None]


def upstream() -> float:
    """Upstream's sleep, and one start of the AWS command line where there is one."""
    if shutil.which("aws") is None:
        return UPSTREAM_SLEEP
    began = time.monotonic()
    subprocess.run(["aws", "--version"], check=True, capture_output=True)
    return UPSTREAM_SLEEP + time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
