"""What one step of the monitor costs, while jobs wait and in the tail: requests, CPU and memory.

    python -m tests.benchmarks.monitor [--machines 1000] [--slots 8] [--jobs 1000000]

The simulated AWS is a process of its own, and so is each measurement: the seconds are those of the
monitor's process alone. Exits 1 if a step takes 100 requests or 2 s of CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import boto3

from distributed_something.aws.session import Aws
from distributed_something.commands.watching.monitor import MonitorState, Pace, step
from distributed_something.definitions.tags import run_tags
from distributed_something.protocol.ledger.facts import Heartbeat
from distributed_something.protocol.ledger.record import FleetRecord, RunRecord, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger

from .simulated import simulated_aws

MOST_REQUESTS = 100
MOST_SECONDS = 2.0
BUCKET = "lab-data"
QUEUE = "CountingQueue"
PART = 1000  # jobs of a job list


@dataclass(frozen=True)
class Step:
    """What one step took."""

    requests: int
    cpu_seconds: float
    peak_mib: float
    by_operation: Mapping[str, int]


def make_run(aws: Aws, machines: int, slots: int, jobs: int) -> RunRecord:
    """A run in its course: machines that joined, busy slots, jobs in the ledger."""
    aws.s3.create_bucket(Bucket=BUCKET)
    aws.sqs.create_queue(QueueName=QUEUE)
    fleet_id = _buy(aws, machines)
    record = RunRecord(
        "Counting",
        "counting",
        QUEUE,
        BUCKET,
        "Counting",
        run_id="20261201-000000-abcd",
        fleets=(FleetRecord("token", {}, machines, fleet_id),),
        tasks_per_machine=1,
        docker_cores=slots,
    )
    save_record(aws.s3, record, None)
    ledger = RunLedger.of(aws.s3, record)
    for start in range(0, jobs, PART):
        ledger.write_job_list(f"{start:09d}", [b"{}"] * min(PART, jobs - start))
    for name in _join(aws, record, fleet_id):
        for slot in range(slots):
            beat = Heartbeat(f"{name}-{slot}", f"job {slot}", f"{slot:020x}", 0.0)
            ledger.machines.write_heartbeat(name, f"slot-{slot}", beat)
    return record


def _buy(aws: Aws, machines: int) -> str:
    tags: Any = [{"Key": k, "Value": v} for k, v in run_tags("Counting", "1").items()]
    data: Any = {"ImageId": "ami-12c6146b", "InstanceType": "m5.large"}
    aws.ec2.create_launch_template(LaunchTemplateName="counting", LaunchTemplateData=data)
    template = {"LaunchTemplateName": "counting", "Version": "$Latest"}
    request: Any = {
        "IamFleetRole": "arn:aws:iam::123456789012:role/fleet",
        "AllocationStrategy": "priceCapacityOptimized",
        "TargetCapacity": machines,
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": template}],
        "TagSpecifications": [{"ResourceType": "spot-fleet-request", "Tags": tags}],
    }
    return aws.ec2.request_spot_fleet(SpotFleetRequestConfig=request)["SpotFleetRequestId"]


def _join(aws: Aws, record: RunRecord, fleet_id: str) -> list[str]:
    """Let every machine join the cluster; their ids."""
    aws.ecs.create_cluster(clusterName=record.cluster)
    aws.ecs.create_service(cluster=record.cluster, serviceName=record.service, desiredCount=0)
    pages = aws.ec2.get_paginator("describe_spot_fleet_instances").paginate(
        SpotFleetRequestId=fleet_id
    )
    names = [one["InstanceId"] for page in pages for one in page["ActiveInstances"]]
    for name in names:
        aws.ecs.register_container_instance(
            cluster=record.cluster, instanceIdentityDocument=json.dumps({"instanceId": name})
        )
    return names


def measure(aws: Aws, record: RunRecord) -> Step:
    """One step of a monitor that has looked before, and will again."""
    state = MonitorState(began=time.time() - 3600)
    state, _ = step(aws, record, state, pace=Pace())  # clients and prices are there from now on
    calls: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        calls[f"{model.service_model.service_name}:{model.name}"] += 1

    aws.session.events.register("before-call", note)
    aws = Aws(aws.session, aws.endpoint_url)
    step(aws, record, replace(state, alarms_seen=0.0), pace=Pace())
    calls.clear()
    began = time.process_time()
    step(aws, record, replace(state, alarms_seen=0.0), pace=Pace())
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Step(sum(calls.values()), round(seconds, 2), round(peak), dict(calls))


def connect(variables: Mapping[str, str]) -> Aws:
    session = boto3.Session(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    )
    return Aws(session, variables["AWS_ENDPOINT_URL"])


def compare(machines: int, slots: int, jobs: int) -> dict[str, Step]:
    """One step while jobs wait, and one in the tail, when each slot is at its last."""
    with simulated_aws() as variables:
        aws = connect(variables)
        record = make_run(aws, machines, slots, jobs)
        url = aws.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        found = {}
        for name, count in (("while jobs wait", 10), ("in the tail", 0)):
            for number in range(count):
                aws.sqs.send_message(QueueUrl=url, MessageBody=str(number))
            found[name] = _in_a_process(variables, record)
            aws.sqs.purge_queue(QueueUrl=url)
            aws.sqs.send_message(QueueUrl=url, MessageBody="the last one")
            aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=3600)
        return found


def _in_a_process(variables: Mapping[str, str], record: RunRecord) -> Step:
    command = [sys.executable, "-m", "tests.benchmarks.monitor", "--measure"]
    environment = {**os.environ, **variables}
    answer = subprocess.run(
        command,
        env=environment,
        input=record.to_json(),
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    return Step(**json.loads(answer.stdout))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        record = RunRecord.from_json(sys.stdin.read(), "stdin")
        print(json.dumps(asdict(measure(connect(os.environ), record))))
        return 0
    steps = compare(given.machines, given.slots, given.jobs)
    for name, one in steps.items():
        print(
            f"{given.machines:,} machines, {given.jobs:,} jobs, {name}: {one.requests} requests, "
            f"{one.cpu_seconds:.2f} s of CPU, {one.peak_mib:.0f} MiB"
        )
        print(f"  {dict(sorted(one.by_operation.items(), key=lambda item: -item[1]))}")
    return int(
        any(
            one.requests >= MOST_REQUESTS or one.cpu_seconds >= MOST_SECONDS
            for one in steps.values()
        )
    )


if __name__ == "__main__":
    sys.exit(main())
