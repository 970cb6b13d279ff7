"""What could never start or never work is refused before it is bought, each fault in its words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from distributed_something.commands.buying.fleet_plan import FleetPlan
from distributed_something.commands.buying.purchase_checks import Wish, check_purchase
from distributed_something.commands.setting_up.setup import setup
from distributed_something.definitions.fleet import Image, Launch
from distributed_something.errors import UsageError
from distributed_something.inputs.fleets.fleet_file import FleetFile, read_fleet_file
from distributed_something.local.account import KEY_PAIR, write_fleet_file
from distributed_something.local.simulator import Simulator
from tests.account import new_account
from tests.builders import settings
from tests.fleet_files import fleet, specification

ROLE = "arn:aws:iam::123456789012:role"


@pytest.fixture(scope="module")
def account() -> Iterator[Aws]:
    """One account for all: these tests add to it, and the checks only look."""
    with Simulator() as simulator:
        aws = new_account(simulator)
        setup(aws, settings())
        yield aws


@pytest.fixture
def aws(account: Aws) -> Aws:
    """Clients of the test's own, which it may make fail."""
    return Aws(account.session, account.endpoint_url)


def file_of(*specifications: Any, **changes: Any) -> FleetFile:
    return read_fleet_file(json.dumps(fleet(*specifications, **changes)), "fleet.json")


def plain(**changes: Any) -> dict[str, Any]:
    """A specification for the default network."""
    return specification(**{"KeyName": None, "NetworkInterfaces": None, "ImageId": None, **changes})


def check(aws: Aws, wanted: FleetFile, launches: tuple[Launch, ...] = (), **constants: Any) -> Any:
    return check_purchase(aws, Wish(settings(**constants), wanted, FleetPlan(launches, ())))


def refusal(aws: Aws, wanted: FleetFile, **constants: Any) -> str:
    with pytest.raises(UsageError) as caught:
        check(aws, wanted, **constants)
    return str(caught.value)


def refuse(client: Any, operation: str, code: str, message: str = "No.") -> None:
    def act(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"provide-client-params.{service}.{operation}", act)


def new_subnet(aws: Aws) -> dict[str, str]:
    """A subnet of a network of its own, which leads nowhere."""
    vpc = aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    table = aws.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    return {
        "vpc": vpc,
        "subnet": subnet,
        "table": table["RouteTables"][0]["RouteTableId"],
    }


def add_gateway(aws: Aws, made: dict[str, str]) -> None:
    gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=made["vpc"])
    aws.ec2.create_route(
        RouteTableId=made["table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
    )


@pytest.mark.parametrize("constant", ["True", "False"])
def test_the_default_network_works_as_it_is(aws: Aws, constant: str) -> None:
    assert check(aws, file_of(plain()), ASSIGN_IP=constant) == ()


def test_without_a_public_address_an_internet_gateway_is_no_way_out(aws: Aws) -> None:
    made = new_subnet(aws)
    add_gateway(aws, made)
    wanted = file_of(plain(SubnetId=made["subnet"]))
    assert check(aws, wanted) == ()
    told = refusal(aws, wanted, ASSIGN_IP="False")
    assert f"LaunchSpecifications[0]: machines in the subnet {made['subnet']} get no public" in told
    assert "Set ASSIGN_IP = 'True' in the config file, or name a subnet" in told


@pytest.mark.parametrize(
    ("constant", "lines"),
    [
        ("True", '"AssociatePublicIpAddress": true in the fleet file'),
        (
            "False",
            "ASSIGN_IP = 'True' in the config file and "
            '"AssociatePublicIpAddress": true in the fleet file',
        ),
    ],
)
def test_a_fleet_file_that_refuses_addresses_in_a_public_subnet_is_told_which_lines_to_change(
    aws: Aws, constant: str, lines: str
) -> None:
    made = new_subnet(aws)
    add_gateway(aws, made)
    interface = {"DeviceIndex": 0, "SubnetId": made["subnet"], "AssociatePublicIpAddress": False}
    wanted = file_of(plain(NetworkInterfaces=[interface]))
    assert f"Set {lines}, or name a subnet" in refusal(aws, wanted, ASSIGN_IP=constant)


def test_a_rehearsals_account_has_a_subnet_for_machines_with_and_without_an_address(
    aws: Aws, tmp_path: Path
) -> None:
    path = tmp_path / "fleet.json"
    aws.ec2.create_key_pair(KeyName=KEY_PAIR)
    for constant in ("True", "False"):
        write_fleet_file(aws, path, public=constant == "True")
        wanted = read_fleet_file(path.read_text(), path.name)
        assert check(aws, wanted, ASSIGN_IP=constant) == ()


def test_a_nat_gateway_is_a_way_out_without_a_public_address(aws: Aws) -> None:
    made = new_subnet(aws)
    address = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = aws.ec2.create_nat_gateway(SubnetId=made["subnet"], AllocationId=address)
    aws.ec2.create_route(
        RouteTableId=made["table"],
        DestinationCidrBlock="0.0.0.0/0",
        NatGatewayId=nat["NatGateway"]["NatGatewayId"],
    )
    assert check(aws, file_of(plain(SubnetId=made["subnet"])), ASSIGN_IP="False") == ()


def test_a_subnet_that_leads_nowhere_is_refused_until_its_network_has_the_endpoints(
    aws: Aws,
) -> None:
    made = new_subnet(aws)
    wanted = file_of(plain(SubnetId=made["subnet"]))
    assert "no endpoints for ecs, ecs-agent, ecs-telemetry, logs, s3, sqs" in refusal(aws, wanted)
    for service in ("ecs", "ecs-agent", "ecs-telemetry", "logs", "sqs"):
        aws.ec2.create_vpc_endpoint(
            VpcId=made["vpc"],
            ServiceName=f"com.amazonaws.us-east-1.{service}",
            VpcEndpointType="Interface",
            SubnetIds=[made["subnet"]],
        )
    assert "no endpoints for s3" in refusal(aws, wanted)
    aws.ec2.create_vpc_endpoint(
        VpcId=made["vpc"],
        ServiceName="com.amazonaws.us-east-1.s3",
        RouteTableIds=[made["table"]],
    )
    assert check(aws, wanted) == ()


def test_a_subnets_own_route_table_counts_and_not_the_main_one(aws: Aws) -> None:
    made = new_subnet(aws)
    add_gateway(aws, made)
    closed = aws.ec2.create_route_table(VpcId=made["vpc"])["RouteTable"]["RouteTableId"]
    aws.ec2.associate_route_table(RouteTableId=closed, SubnetId=made["subnet"])
    assert "have no way out" in refusal(aws, file_of(plain(SubnetId=made["subnet"])))


def test_a_subnet_and_a_group_of_two_networks_are_told_with_both(aws: Aws) -> None:
    made = new_subnet(aws)
    add_gateway(aws, made)
    group = aws.ec2.create_security_group(GroupName="lab", Description="lab")["GroupId"]
    wanted = file_of(plain(SubnetId=made["subnet"], SecurityGroups=[{"GroupId": group}]))
    told = refusal(aws, wanted)
    assert group in told and made["vpc"] in told and "subnet's own network" in told


def test_all_that_is_not_there_is_told_at_once(aws: Aws) -> None:
    wanted = file_of(
        plain(
            SubnetId="subnet-gone",
            SecurityGroups=[{"GroupId": "sg-gone"}],
            KeyName="nobodys",
            IamInstanceProfile={"Arn": f"{ROLE.replace(':role', ':instance-profile')}/nobodys"},
        ),
        IamFleetRole=f"{ROLE}/aws-ec2-spot-fleet-role",  # as AWS's console once named it
    )
    told = refusal(aws, wanted)
    assert "has 5 problems" in told
    for words in (
        "SubnetId subnet-gone",
        "no security group sg-gone",
        "KeyName nobodys: there is no key pair",
        "IamInstanceProfile nobodys: there is no such instance profile",
        "IamFleetRole aws-ec2-spot-fleet-role: there is no such role in this account. Name the "
        "role aws-ec2-spot-fleet-tagging-role (`python setup_AWS.py` makes one).",
    ):
        assert words in told


def test_a_key_pair_that_is_there_is_fine(aws: Aws) -> None:
    aws.ec2.create_key_pair(KeyName="lab-key")
    assert check(aws, file_of(plain(KeyName="lab-key"))) == ()


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        (f"{ROLE}/ecsInstanceRole", "does not trust spotfleet.amazonaws.com"),
        (
            f"{ROLE}/aws-service-role/spotfleet.amazonaws.com/AWSServiceRoleForEC2SpotFleet",
            "is a role of AWS's own",
        ),
    ],
)
def test_a_role_of_the_wrong_kind_is_told_from_a_missing_one(
    aws: Aws, arn: str, words: str
) -> None:
    assert words in refusal(aws, file_of(plain(), IamFleetRole=arn))


def test_an_instance_profile_without_its_role_is_refused(aws: Aws) -> None:
    aws.iam.create_instance_profile(InstanceProfileName="empty")
    profile = {"Arn": "arn:aws:iam::123456789012:instance-profile/empty"}
    assert "has no role" in refusal(aws, file_of(plain(IamInstanceProfile=profile)))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("s3:*", "may not sqs:ReceiveMessage on the queue CountingQueue"),
        ("sqs:*", "may not s3:PutObject on the bucket lab-data"),
    ],
)
def test_a_role_that_cannot_reach_the_queue_or_the_bucket_is_refused(
    aws: Aws, action: str, words: str
) -> None:
    name = f"only-{action[:-2]}"
    profile = new_profile(aws, name, {"Action": action, "Resource": "*"})
    told = refusal(aws, file_of(plain(IamInstanceProfile=profile)))
    assert words in told and f"role {name} (IamInstanceProfile)" in told


def test_each_bucket_must_be_open_to_what_its_role_in_a_run_needs(aws: Aws) -> None:
    for bucket in ("pictures", "pipelines", "results"):
        aws.s3.create_bucket(Bucket=bucket)
    named: Any = {
        "SOURCE_BUCKET": "pictures",
        "WORKSPACE_BUCKET": "pipelines",
        "DESTINATION_BUCKET": "results",
    }
    own: list[Any] = [
        {"Action": "sqs:*", "Resource": "*"},
        {"Action": "s3:*", "Resource": "arn:aws:s3:::lab-data/*"},
    ]
    closed = file_of(plain(IamInstanceProfile=new_profile(aws, "closed", *own)))
    told = refusal(aws, closed, **named)
    assert "may not s3:GetObject on objects of the bucket pictures" in told
    assert "may not s3:GetObject on objects of the bucket pipelines" in told
    assert "may not s3:PutObject on objects of the bucket results" in told
    assert "lab-data" not in told
    check(aws, closed)

    more: list[Any] = [
        {"Action": "s3:Get*", "Resource": ["arn:aws:s3:::pictures/2026/*", "arn:aws:s3:::pipe*"]},
        {"Action": "s3:PutObject", "Resource": "arn:aws:s3:::results/out/*"},
    ]
    opened = file_of(plain(IamInstanceProfile=new_profile(aws, "opened", *own, *more)))
    check(aws, opened, **named)


def new_profile(aws: Aws, name: str, *allowed: dict[str, Any]) -> dict[str, str]:
    """An instance profile with a role that is allowed this, and no more."""
    trust = {"Version": "2012-10-17", "Statement": []}
    aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    statements = [{"Effect": "Allow", **one} for one in allowed]
    policy = {"Version": "2012-10-17", "Statement": statements}
    aws.iam.put_role_policy(RoleName=name, PolicyName="one", PolicyDocument=json.dumps(policy))
    aws.iam.create_instance_profile(InstanceProfileName=name)
    aws.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return {"Arn": f"arn:aws:iam::123456789012:instance-profile/{name}"}


def test_what_these_credentials_may_not_look_at_is_said_and_not_refused(aws: Aws) -> None:
    refuse(aws.iam, "GetRole", "AccessDenied")
    refuse(aws.ec2, "DescribeSubnets", "UnauthorizedOperation")
    assert check(aws, file_of(plain(), IamFleetRole=f"{ROLE}/nobodys")) == (
        "These credentials may not read its network; it was not checked.",
        "These credentials may not read its fleet role; it was not checked.",
    )


def test_marketplace_terms_that_were_not_accepted_are_told_from_the_rest(aws: Aws) -> None:
    sold = aws.ec2.register_image(Name="sold", RootDeviceName="/dev/sda1")["ImageId"]
    wanted = file_of(plain(ImageId=sold))
    image = Image(sold, "/dev/sda1", 30)
    launches = (Launch(wanted.specifications[0], image, ("m5.xlarge",)),)
    assert check(aws, wanted, launches) == ()
    give_product_code(aws, sold)
    assert check(aws, wanted, launches) == ()
    refuse(aws.ec2, "RunInstances", "OptInRequired", "Accept at https://aws.amazon.com/mp?sku=1.")
    with pytest.raises(UsageError, match=r"not accepted its terms: Accept at https.*sku=1"):
        check(aws, wanted, launches)


def give_product_code(aws: Aws, image_id: str) -> None:
    """Let EC2 say that an image is sold in the Marketplace; the simulated one never does."""

    def add(parsed: dict[str, Any], **_: Any) -> None:
        for image in parsed.get("Images", []):
            if image["ImageId"] == image_id:
                image["ProductCodes"] = [{"ProductCodeType": "marketplace"}]

    aws.ec2.meta.events.register("after-call.ec2.DescribeImages", add)
