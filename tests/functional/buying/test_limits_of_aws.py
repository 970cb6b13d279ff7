"""`startCluster` refuses what EC2 or ECS would refuse after the purchase, with what would do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.definitions.fleet import Image, Launch
from distributed_something.local.simulator import ACCOUNT

from .test_purchase_checks import (
    account,
    aws,
    check,
    file_of,
    new_profile,
    plain,
    refusal,
)

__all__ = ["account", "aws"]
_ASKED = "containerInstances"
IMAGE = Image("ami-12c6146b", "/dev/xvda", 30)


def launches(wanted: Any, *kinds: str) -> tuple[Launch, ...]:
    return tuple(Launch(one, IMAGE, kinds) for one in wanted.specifications)


def test_two_subnets_of_a_zone_are_refused_by_their_names(aws: Aws) -> None:
    first: Any = aws.ec2.describe_subnets()["Subnets"][0]
    zone = first["AvailabilityZone"]
    block = "172.31.220.0/24"
    vpc = first["VpcId"]
    made = aws.ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)
    second = made["Subnet"]["SubnetId"]
    wanted = file_of(plain(SubnetId=first["SubnetId"]), plain(SubnetId=second))
    told = refusal(aws, wanted, ASSIGN_IP="True")
    assert f"{first['SubnetId']} and {second} are both in the zone {zone}" in told
    apart = file_of(*(plain(SubnetId=first["SubnetId"]) for _ in range(2)))
    assert "both in the zone" not in "".join(check(aws, apart, ASSIGN_IP="True"))


def test_a_fleet_role_that_may_not_hand_on_the_machines_role_is_refused(aws: Aws) -> None:
    profile = new_profile(aws, "lab", {"Action": ["s3:*", "sqs:*"], "Resource": "*"})
    narrow = {
        "Action": ["iam:PassRole", "ec2:*"],
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/ecsInstanceRole",
    }
    statement = {"Effect": "Allow", "Principal": {"Service": "spotfleet.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [{**statement, "Action": "sts:AssumeRole"}]}
    aws.iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=json.dumps(trust))
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **narrow}]}
    aws.iam.put_role_policy(RoleName="narrow", PolicyName="one", PolicyDocument=json.dumps(policy))
    role = f"arn:aws:iam::{ACCOUNT}:role/narrow"
    told = refusal(aws, file_of(plain(IamInstanceProfile=profile), IamFleetRole=role))
    assert "narrow may not hand the role lab" in told and "iam:PassRole" in told
    check(aws, file_of(plain(), IamFleetRole=role))


@pytest.mark.parametrize(
    ("constants", "there", "words"),
    [
        ({"CLUSTER_MACHINES": 6000}, 0, "5,000 machines fit"),
        ({"CLUSTER_MACHINES": 4000}, 1500, "3,500 machines fit"),
        ({"CLUSTER_MACHINES": 2000, "TASKS_PER_MACHINE": 3, "MEMORY": 2000}, 0, "1,666 machines"),
    ],
)
def test_more_machines_than_a_cluster_or_service_holds_are_refused_with_what_fits(
    aws: Aws, constants: dict[str, Any], there: int, words: str
) -> None:
    arns = [f"arn:aws:ecs:us-east-1:{ACCOUNT}:container-instance/x/{n}" for n in range(there)]
    events: Any = aws.ecs.meta.events
    events.register(
        "before-call.ecs.ListContainerInstances",
        lambda **_: (_Ok(), {"containerInstanceArns": arns}) if arns else None,
    )
    described = [{"containerInstanceArn": "x", "status": "ACTIVE"}]
    events.register(
        "before-call.ecs.DescribeContainerInstances",
        lambda params, **_: (
            _Ok(),
            {"containerInstances": described * len(json.loads(params["body"])[_ASKED])},
        ),
    )
    assert words in refusal(aws, file_of(plain()), **constants)


class _Ok:
    status_code = 200


def test_more_vcpus_than_the_quota_are_refused_with_the_number_of_machines_that_fits(
    aws: Aws,
) -> None:
    wanted = file_of(plain())
    with pytest.raises(Exception, match=r"640 vCPUs .* a m5.xlarge has 4\. 160 machines fit"):
        check(aws, wanted, launches(wanted, "m5.xlarge", "m5.2xlarge"), CLUSTER_MACHINES=161)
    check(aws, wanted, launches(wanted, "m5.xlarge"), CLUSTER_MACHINES=160)
    check(aws, wanted, launches(wanted, "m5.xlarge"), CLUSTER_MACHINES=161, ON_DEMAND="True")
