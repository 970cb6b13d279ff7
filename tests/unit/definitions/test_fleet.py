"""What a fleet's launch templates and request are made with."""

from __future__ import annotations

import base64
import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.definitions.fleet import (
    Image,
    Launch,
    disk_gib,
    fleet_request,
    launch_template,
    may_have_public_address,
    price_text,
    template_name,
    types_of_specifications,
)
from distributed_something.inputs.fleets.fleet_file import FleetFile, read_fleet_file
from tests.builders import settings
from tests.fleet_files import fleet, specification

IMAGE = Image("ami-1", "/dev/xvda", 30)
NOON = 1_800_000_000.0


def read(*specifications: dict[str, Any], **changes: Any) -> FleetFile:
    return read_fleet_file(json.dumps(fleet(*specifications, **changes)), "fleet.json")


def template(changes: dict[str, Any], image: Image = IMAGE, **constants: Any) -> dict[str, Any]:
    (one,) = read(specification(**changes)).specifications
    return launch_template(settings(**constants), Launch(one, image, ("m5.xlarge",)), "run-1")


def request(
    file: FleetFile, types: tuple[str, ...] = ("m5.xlarge",), **constants: Any
) -> dict[str, Any]:
    launches = [
        (f"template-{one.number}", Launch(one, IMAGE, types)) for one in file.specifications
    ]
    return fleet_request(
        settings(**constants), file, launches, run_id="run-1", client_token="token", now=NOON
    )


def overrides(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for config in wanted["LaunchTemplateConfigs"] for one in config["Overrides"]]


def check(operation: str, parameters: dict[str, Any]) -> None:
    """Raise unless AWS's own model of the operation takes these parameters."""
    model = botocore.session.get_session().get_service_model("ec2").operation_model(operation)
    assert model.input_shape is not None
    report = ParamValidator().validate(parameters, model.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_awss_model_takes_the_template_and_the_request() -> None:
    check("CreateLaunchTemplate", {"LaunchTemplateName": "abc", "LaunchTemplateData": template({})})
    check("RequestSpotFleet", {"SpotFleetRequestConfig": request(read(specification()))})


def test_the_request_survives_the_record_files_json() -> None:
    wanted = request(read(specification(WeightedCapacity=2.0)))
    assert json.loads(json.dumps(wanted)) == wanted


def test_a_fleet_ends_by_itself_after_max_hours_whatever_its_file_says() -> None:
    file = read(TerminateInstancesWithExpiration=False, ValidUntil="2099-01-01T00:00:00Z")
    wanted = request(file, MAX_HOURS=2)
    assert wanted["TerminateInstancesWithExpiration"] is True
    assert wanted["ValidUntil"] == "2027-01-15T10:00:00Z"  # two hours after NOON
    assert wanted["ClientToken"] == "token"


def test_the_fleet_is_as_large_as_the_config_says() -> None:
    assert request(read(TargetCapacity=99), CLUSTER_MACHINES=7)["TargetCapacity"] == 7


def test_every_type_is_tried_in_every_subnet() -> None:
    file = read(specification(NetworkInterfaces=None, SubnetId="subnet-1,subnet-2"))
    found = overrides(request(file, types=("m5.xlarge", "m6i.xlarge")))
    assert {(one["InstanceType"], one["SubnetId"]) for one in found} == {
        ("m5.xlarge", "subnet-1"),
        ("m5.xlarge", "subnet-2"),
        ("m6i.xlarge", "subnet-1"),
        ("m6i.xlarge", "subnet-2"),
    }


def test_without_subnet_or_zone_the_choice_is_awss() -> None:
    file = read(specification(NetworkInterfaces=None))
    assert overrides(request(file)) == [{"InstanceType": "m5.xlarge"}]


def test_zones_are_used_where_no_subnet_is_named() -> None:
    placement = {"AvailabilityZone": "us-east-1a, us-east-1b", "Tenancy": "dedicated"}
    file = read(specification(NetworkInterfaces=None, Placement=placement))
    zones = [one["AvailabilityZone"] for one in overrides(request(file))]
    assert zones == ["us-east-1a", "us-east-1b"]
    assert file.specifications[0].template["Placement"] == {"Tenancy": "dedicated"}


def test_the_weight_of_a_specification_goes_with_it() -> None:
    found = overrides(request(read(specification(WeightedCapacity=4.0))))
    assert found[0]["WeightedCapacity"] == 4.0


def test_the_fleet_carries_its_token_to_be_found_by_after_a_crash() -> None:
    (tags,) = request(read())["TagSpecifications"]
    assert tags["ResourceType"] == "spot-fleet-request"
    found = {tag["Key"]: tag["Value"] for tag in tags["Tags"]}
    assert found == {
        "distributed-something:app": "Counting",
        "distributed-something:run": "run-1",
        "distributed-something:token": "token",
    }


def test_no_price_means_no_cap_below_on_demand() -> None:
    assert "SpotPrice" not in request(read(SpotPrice="0.01"), MACHINE_PRICE=0)


@pytest.mark.parametrize(
    ("price", "text"),
    [(0.004, "0.004"), (0.015, "0.015"), (0.125, "0.125"), (0.1, "0.1"), (1e-07, "0.0000001")],
)
def test_a_price_is_sent_as_it_was_written(price: float, text: str) -> None:
    assert price_text(price) == text


@given(st.floats(min_value=1e-9, max_value=1e6))
def test_no_price_is_changed_by_writing_it(price: float) -> None:
    text = price_text(price)
    assert float(text) == price
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("types", "count", "expected"),
    [
        (["a"], 1, [("a",)]),
        (["a", "b"], 1, [("a", "b")]),
        (["a", "b"], 2, [("a",), ("b",)]),
        (["a"], 2, [("a",), ("a",)]),
        (["a", "b", "c"], 2, [("a", "b", "c"), ("a", "b", "c")]),
    ],
)
def test_types_meet_specifications_one_to_one_or_each_gets_all(
    types: list[str], count: int, expected: list[tuple[str, ...]]
) -> None:
    assert types_of_specifications(types, count) == expected


def test_a_template_is_named_by_app_run_and_number() -> None:
    assert template_name("Counting", "20261121-1", 2) == "Counting-20261121-1-2"


def test_machines_ask_for_the_safer_metadata_service_within_a_containers_reach() -> None:
    assert template({})["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,
    }
    assert template({})["InstanceInitiatedShutdownBehavior"] == "terminate"


def test_the_template_carries_our_user_data_and_not_the_files() -> None:
    data = template({"UserData": "ZWNobyBtaW5l"})
    assert "ECS_CLUSTER=counting" in base64.b64decode(data["UserData"]).decode()


@pytest.mark.parametrize(
    ("constant", "of_file", "address"),
    [
        ("True", None, True),
        ("True", True, True),
        ("True", False, False),
        ("False", None, False),
        ("False", True, False),
        ("False", False, False),
    ],
)
def test_assign_ip_takes_addresses_away_and_else_the_fleet_file_decides(
    constant: str, of_file: bool | None, address: bool
) -> None:
    own = {"DeviceIndex": 0, "SubnetId": "subnet-1", "Groups": ["sg-1"]}
    own |= {} if of_file is None else {"AssociatePublicIpAddress": of_file}
    changed = template({"NetworkInterfaces": [own]}, ASSIGN_IP=constant)
    (interface,) = changed["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is address
    assert interface["Groups"] == ["sg-1"]
    assert "SubnetId" not in interface  # it is in the overrides


def test_security_groups_alone_need_no_network_interface_where_the_subnet_gives_an_address() -> (
    None
):
    data = template({"NetworkInterfaces": None, "SecurityGroups": [{"GroupId": "sg-7"}]})
    assert data["SecurityGroupIds"] == ["sg-7"]
    assert "NetworkInterfaces" not in data


def test_the_default_network_gives_addresses_whatever_assign_ip_says() -> None:
    bare = {"NetworkInterfaces": None, "SecurityGroups": [{"GroupId": "sg-7"}], "SubnetId": None}
    assert "NetworkInterfaces" not in template(bare, ASSIGN_IP="False")


def test_no_address_is_asked_for_where_several_interfaces_make_it_impossible() -> None:
    interfaces = [
        {"DeviceIndex": 1, "SubnetId": "subnet-2"},
        {"DeviceIndex": 0, "Groups": ["sg-1"]},
    ]
    first, second = template({"NetworkInterfaces": interfaces})["NetworkInterfaces"]
    assert "AssociatePublicIpAddress" not in first
    assert (first["DeviceIndex"], second["DeviceIndex"]) == (0, 1)


def test_a_machine_has_one_disk_of_the_configs_size() -> None:
    image = Image("ami-1", "/dev/xvda", 200)
    assert template({}, image)["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {"VolumeSize": 200, "VolumeType": "gp3", "DeleteOnTermination": True},
        }
    ]


def test_a_kept_image_keeps_its_devices_and_the_second_gets_the_configs_size() -> None:
    devices = (
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}},
        {"DeviceName": "/dev/xvdcz", "Ebs": {"VolumeType": "gp2"}},
    )
    image = Image("ami-1", "/dev/xvda", 50, devices=devices)
    first, second = template({}, image, EBS_VOL_SIZE=50)["BlockDeviceMappings"]
    assert first["Ebs"] == {"VolumeSize": 8}
    assert second["Ebs"] == {"VolumeType": "gp2", "VolumeSize": 50}
    assert "VolumeSize" not in devices[1]["Ebs"]


def test_a_machine_type_that_several_specifications_name_is_asked_for_once_in_a_place() -> None:
    wanted = request(read(*(specification() for _ in range(3))), ("m5.xlarge", "m6a.xlarge"))
    assert [(one["InstanceType"], one["SubnetId"]) for one in overrides(wanted)] == [
        ("m5.xlarge", "subnet-1"),
        ("m6a.xlarge", "subnet-1"),
    ]


def test_a_kept_images_only_disk_gets_the_size_that_the_plan_says() -> None:
    devices = ({"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "gp2"}},)
    planned = template({}, Image("ami-1", "/dev/xvda", 60, devices=devices), EBS_VOL_SIZE=30)
    assert planned["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 60
    assert disk_gib(planned) == 60


def test_what_is_said_of_disks_counts_all_that_the_request_names() -> None:
    devices = (
        {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-1"}},
        {"DeviceName": "/dev/xvdcz", "Ebs": {}},
        {"DeviceName": "/dev/xvdd", "NoDevice": ""},
    )
    planned = template({}, Image("ami-1", "/dev/xvda", 50, devices=devices), EBS_VOL_SIZE=50)
    assert disk_gib(planned, root_gib=8) == 58


@pytest.mark.parametrize(
    ("interface", "paid"),
    [(None, True), ({"AssociatePublicIpAddress": False}, False), ({}, False)],
)
def test_an_address_is_paid_for_where_the_request_lets_a_machine_have_it(
    interface: dict[str, Any] | None, paid: bool
) -> None:
    planned = {} if interface is None else {"NetworkInterfaces": [interface]}
    assert may_have_public_address(planned) is paid


def test_machines_and_disks_are_named_and_tagged_with_the_files_tags_kept() -> None:
    own = [{"ResourceType": "instance", "Tags": [{"Key": "Project", "Value": "nuclei"}]}]
    tags = {
        one["ResourceType"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        for one in template({"TagSpecifications": own})["TagSpecifications"]
    }
    assert tags["instance"]["Project"] == "nuclei"
    assert tags["volume"]["Name"] == tags["instance"]["Name"] == "CountingWorker"
    assert tags["instance"]["distributed-something:run"] == "run-1"
