"""How many calls a teardown takes, and when its fleet is cancelled.

    python -m tests.benchmarks.teardown [10 100 1000]

Machines cost money until they are gone, so the time to the cancellation counts most. The rest goes
in batches: the number of calls grows with a hundredth of the number of machines and alarms.
The simulated EC2 itself takes long to end a thousand machines, so its time is told apart from ours.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Any

from distributed_something.aws.session import Aws
from distributed_something.commands.removing.tear_down import tear_down
from distributed_something.definitions.tags import run_tags
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.record import FleetRecord, RunRecord, save_record
from distributed_something.protocol.machine_alarm import machine_alarm

SIZES = (10, 100, 1000)
BUCKET = "lab-data"


@dataclass(frozen=True)
class Measured:
    """One teardown; times in seconds from its first call."""

    machines: int
    calls: int
    before_cancel: int  # calls before the fleet was cancelled
    asked: float  # when the cancellation was sent
    cancelled: float  # when it was answered
    ended: float


def measure(machines: int) -> Measured:
    """Tear down a run with so many machines, each with its alarm."""
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        aws = simulator.aws()
        record = make_run(aws, machines)
        return watch(aws, record, machines)


def make_run(aws: Aws, machines: int) -> RunRecord:
    """A run as startCluster leaves it, with an alarm for each machine."""
    aws.s3.create_bucket(Bucket=BUCKET)
    tags = [{"Key": key, "Value": value} for key, value in run_tags("Counting", "1").items()]
    data: Any = {"ImageId": "ami-12345678", "InstanceType": "m5.large"}
    aws.ec2.create_launch_template(LaunchTemplateName="counting", LaunchTemplateData=data)
    template = {"LaunchTemplateName": "counting", "Version": "$Latest"}
    request: Any = {
        "IamFleetRole": "arn:aws:iam::123456789012:role/fleet",
        "AllocationStrategy": "priceCapacityOptimized",
        "TargetCapacity": machines,
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": template}],
        "TagSpecifications": [{"ResourceType": "spot-fleet-request", "Tags": tags}],
    }
    fleet_id = aws.ec2.request_spot_fleet(SpotFleetRequestConfig=request)["SpotFleetRequestId"]
    aws.sqs.create_queue(QueueName="CountingQueue")
    for number in range(machines):
        alarm = machine_alarm("Counting", f"i-{number:017x}", aws.region, armed=True)
        aws.cloudwatch.put_metric_alarm(**alarm)
    fleet = FleetRecord("token", {}, machines, fleet_id)
    record = RunRecord(
        "Counting", "counting", "CountingQueue", BUCKET, "Counting", run_id="1", fleets=(fleet,)
    )
    save_record(aws.s3, record, None)
    return record


def watch(aws: Aws, record: RunRecord, machines: int) -> Measured:
    """Count the calls of a teardown and time its first one that matters."""
    calls: list[tuple[str, float]] = []

    def note(model: Any, **_: Any) -> None:
        calls.append((model.name, time.monotonic()))

    def heard(**_: Any) -> None:
        answered.append(time.monotonic())

    answered: list[float] = []
    for client in (aws.sqs, aws.ecs, aws.ec2, aws.s3, aws.logs, aws.cloudwatch):
        client.meta.events.register("before-call", note)
    aws.ec2.meta.events.register("after-call.ec2.CancelSpotFleetRequests", heard)
    began = time.monotonic()
    failures = tear_down(aws, record, folder=None)
    ended = time.monotonic()
    if failures:
        raise SystemExit("\n".join(map(str, failures)))
    cancel = [name for name, _ in calls].index("CancelSpotFleetRequests")
    return Measured(
        machines,
        len(calls),
        cancel,
        calls[cancel][1] - began,
        answered[0] - began,
        ended - began,
    )


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    print("machines and alarms  calls  before the cancel  it is sent after  answered  all after")
    for size in parser.parse_args().sizes:
        one = measure(size)
        print(
            f"{one.machines:19,}  {one.calls:5,}  {one.before_cancel:17,}"
            f"  {one.asked:14.2f} s  {one.cancelled:6.2f} s  {one.ended:7.2f} s"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
