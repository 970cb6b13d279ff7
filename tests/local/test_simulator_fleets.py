"""Simulated spot fleets keep their capacity, honour their token, and can be told what to do."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from tests.clock import Clock

ROLE = "arn:aws:iam::123456789012:role/aws-ec2-spot-fleet-tagging-role"


def request(aws: Aws, target: int = 2, **changes: Any) -> str:
    names = [
        one["LaunchTemplateName"] for one in aws.ec2.describe_launch_templates()["LaunchTemplates"]
    ]
    if "workers" not in names:
        aws.ec2.create_launch_template(
            LaunchTemplateName="workers",
            LaunchTemplateData={
                "ImageId": "ami-12c6146b",
                "InstanceType": "m5.large",
                "UserData": "c2V0dGluZ3M=",
                "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
                "TagSpecifications": [
                    {"ResourceType": "instance", "Tags": [{"Key": "app", "Value": "Counting"}]}
                ],
            },
        )
    config: Any = {
        "IamFleetRole": ROLE,
        "TargetCapacity": target,
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateName": "workers", "Version": "1"},
                "Overrides": [{"InstanceType": "m5.xlarge"}, {"InstanceType": "m5.2xlarge"}],
            }
        ],
        **changes,
    }
    return aws.ec2.request_spot_fleet(SpotFleetRequestConfig=config)["SpotFleetRequestId"]


def machines(aws: Aws, fleet: str) -> list[str]:
    found = aws.ec2.describe_spot_fleet_instances(SpotFleetRequestId=fleet)["ActiveInstances"]
    return [one["InstanceId"] for one in found]


def describe(aws: Aws, fleet: str) -> Any:
    found = aws.ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[fleet])
    return found["SpotFleetRequestConfigs"][0]


def events(aws: Aws, fleet: str, kind: Any = "error") -> list[str]:
    start = datetime(2000, 1, 1, tzinfo=timezone.utc)
    history: Any = aws.ec2.describe_spot_fleet_request_history(
        SpotFleetRequestId=fleet, EventType=kind, StartTime=start
    )
    return [one["EventInformation"]["EventSubType"] for one in history["HistoryRecords"]]


def test_machines_are_bought_from_all_pools_as_their_template_says(aws: Aws) -> None:
    bought: Any = aws.ec2.describe_instances(InstanceIds=machines(aws, request(aws)))
    found = [one for reservation in bought["Reservations"] for one in reservation["Instances"]]
    assert {one["InstanceType"] for one in found} == {"m5.xlarge", "m5.2xlarge"}
    assert all(one["MetadataOptions"]["HttpTokens"] == "required" for one in found)
    assert all({"Key": "app", "Value": "Counting"} in one["Tags"] for one in found)
    data = aws.ec2.describe_instance_attribute(
        InstanceId=found[0]["InstanceId"], Attribute="userData"
    )
    assert data["UserData"]["Value"] == "c2V0dGluZ3M="


def test_the_same_token_buys_one_fleet(aws: Aws) -> None:
    assert request(aws, ClientToken="once") == request(aws, ClientToken="once")
    assert request(aws, ClientToken="twice") != request(aws, ClientToken="once")


def test_a_lost_machine_is_replaced(aws: Aws) -> None:
    fleet = request(aws)
    lost = machines(aws, fleet)[0]
    aws.ec2.terminate_instances(InstanceIds=[lost])
    assert len(machines(aws, fleet)) == 2
    assert lost not in machines(aws, fleet)
    assert describe(aws, fleet)["SpotFleetRequestConfig"]["FulfilledCapacity"] == 2.0


def test_a_fleet_that_does_not_maintain_replaces_nothing(aws: Aws) -> None:
    fleet = request(aws, Type="request")
    aws.ec2.terminate_instances(InstanceIds=machines(aws, fleet)[:1])
    assert len(machines(aws, fleet)) == 1


def test_a_lower_target_keeps_machines_if_told_so_and_a_higher_one_buys_the_difference(
    aws: Aws,
) -> None:
    fleet = request(aws, target=3)
    aws.ec2.modify_spot_fleet_request(
        SpotFleetRequestId=fleet, TargetCapacity=1, ExcessCapacityTerminationPolicy="noTermination"
    )
    assert len(machines(aws, fleet)) == 3
    aws.ec2.modify_spot_fleet_request(SpotFleetRequestId=fleet, TargetCapacity=1)
    assert len(machines(aws, fleet)) == 1
    aws.ec2.modify_spot_fleet_request(SpotFleetRequestId=fleet, TargetCapacity=4)
    assert len(machines(aws, fleet)) == 4


def test_with_noTermination_a_machine_that_ends_is_not_bought_again(aws: Aws) -> None:
    fleet = request(aws, target=3)
    aws.ec2.modify_spot_fleet_request(
        SpotFleetRequestId=fleet, TargetCapacity=2, ExcessCapacityTerminationPolicy="noTermination"
    )
    aws.ec2.terminate_instances(InstanceIds=machines(aws, fleet)[:1])
    assert len(machines(aws, fleet)) == 2


def test_a_cancelled_fleet_is_seen_as_such_and_holds_nothing(aws: Aws) -> None:
    fleet = request(aws)
    aws.ec2.cancel_spot_fleet_requests(SpotFleetRequestIds=[fleet], TerminateInstances=True)
    assert describe(aws, fleet)["SpotFleetRequestState"].startswith("cancelled")
    assert machines(aws, fleet) == []
    running = aws.ec2.describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
    )
    assert running["Reservations"] == []


def test_a_fleet_cancelled_without_its_machines_keeps_them_until_told(aws: Aws) -> None:
    fleet = request(aws)
    aws.ec2.cancel_spot_fleet_requests(SpotFleetRequestIds=[fleet], TerminateInstances=False)
    assert len(machines(aws, fleet)) == 2
    aws.ec2.cancel_spot_fleet_requests(SpotFleetRequestIds=[fleet], TerminateInstances=True)
    assert machines(aws, fleet) == []


def test_an_unknown_fleet_is_said_to_be_unknown(aws: Aws) -> None:
    unknown = "sfr-00000000-0000-0000-0000-000000000000"
    answer: Any = aws.ec2.cancel_spot_fleet_requests(
        SpotFleetRequestIds=[unknown], TerminateInstances=True
    )
    (refused,) = answer["UnsuccessfulFleetRequests"]
    assert refused["Error"]["Code"] == "fleetRequestIdDoesNotExist"
    with pytest.raises(ClientError, match="NotFound"):
        describe(aws, unknown)


def test_a_fleet_ends_by_itself_when_its_time_is_over(aws: Aws, clock: Clock) -> None:
    until = datetime.fromtimestamp(clock.time + 3600, timezone.utc)
    fleet = request(aws, ValidUntil=until, TerminateInstancesWithExpiration=True)
    clock.time += 3599
    assert len(machines(aws, fleet)) == 2
    clock.time += 2
    assert machines(aws, fleet) == []
    assert describe(aws, fleet)["SpotFleetRequestState"] == "cancelled"


def test_its_history_tells_what_happened(aws: Aws) -> None:
    fleet = request(aws)
    aws.ec2.terminate_instances(InstanceIds=machines(aws, fleet)[:1])
    machines(aws, fleet)
    assert events(aws, fleet, "instanceChange") == [
        "launched",
        "launched",
        "terminated",
        "launched",
    ]
    assert events(aws, fleet) == []


@pytest.mark.parametrize("missing", ["InstanceType", "ImageId"])
def test_a_machine_without_type_or_image_is_refused_as_a_fault_of_the_request(
    aws: Aws, missing: str
) -> None:
    specification: Any = {"ImageId": "ami-12c6146b", "InstanceType": "m5.large"}
    del specification[missing]
    with pytest.raises(ClientError, match="InvalidSpotFleetRequestConfig"):
        request(aws, LaunchTemplateConfigs=[], LaunchSpecifications=[specification])
