"""The simulated AWS refuses, delays and throttles as AWS does."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.ecs.models import ecs_backends

from distributed_something.aws.session import Aws
from distributed_something.local.account import make_roles
from distributed_something.local.simulator import ACCOUNT, REGION, rules
from distributed_something.local.simulator.ecs import MOST_MACHINES
from distributed_something.local.simulator.rules import Rules
from distributed_something.local.simulator.server import application
from tests.clock import Clock

from .test_simulator_fleets import describe, machines, request


def once(aws: Aws, service: str) -> Any:
    """A client that asks once, so that a test sees what AWS answers."""
    retries: Any = {"total_max_attempts": 1, "mode": "standard"}
    session: Any = aws.session
    return session.client(service, endpoint_url=aws.endpoint_url, config=Config(retries=retries))


def test_a_fleet_that_is_being_modified_shows_its_old_target(aws: Aws, clock: Clock) -> None:
    rules.use(Rules(clock=clock.now, unseen_uses=0, modifying_seconds=20))
    fleet = request(aws, target=3)
    aws.ec2.modify_spot_fleet_request(SpotFleetRequestId=fleet, TargetCapacity=1)
    shown = describe(aws, fleet)
    assert shown["SpotFleetRequestState"] == "modifying"
    assert shown["SpotFleetRequestConfig"]["TargetCapacity"] == 3
    clock.time += 20
    shown = describe(aws, fleet)
    assert shown["SpotFleetRequestState"] == "active"
    assert shown["SpotFleetRequestConfig"]["TargetCapacity"] == 1


def test_a_fleets_history_is_half_a_minute_old(aws: Aws, clock: Clock) -> None:
    rules.use(Rules(clock=clock.now, unseen_uses=0, history_lag_seconds=30))
    began = datetime.fromtimestamp(clock.time - 60, timezone.utc)
    fleet = request(aws)

    def events() -> int:
        asked = {"SpotFleetRequestId": fleet, "StartTime": began}
        found = aws.ec2.describe_spot_fleet_request_history(**asked)  # type: ignore[arg-type]
        return len(found["HistoryRecords"])

    assert events() == 0
    clock.time += 30
    assert events() == 4


def test_only_a_fleet_that_maintains_its_machines_can_be_modified(aws: Aws) -> None:
    fleet = request(aws, Type="request")
    with pytest.raises(ClientError, match="FleetNotInModifiableState"):
        aws.ec2.modify_spot_fleet_request(SpotFleetRequestId=fleet, TargetCapacity=1)
    assert len(machines(aws, fleet)) == 2


def specification(subnet: str, kind: str = "m5.large") -> dict[str, Any]:
    return {"ImageId": "ami-12c6146b", "InstanceType": kind, "SubnetId": subnet}


def test_two_subnets_of_a_zone_and_one_pool_twice_are_refused(aws: Aws) -> None:
    first: Any = aws.ec2.describe_subnets()["Subnets"][0]
    second: Any = aws.ec2.create_subnet(
        VpcId=first["VpcId"],
        CidrBlock="172.31.200.0/24",
        AvailabilityZone=first["AvailabilityZone"],
    )["Subnet"]
    both = [specification(first["SubnetId"]), specification(second["SubnetId"])]
    with pytest.raises(ClientError, match="same Availability Zone"):
        request(aws, LaunchTemplateConfigs=[], LaunchSpecifications=both)
    twice = [specification(first["SubnetId"])] * 2
    with pytest.raises(ClientError, match="Duplicate instance pool"):
        request(aws, LaunchTemplateConfigs=[], LaunchSpecifications=twice)


def test_what_was_made_just_now_is_not_known_at_its_first_use(aws: Aws, clock: Clock) -> None:
    rules.use(Rules(clock=clock.now))
    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId\.NotFound"):
        request(aws)
    request(aws)
    url = aws.sqs.create_queue(QueueName="Jobs")["QueueUrl"]
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    aws.ecs.create_cluster(clusterName="lab")
    aws.ecs.create_service(cluster="lab", serviceName="Jobs", desiredCount=0)
    assert aws.ecs.describe_services(cluster="lab", services=["Jobs"])["services"] == []
    assert aws.ecs.describe_services(cluster="lab", services=["Jobs"])["services"]


def test_what_was_made_just_now_is_not_known_for_a_while(aws: Aws, clock: Clock) -> None:
    rules.use(Rules(clock=clock.now, unseen_uses=0, unseen_seconds=2))
    aws.sqs.create_queue(QueueName="Jobs")
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.get_queue_url(QueueName="Jobs")
    clock.time += 2
    assert aws.sqs.get_queue_url(QueueName="Jobs")["QueueUrl"]


def test_a_new_queue_cannot_take_dead_letters_yet(aws: Aws, clock: Clock) -> None:
    rules.use(Rules(clock=clock.now))
    aws.sqs.create_queue(QueueName="Dead")
    policy = f'{{"deadLetterTargetArn":"arn:aws:sqs:{REGION}:{ACCOUNT}:Dead","maxReceiveCount":3}}'
    wanted: Any = {"RedrivePolicy": policy}
    with pytest.raises(ClientError, match="Dead letter target does not exist"):
        aws.sqs.create_queue(QueueName="Jobs", Attributes=wanted)
    assert aws.sqs.create_queue(QueueName="Jobs", Attributes=wanted)["QueueUrl"]


def test_a_fleet_with_a_role_that_was_just_made_is_refused(aws: Aws, clock: Clock) -> None:
    role = aws.iam.create_role(RoleName="fleets", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    rules.use(Rules(clock=clock.now, unseen_uses=0, unseen_seconds=5))
    with pytest.raises(ClientError, match="NotFoundException"):
        request(aws, IamFleetRole=role)  # its launch template is as new
    clock.time += 4
    with pytest.raises(ClientError, match=r"NotFound|IamFleetRole"):
        request(aws, IamFleetRole=role)
    clock.time += 2
    assert request(aws, IamFleetRole=role)


def test_the_roles_of_a_prepared_account_are_known(aws: Aws, clock: Clock) -> None:
    rules.use(Rules(clock=clock.now, unseen_uses=0, unseen_seconds=5))
    make_roles(aws)
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-ec2-spot-fleet-tagging-role"
    subnet: Any = aws.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    only = [specification(subnet)]
    assert request(aws, IamFleetRole=role, LaunchTemplateConfigs=[], LaunchSpecifications=only)


def test_counts_of_a_queue_may_be_a_minute_old(aws: Aws, clock: Clock) -> None:
    rules.use(Rules(clock=clock.now, unseen_uses=0, count_lag_seconds=60))
    url = aws.sqs.create_queue(QueueName="Jobs")["QueueUrl"]

    def waiting() -> str:
        names: Any = ["ApproximateNumberOfMessages"]
        found: Any = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return str(found["Attributes"][names[0]])

    assert waiting() == "0"
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    clock.time += 59
    assert waiting() == "0"
    clock.time += 1
    assert waiting() == "1"


def test_requests_over_a_quota_are_throttled_until_time_passes(aws: Aws, clock: Clock) -> None:
    logs = once(aws, "logs")
    logs.create_log_group(logGroupName="Jobs")
    for number in range(50):
        logs.create_log_stream(logGroupName="Jobs", logStreamName=str(number))
    with pytest.raises(ClientError, match="ThrottlingException"):
        logs.create_log_stream(logGroupName="Jobs", logStreamName="50")
    clock.time += 1
    logs.create_log_stream(logGroupName="Jobs", logStreamName="50")


def test_s3_slows_one_prefix_down_and_no_other(aws: Aws, clock: Clock) -> None:
    aws.s3.create_bucket(Bucket="lab")
    s3 = once(aws, "s3")
    for _ in range(3500):
        application.throttle.admits("s3:PUT", "/lab/runs")
    with pytest.raises(ClientError, match="SlowDown"):
        s3.put_object(Bucket="lab", Key="runs/a", Body=b"")
    s3.put_object(Bucket="lab", Key="other/a", Body=b"")
    clock.time += 1
    s3.put_object(Bucket="lab", Key="runs/a", Body=b"")


def test_a_cluster_takes_5000_machines(aws: Aws) -> None:
    aws.ecs.create_cluster(clusterName="lab")
    held: Any = ecs_backends[ACCOUNT][REGION].container_instances
    held["lab"] = dict.fromkeys(range(MOST_MACHINES))
    identity = '{"instanceId": "i-0123456789abcdef0"}'
    with pytest.raises(ClientError, match="LimitExceeded"):
        aws.ecs.register_container_instance(cluster="lab", instanceIdentityDocument=identity)


def test_a_service_has_5000_tasks_at_most(aws: Aws) -> None:
    aws.ecs.create_cluster(clusterName="lab")
    aws.ecs.create_service(cluster="lab", serviceName="Jobs", desiredCount=0)
    with pytest.raises(ClientError, match="at most 5000"):
        aws.ecs.update_service(cluster="lab", service="Jobs", desiredCount=5001)
