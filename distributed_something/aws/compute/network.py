"""Read subnets, their routes, security groups and endpoints; changes none of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

_EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Subnet:
    """A subnet as far as a machine in it is concerned."""

    subnet_id: str
    vpc_id: str
    gives_public_ip: bool  # to a machine that does not say
    zone: str = ""


def find_subnets(ec2: EC2Client, ids: Sequence[str]) -> list[Subnet]:
    """The subnets of these ids; those that are not there are left out."""
    return _subnets(ec2, "subnet-id", ids)


def default_subnets(ec2: EC2Client) -> list[Subnet]:
    """The default network's subnets; none if the account has no default network."""
    return _subnets(ec2, "default-for-az", ["true"])


def vpcs_of_groups(ec2: EC2Client, ids: Sequence[str]) -> dict[str, str]:
    """The network of each security group; those that are not there are left out."""
    if not ids:
        return {}
    pages = ec2.get_paginator("describe_security_groups").paginate(
        Filters=[{"Name": "group-id", "Values": list(ids)}]
    )
    return {
        group["GroupId"]: group.get("VpcId", "")
        for page in pages
        for group in page["SecurityGroups"]
    }


def ways_out(ec2: EC2Client, subnets: Collection[Subnet]) -> dict[str, str]:
    """Where each subnet's route to everywhere leads: such as igw-1 or nat-1; '' where nowhere.

    A subnet without a table of its own has its network's main one.
    """
    vpcs = sorted({subnet.vpc_id for subnet in subnets})
    if not vpcs:
        return {}
    pages = ec2.get_paginator("describe_route_tables").paginate(
        Filters=[{"Name": "vpc-id", "Values": vpcs}]
    )
    own: dict[str, str] = {}
    main: dict[str, str] = {}
    for table in (table for page in pages for table in page["RouteTables"]):
        leads_to = _way_out(table["Routes"])
        for association in table.get("Associations", []):
            if association.get("SubnetId"):
                own[association["SubnetId"]] = leads_to
            elif association.get("Main"):
                main[table.get("VpcId", "")] = leads_to
    return {
        place.subnet_id: own.get(place.subnet_id, main.get(place.vpc_id, "")) for place in subnets
    }


def endpoint_services(ec2: EC2Client, vpc_id: str) -> set[str]:
    """The AWS services that a network reaches by endpoints, such as sqs or ecs-agent."""
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(
        Filters=[{"Name": "vpc-id", "Values": [vpc_id]}]
    )
    return {
        endpoint["ServiceName"].split(".", 3)[-1]  # com.amazonaws.us-east-1.sqs
        for page in pages
        for endpoint in page["VpcEndpoints"]
        if str(endpoint.get("State", "available")).lower() == "available"
    }


def _subnets(ec2: EC2Client, name: str, values: Sequence[str]) -> list[Subnet]:
    pages = ec2.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": name, "Values": list(values)}]
    )
    return [
        Subnet(
            subnet["SubnetId"],
            subnet["VpcId"],
            subnet.get("MapPublicIpOnLaunch", False),
            subnet.get("AvailabilityZone", ""),
        )
        for page in pages
        for subnet in page["Subnets"]
    ]


def _way_out(routes: Sequence[Mapping[str, Any]]) -> str:
    """The target of the route to everywhere, unless it is a black hole."""
    for route in routes:
        place = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock")
        if place in _EVERYWHERE and route.get("State", "active") == "active":
            targets = [v for k, v in route.items() if k.endswith("Id") and v]
            return str(targets[0]) if targets else ""
    return ""
