"""A run in the simulated account: the verbs up to its machines, and workers that a test plays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from distributed_something.aws.account import lambdas, schedules
from distributed_something.aws.messaging import queues
from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.cancelling.cancel import cancel
from distributed_something.commands.runs.runs import ensure_run
from distributed_something.commands.setting_up.lambda_package import lambda_package
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.definitions.account import (
    ACCOUNT_TAGS,
    LAMBDA_ROLE,
    SCHEDULE_GROUP,
    function_request,
)
from distributed_something.inputs.settings import Settings
from distributed_something.local.machines.scheduler import Scheduler
from distributed_something.local.machines.spot_machines import Interruptions, Machines
from distributed_something.local.simulator import ACCOUNT, Rules
from distributed_something.protocol.jobs import Job
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import Heartbeat
from distributed_something.protocol.ledger.keys import new_attempt_id
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger

from .account import open_account, write_fleet_file
from .builders import settings as make_settings
from .builders import write_json
from .clock import Clock


@dataclass(frozen=True)
class Held:
    """A job that a played worker has taken."""

    job: Job
    instance_id: str
    handle: str
    attempt_id: str = "1"


@dataclass
class Life:
    """One app in the simulated account, its folder on this machine and its time."""

    aws: Aws
    settings: Settings
    folder: Path
    clock: Clock
    workers_stop: bool = True  # False: a worker that is told to stop takes its time

    def __post_init__(self) -> None:
        # Clients of its own, so that a test that watches or denies our calls does not see these.
        self.world = Aws(self.aws.session, self.aws.endpoint_url)
        self.machines = Machines(self.world, Interruptions())
        self.scheduler = Scheduler(self.world, most_tasks=100)

    @property
    def times(self) -> dict[str, Any]:
        return {"sleep": self.clock.sleep, "now": self.clock.now}

    def set_up(self) -> None:
        setup(self.aws, self.settings, **self.times)

    def submit(self, *names: str) -> None:
        groups = [{"name_of_it": name} for name in names]
        content = {"command": "true", "name": "{name_of_it}", "groups": groups}
        self.submit_file(write_json(self.folder / "jobs.json", content))

    def submit_file(self, path: Path) -> None:
        submit_job(self.aws, self.settings, path, folder=self.folder, **self.times)

    def buy(self, joins: bool = True) -> RunRecord:
        """Buy the machines, and let them join the cluster."""
        path = write_fleet_file(self.aws, self.folder)
        record = start_cluster(self.aws, self.settings, path, folder=self.folder, **self.times)
        if joins:
            self.tick()
        return record

    def cancel(self) -> None:
        cancel(self.aws, self.settings, folder=self.folder, **self.times)

    def record(self) -> RunRecord:
        """The app's run, begun if there is none."""
        return ensure_run(self.aws, self.settings, folder=self.folder, now=self.clock.now)

    def tick(self) -> None:
        """Let EC2 and ECS do what they do by themselves: refill, join, place, stop."""
        self.machines.update()
        self.scheduler.update()
        clusters = self.world.ecs.list_clusters()["clusterArns"] if self.workers_stop else []
        for cluster in clusters:
            self._end_stopping_tasks(cluster)

    def _end_stopping_tasks(self, cluster: str) -> None:
        ecs = self.world.ecs
        arns = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
        for arn in arns:
            ecs.submit_task_state_change(cluster=cluster, task=arn, status="STOPPED", reason="TERM")

    def take(self, record: RunRecord, instance_id: str) -> Held:
        """Receive a job as a worker on a machine would, and say so in its heartbeat."""
        url = queues.find_queue(self.aws.sqs, record.queue_name)
        message = self.aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"][0]
        held = Held(
            Job.from_message(message["Body"]),
            instance_id,
            message["ReceiptHandle"],
            new_attempt_id(self.clock.now()),
        )
        self._write_attempt(record, held, "started")
        self.beat(record, instance_id, held.job)
        return held

    def beat(self, record: RunRecord, instance_id: str, job: Job | None) -> None:
        """Say what a machine's slot is at; None if it is idle."""
        work = Heartbeat(job.job_id, job.name, "", 0.0) if job else None
        RunLedger.of(self.aws.s3, record).machines.write_heartbeat(instance_id, "slot", work)

    def drop(self, record: RunRecord, held: Held) -> None:
        """Delete a job's message."""
        url = queues.find_queue(self.aws.sqs, record.queue_name)
        self.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=held.handle)

    def mark_done(self, record: RunRecord, held: Held) -> None:
        attempt = self._write_attempt(record, held, "done")
        RunLedger.of(self.aws.s3, record).mark_done(attempt)

    def fail(self, record: RunRecord, held: Held, reason: str) -> None:
        """End an attempt badly."""
        self._write_attempt(record, held, "failed", reason)

    def _write_attempt(
        self, record: RunRecord, held: Held, state: str, reason: str = ""
    ) -> Attempt:
        began = int(held.attempt_id.split("-")[0]) / 1000
        ended = None if state == "started" else self.clock.now()
        attempt = Attempt(
            *(held.job.job_id, held.job.name, held.attempt_id, 1, state, held.instance_id),
            *("slot", began, ended),
            reason=reason,
        )
        RunLedger.of(self.world.s3, record).write_attempt(attempt)
        return attempt

    def finish(self, record: RunRecord, *held: Held) -> None:
        """End jobs well, as a worker does."""
        for one in held:
            self.mark_done(record, one)
            self.drop(record, one)
            self.beat(record, one.instance_id, None)

    def instances(self) -> list[str]:
        """The ids of all machines that run."""
        return sorted(self.machines.joined)


@contextmanager
def open_life(folder: Path, rules: Rules | None = None, **constants: object) -> Iterator[Life]:
    """An empty account with a bucket, and an app in it; both have the same clock."""
    clock = Clock()
    # Time stands still unless somebody sleeps, so that no bucket of requests would fill again.
    rules = rules or Rules(deleted_queue_seconds=0.0, is_throttled=False)
    rules = replace(rules, clock=clock.now)
    with open_account(rules) as aws:
        yield Life(aws, make_settings(**constants), folder, clock)


def add_lambda(aws: Aws) -> None:
    """What of `setup_AWS.py` a run with AUTO_MONITOR needs, made quickly."""
    aws.iam.create_role(RoleName=LAMBDA_ROLE, AssumeRolePolicyDocument="{}")
    request = function_request(ACCOUNT, "nothing.handler")
    code = lambda_package("distributed_something.errors")
    lambdas.ensure_function(aws.lambdas, request, code, ACCOUNT_TAGS)
    schedules.ensure_group(aws.scheduler, SCHEDULE_GROUP, ACCOUNT_TAGS)


def record_on_disk(life: Life) -> dict[str, Any]:
    """The monitor file in the app's folder."""
    path = life.folder / f"{life.settings.app_name}SpotFleetRequestId.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def put_alarm(aws: Aws, name: str) -> None:
    """An alarm as a worker makes one for its machine."""
    aws.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="DistributedSomething",
        MetricName="BusySlots",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=15,
        Threshold=1.0,
        ComparisonOperator="LessThanThreshold",
    )


@contextmanager
def watch_calls(aws: Aws) -> Iterator[list[str]]:
    """The names of all operations that are called meanwhile, in order."""
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    with handling(clients(aws), "before-call", note):
        yield calls


@contextmanager
def refusing(client: Any, operation: str) -> Iterator[None]:
    """AWS denies one operation meanwhile."""
    denied = {"Error": {"Code": "AccessDenied", "Message": "You may not."}}

    def refuse(**_: Any) -> None:
        raise ClientError(denied, operation)  # type: ignore[arg-type]

    with handling([client], f"before-call.*.{operation}", refuse):
        yield


class _Raw:
    """The body of an answer that no server sent."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.content


def answer(status: int, content: bytes) -> AWSResponse:
    """An HTTP answer, to give in the place of AWS's."""
    return AWSResponse("http://aws", status, HTTPHeaders(), _Raw(content))


@contextmanager
def swallowing(client: Any, operation: str) -> Iterator[None]:
    """One operation is answered with success meanwhile, and never done."""

    def swallow(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        return answer(200, b""), {}

    with handling([client], f"before-call.*.{operation}", swallow):
        yield


def clients(aws: Aws) -> list[Any]:
    some = [aws.sqs, aws.ecs, aws.ec2, aws.s3, aws.logs, aws.cloudwatch, aws.ssm, aws.iam]
    return [*some, aws.lambdas, aws.scheduler]


@contextmanager
def handling(some: list[Any], event: str, handler: Callable[..., Any]) -> Iterator[None]:
    for client in some:
        client.meta.events.register(event, handler)
    try:
        yield
    finally:
        for client in some:
            client.meta.events.unregister(event, handler)
