"""A run's queue, bucket and log group in the simulated account, and real workers on them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import JOB_ID_ATTRIBUTE, RUN_ID_ATTRIBUTE, job_id
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import Heartbeat
from distributed_something.protocol.ledger.keys import RunKeys, parse_attempt, record_key
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger

REPOSITORY = Path(__file__).parents[2]
RUN_ID = "20261121-142233-a1b2"
PATIENCE = 60.0  # seconds; the most that anything here waits for, not what it takes


def until(what: Callable[[], Any], wanted: str, patience: float = PATIENCE) -> Any:
    """Wait until `what` is true, and return it."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if result := what():
            return result
        time.sleep(0.05)
    raise AssertionError(f"In {patience:g} s it did not happen that {wanted}.")


def children_named(pid: int, text: str) -> list[psutil.Process]:
    """The processes below a worker whose command line holds a text."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if text in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def loops_of(pid: int) -> list[psutil.Process]:
    return children_named(pid, "worker loop")


@dataclass
class World:
    """One run in the simulated account; `variables` are added to every worker's environment."""

    simulator: Simulator
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = f"app{uuid4().hex[:8]}"
        self.bucket = f"bucket-{self.name}"
        self.aws: Aws = self.simulator.aws()
        self.aws.s3.create_bucket(Bucket=self.bucket)
        self.aws.logs.create_log_group(logGroupName=self.name)
        dead = self.aws.sqs.create_queue(QueueName=f"{self.name}Dead")
        self.dead_url = dead["QueueUrl"]
        arn = self.aws.sqs.get_queue_attributes(
            QueueUrl=self.dead_url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1000})
        queue = self.aws.sqs.create_queue(
            QueueName=f"{self.name}Queue", Attributes={"RedrivePolicy": redrive}
        )
        self.queue_url = queue["QueueUrl"]
        self.keys = RunKeys(self.name, RUN_ID)

    # Arranging

    def send(self, message: Mapping[str, Any], run_id: str = RUN_ID) -> str:
        """Queue one job as `submitJob` does; returns its id."""
        identity = job_id(message)
        attributes = {RUN_ID_ATTRIBUTE: run_id, JOB_ID_ATTRIBUTE: identity}
        self.aws.sqs.send_message(
            QueueUrl=self.queue_url,
            MessageBody=json.dumps(message),
            MessageAttributes={
                key: {"DataType": "String", "StringValue": value}
                for key, value in attributes.items()
                if value
            },
        )
        return identity

    def put(self, key: str, body: bytes | str) -> None:
        self.aws.s3.put_object(
            Bucket=self.bucket, Key=key, Body=body.encode() if isinstance(body, str) else body
        )

    def environment(self, **settings: Any) -> dict[str, str]:
        """A worker's whole environment: what the task definition says, and a quick pace."""
        told = WorkerEnvironment(
            **{
                "app_name": self.name,
                "aws_region": "us-east-1",
                "sqs_queue_url": self.queue_url,
                "sqs_dead_letter_queue_url": self.dead_url,
                "aws_bucket": self.bucket,
                "log_group_name": self.name,
                "sqs_message_visibility": 4,
                "job_retries": 3,
                **self.settings,
                **settings,
            }
        )
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": str(REPOSITORY),
            "AWS_DEFAULT_REGION": "us-east-1",
            **self.simulator.worker_environment,
            **told.to_environment(),
            "WORKER_DIRECTORY": str(self.folder / "work"),
            "WORKER_POLL_SECONDS": "1",
            "WORKER_BACKOFF_SECONDS": "0.2",
            "WORKER_GRACE_SECONDS": "3",
            "INSTANCE_ID": "i-0123456789abcdef0",
            **self.variables,
        }

    def start_worker(
        self, variables: Mapping[str, str] | None = None, **settings: Any
    ) -> subprocess.Popen[bytes]:
        """Start a worker as a real process; its log is in the world's folder."""
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "worker"],
                env={**self.environment(**settings), **(variables or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def write_record(self, **changes: Any) -> None:
        """Write the record of the run, as submitJob and startCluster do."""
        names = (self.name, "cluster", f"{self.name}Queue", self.bucket, self.name)
        record = replace(RunRecord(*names, run_id=RUN_ID), **changes)
        self.put(record_key(self.name), record.to_json())

    @property
    def ledger(self) -> RunLedger:
        return RunLedger(self.aws.s3, self.bucket, self.name, RUN_ID)

    # Looking

    def object_keys(self, prefix: str = "") -> list[str]:
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return self.aws.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def results(self, prefix: str | None = None) -> dict[str, bytes]:
        """What is in the bucket below a prefix, by the key's rest."""
        prefix = prefix or f"results/{self.name}/"
        return {key.removeprefix(prefix): self.read(key) for key in self.object_keys(prefix)}

    def attempts(self, job: str = "") -> list[tuple[str, Attempt]]:
        """The attempts of one job or of all, in the order of their keys, with the key's state."""
        prefix = self.keys.attempts_of(job) if job else self.keys.attempts
        return [
            (parse_attempt(key).state.value, Attempt.from_json(self.read(key)))
            for key in self.object_keys(prefix)
        ]

    def ended(self, job: str = "", state: str = "") -> list[Attempt]:
        """Attempts that have ended, in this state or in any."""
        return [a for s, a in self.attempts(job) if s != "started" and state in ("", s)]

    def done(self) -> list[str]:
        return [key.rsplit("/", 1)[1] for key in self.object_keys(self.keys.done_markers)]

    def heartbeats(self) -> list[Heartbeat | None]:
        """What each slot says that it works on, None of one that is idle."""
        bodies = [self.read(key) for key in self.object_keys(self.keys.heartbeats)]
        return [Heartbeat.from_json(body) if body else None for body in bodies]

    def busy(self) -> list[Heartbeat]:
        """What the slots that are at a job say of it."""
        return [beat for beat in self.heartbeats() if beat]

    def counts(self) -> tuple[int, int]:
        """How many messages wait, and how many are in flight."""
        found = self.aws.sqs.get_queue_attributes(
            QueueUrl=self.queue_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return (
            int(found["ApproximateNumberOfMessages"]),
            int(found["ApproximateNumberOfMessagesNotVisible"]),
        )

    def dead_letters(self) -> list[tuple[str, str]]:
        """Each dead letter's body and reason; they are taken out."""
        letters = []
        while messages := self.aws.sqs.receive_message(
            QueueUrl=self.dead_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", []):
            for message in messages:
                reason = message["MessageAttributes"]["Reason"]["StringValue"]
                letters.append((message["Body"], reason))
        return letters

    def log(self, stream: str) -> list[str]:
        """The lines of a job's own stream."""
        try:
            events = self.aws.logs.get_log_events(
                logGroupName=self.name, logStreamName=stream, startFromHead=True
            )["events"]
        except self.aws.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def worker_log(self, number: int = 0) -> str:
        return (self.folder / f"worker-{number}.log").read_text(errors="replace")

    def until_empty(self) -> None:
        until(lambda: self.counts() == (0, 0), "the queue is empty")

    # Ending

    def stop(self) -> list[int]:
        """Tell all workers to end, as ECS does; returns their exit codes."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        return [worker.wait(PATIENCE) for worker in self.workers]

    def close(self) -> None:
        """Kill what a failed test left."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
