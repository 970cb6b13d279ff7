"""Make in a simulated account what every real one has before a first run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..definitions.account import EXECUTION_ROLE, POLICY, TASK_ROLE
from ..definitions.policies.roles import execution_policy
from ..definitions.policies.scope import Scope, secret_arns
from .simulator import ACCOUNT, iam

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..inputs.settings import Settings

FLEET_ROLE = "aws-ec2-spot-fleet-tagging-role"
INSTANCE_ROLE = "ecsInstanceRole"
KEY_PAIR = "rehearsal"
_PRIVATE = "172.31.240.0/24"  # free in the default network's 172.31.0.0/16
_WORKERS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}],
}

_FLEETS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["iam:PassRole", "ec2:*"], "Resource": "*"}],
}


def prepare_account(aws: Aws, settings: Settings) -> None:
    """Make the buckets that the config names, the roles of Step 0 and a key pair."""
    for bucket in sorted(buckets(settings)):
        make_bucket(aws, bucket)
    make_roles(aws)
    _make_role(aws, TASK_ROLE, "ecs-tasks", _WORKERS)
    if settings.secrets:
        _make_execution_role(aws, settings)
    for name in {KEY_PAIR, settings.ssh_key_name.removesuffix(".pem") or KEY_PAIR}:
        aws.ec2.create_key_pair(KeyName=name)


def _make_execution_role(aws: Aws, settings: Settings) -> None:
    """Make the role that may fetch the config's secrets, which a rehearsal's agent never does."""
    names = secret_arns(settings.secrets.values())
    scope = Scope(ACCOUNT, (aws.region,), (settings.aws_bucket,), secrets=names)
    _make_role(aws, EXECUTION_ROLE, "ecs-tasks", execution_policy(scope), POLICY)


def make_roles(aws: Aws) -> None:
    """Make the fleet's role and the machines' one in its instance profile, as upstream has them."""
    _make_role(aws, FLEET_ROLE, "spotfleet", _FLEETS)
    _make_role(aws, INSTANCE_ROLE, "ec2", _WORKERS)
    aws.iam.create_instance_profile(InstanceProfileName=INSTANCE_ROLE)
    aws.iam.add_role_to_instance_profile(InstanceProfileName=INSTANCE_ROLE, RoleName=INSTANCE_ROLE)
    iam.settle(ACCOUNT)  # an account has had them for long when a run begins


def buckets(settings: Settings) -> set[str]:
    """Every bucket that the config names."""
    named = (
        settings.aws_bucket,
        settings.source_bucket,
        settings.workspace_bucket,
        settings.destination_bucket,
    )
    return {bucket for bucket in named if bucket}


def write_fleet_file(aws: Aws, path: Path, *, public: bool = True) -> None:
    """Write a fleet file, in upstream's form, that names what the simulated account has.

    It names no image: which one fits depends on MACHINE_TYPE. Machines without a public address
    (ASSIGN_IP = 'False') are in a subnet whose way out is a NAT gateway.
    """
    subnet_id = default_subnet(aws) if public else private_subnet(aws)
    groups = aws.ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["default"]}]
    )
    specification = {
        "KeyName": KEY_PAIR,
        "IamInstanceProfile": {"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/{INSTANCE_ROLE}"},
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": subnet_id,
                "DeleteOnTermination": True,
                "AssociatePublicIpAddress": public,
                "Groups": [groups["SecurityGroups"][0]["GroupId"]],
            }
        ],
    }
    request = {
        "IamFleetRole": f"arn:aws:iam::{ACCOUNT}:role/{FLEET_ROLE}",
        "AllocationStrategy": "priceCapacityOptimized",
        "Type": "maintain",
        "LaunchSpecifications": [specification],
    }
    path.write_text(json.dumps(request, indent=2) + "\n")


def default_subnet(aws: Aws) -> str:
    """A subnet of the default network, which gives machines public addresses."""
    found = aws.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
    return found["Subnets"][0]["SubnetId"]


def private_subnet(aws: Aws) -> str:
    """A subnet of the default network that has a NAT gateway, as many an account's have."""
    ec2, public = aws.ec2, default_subnet(aws)
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock=_PRIVATE)["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]
    table = ec2.create_route_table(VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.create_route(
        RouteTableId=table,
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=gateway["NatGatewayId"],
    )
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return subnet


def make_bucket(aws: Aws, name: str) -> None:
    """Make a bucket in the account's region."""
    request: dict[str, Any] = {"Bucket": name}
    if aws.region != "us-east-1":  # the one region that must not be named
        request["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
    aws.s3.create_bucket(**request)


def _make_role(
    aws: Aws,
    name: str,
    service: str,
    rights: dict[str, Any] | None = None,
    policy: str = "workers",
) -> None:
    aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=_trust(service))
    if rights:
        aws.iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(rights))


def _trust(service: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
