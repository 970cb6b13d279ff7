"""Reading fleet files: upstream's forms are understood, what cannot work is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.loaders import create_loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from distributed_something.errors import UsageError
from distributed_something.inputs.fleets.fleet_file import FleetFile, Specification, read_fleet_file
from distributed_something.inputs.fleets.shapes import (
    FLEET,
    NUMBER,
    OVERRIDE,
    SPECIFICATION,
    TEMPLATE_CONFIG,
    TEXT,
    TRUTH,
    WHOLE,
)
from distributed_something.inputs.fleets.template_configs import with_templates
from tests.fleet_files import fleet, specification


def read(content: object) -> FleetFile:
    return read_fleet_file(json.dumps(content), "fleet.json")


def only(**changes: Any) -> Specification:
    (one,) = read(fleet(specification(**changes))).specifications
    return one


def refused(content: object) -> str:
    with pytest.raises(UsageError) as caught:
        read(content)
    return str(caught.value)


def test_upstreams_form_gives_subnet_and_group_from_the_network_interface() -> None:
    one = only()
    assert one.subnets == ("subnet-1",)
    assert one.security_groups == ("sg-1",)


@pytest.mark.parametrize(
    ("of_fleet", "of_specification", "price"),
    [
        ({"SpotPrice": "0.05"}, {}, 0.05),
        ({}, {"SpotPrice": 0.07}, 0.07),
        ({"SpotPrice": "0.08"}, {"SpotPrice": "0.07"}, 0.07),
        ({}, {}, None),
        ({"SpotPrice": ""}, {"SpotPrice": "cheap"}, None),
    ],
)
def test_an_older_files_price_is_read_the_lowest_of_several(
    of_fleet: dict[str, Any], of_specification: dict[str, Any], price: float | None
) -> None:
    assert read(fleet(specification(**of_specification), **of_fleet)).spot_price == price


def test_a_key_twice_in_a_fleet_file_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    text = json.dumps(fleet(specification())).replace(
        '"LaunchSpec', '"SpotPrice": "1",\n"LaunchSpec'
    )
    text = text.replace('"LaunchSpec', '"SpotPrice": "2", "LaunchSpec')
    read_fleet_file(text, "fleet.json")
    assert "fleet.json, line 2: `SpotPrice` is there twice in one object: the last" in caplog.text


def test_a_comma_list_of_subnets_is_several_subnets() -> None:
    assert only(NetworkInterfaces=None, SubnetId="subnet-1, subnet-2,subnet-3").subnets == (
        "subnet-1",
        "subnet-2",
        "subnet-3",
    )


def test_security_groups_without_network_interfaces_are_read() -> None:
    one = only(NetworkInterfaces=None, SecurityGroups=[{"GroupId": "sg-8"}, {"GroupId": "sg-9"}])
    assert one.security_groups == ("sg-8", "sg-9")
    assert one.subnets == ()


def test_a_security_group_by_name_alone_is_refused() -> None:
    by_name = specification(NetworkInterfaces=None, SecurityGroups=[{"GroupName": "default"}])
    text = refused(fleet(by_name))
    assert "LaunchSpecifications[0].SecurityGroups needs a GroupId" in text


def test_several_specifications_keep_their_order() -> None:
    found = read(fleet(specification(ImageId="ami-1"), specification(ImageId="ami-2")))
    assert [one.image_id for one in found.specifications] == ["ami-1", "ami-2"]
    assert found.specifications[1].name == "LaunchSpecifications[1]"


def config(**changes: Any) -> dict[str, Any]:
    return {"LaunchTemplateSpecification": {"LaunchTemplateName": "lab"}, **changes}


def template_file(*configs: Any) -> dict[str, Any]:
    return {**fleet(), "LaunchSpecifications": None, "LaunchTemplateConfigs": list(configs)}


def test_launch_templates_of_ones_own_are_read_with_their_overrides() -> None:
    overrides = [{"InstanceType": "m5.large", "SubnetId": "subnet-1"}]
    (found,) = read(template_file(config(Overrides=overrides))).templates
    assert found.reference == {"LaunchTemplateName": "lab"}
    assert list(found.overrides) == overrides


def test_a_launch_template_is_used_as_a_specification_would_be() -> None:
    wanted = read(template_file(config(Overrides=[{"SubnetId": "subnet-7"}])))
    data = {
        "ImageId": "ami-1",
        "KeyName": "lab-key",
        "IamInstanceProfile": {"Name": "lab"},
        "SecurityGroupIds": ["sg-1"],
        "CpuOptions": {"CoreCount": 2},
        "UserData": "c3RlYWwgdGhlIGNsdXN0ZXI=",
        "InstanceType": "t2.nano",
        "DisableApiTermination": True,
    }
    (one,) = with_templates(wanted, [data]).specifications
    assert (one.name, one.image_id) == ("LaunchTemplateConfigs[0]", "ami-1")
    assert one.security_groups == ("sg-1",)
    assert one.all_subnets == ("subnet-7",)
    assert one.template == {
        "KeyName": "lab-key",
        "IamInstanceProfile": {"Name": "lab"},
        "CpuOptions": {"CoreCount": 2},
    }


def test_a_launch_template_without_an_instance_profile_is_refused_by_its_place() -> None:
    with pytest.raises(UsageError, match=r"LaunchTemplateConfigs\[0\] has no IamInstanceProfile"):
        with_templates(read(template_file(config())), [{"ImageId": "ami-1"}])


def test_launch_templates_and_specifications_at_once_are_refused() -> None:
    both = {**fleet(), "LaunchTemplateConfigs": [config()]}
    assert "LaunchSpecifications and LaunchTemplateConfigs: delete one of them" in refused(both)


def test_what_an_override_may_not_say_and_a_template_without_a_name_are_told() -> None:
    text = refused(template_file({"Overrides": [{"InstanceTyp": "m5.large"}]}))
    assert "LaunchTemplateConfigs[0] has no LaunchTemplateSpecification" in text
    assert "LaunchTemplateConfigs[0].Overrides[0] has the key 'InstanceTyp'" in text


def test_old_files_that_carry_what_the_config_decides_are_read() -> None:
    old = fleet(
        specification(InstanceType="m1.small", UserData="x", SpotPrice="9"),
        ValidFrom="2017-01-01T00:00:00Z",
        ValidUntil="2018-01-01T00:00:00Z",
        TargetCapacity=99,
        SpotPrice="9.99",
    )
    found = read(old)
    assert not {"ValidFrom", "ValidUntil", "TargetCapacity", "SpotPrice"} & found.request.keys()
    assert not {"InstanceType", "UserData"} & found.specifications[0].template.keys()


def test_the_fleets_own_keys_are_kept() -> None:
    found = read(fleet(AllocationStrategy="diversified", OnDemandTargetCapacity=1))
    assert found.request["AllocationStrategy"] == "diversified"
    assert found.request["OnDemandTargetCapacity"] == 1


def test_comments_are_dropped_anywhere() -> None:
    found = read(fleet(specification(_comment="mine"), _comment="your-notes"))
    assert "_comment" not in found.request


@pytest.mark.parametrize("content", [{}, {"LaunchSpecifications": []}])
def test_a_file_without_launch_specifications_is_refused(content: dict[str, Any]) -> None:
    text = refused({"IamFleetRole": "arn:aws:iam::1:role/fleet", **content})
    assert "fleet.json has 1 problem" in text
    assert "no LaunchSpecifications" in text


def test_every_placeholder_is_named_with_its_place() -> None:
    text = refused(
        fleet(
            specification(
                KeyName="your-key-file",
                NetworkInterfaces=[
                    {"DeviceIndex": 0, "SubnetId": "subnet-WWWWWWWW", "Groups": ["sg-ZZZZZZZZZ"]}
                ],
            ),
            IamFleetRole="arn:aws:iam::XXXXXXXXXXXXX:role/aws-ec2-spot-fleet-tagging-role",
        )
    )
    assert "4 problems" in text
    for place in (
        "IamFleetRole is a placeholder",
        "LaunchSpecifications[0].KeyName is a placeholder, 'your-key-file'",
        "LaunchSpecifications[0].NetworkInterfaces[0].SubnetId is a placeholder",
        "LaunchSpecifications[0].NetworkInterfaces[0].Groups[0] is a placeholder",
    ):
        assert place in text


def test_missing_roles_and_unknown_keys_are_all_named_at_once() -> None:
    text = refused(
        {"LaunchSpecifications": [{"SubnetID": "subnet-1"}], "IamFleetRoll": "x", "Type": "instant"}
    )
    for fault in ("IamFleetRoll", "IamFleetRole", "SubnetID", "IamInstanceProfile", "'instant'"):
        assert fault in text


def test_text_that_is_not_json_is_refused_with_line_and_column() -> None:
    with pytest.raises(UsageError, match=r"line 2, column \d+"):
        read_fleet_file('{"Type": "maintain",\n oops}', "fleet.json")
    with pytest.raises(UsageError, match="comma"):
        read_fleet_file('{"IamFleetRole": "r",}', "fleet.json")


def test_a_list_is_no_fleet_file() -> None:
    assert "not a JSON object" in refused([])


@pytest.mark.parametrize(
    "key", ["NetworkInterfaces", "BlockDeviceMappings", "SecurityGroups", "TagSpecifications"]
)
def test_a_key_of_the_wrong_shape_is_named(key: str) -> None:
    assert f"LaunchSpecifications[0].{key} must be a list" in refused(
        fleet(specification(**{key: "x"}))
    )


def test_a_specification_that_is_no_object_is_named() -> None:
    assert "LaunchSpecifications[0] is not an object" in refused(fleet("m5.xlarge"))


def interface(**changes: Any) -> dict[str, Any]:
    return {"DeviceIndex": 0, "SubnetId": "subnet-1", **changes}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            fleet(specification(IamInstanceProfile="ecsInstanceRole")),
            "LaunchSpecifications[0].IamInstanceProfile must be an object of Arn, Name and is "
            '"ecsInstanceRole".',
        ),
        (
            fleet(specification(NetworkInterfaces=[interface(), interface(DeviceIndex="one")])),
            "LaunchSpecifications[0].NetworkInterfaces[1].DeviceIndex must be a whole number and "
            'is "one".',
        ),
        (
            fleet(specification(NetworkInterfaces=[interface(Groups={"GroupId": "sg-1"})])),
            "LaunchSpecifications[0].NetworkInterfaces[0].Groups must be a list of texts and is",
        ),
        (
            fleet(specification(Placement="us-east-1a")),
            "LaunchSpecifications[0].Placement must be an object of AvailabilityZone,",
        ),
        (fleet(OnDemandTargetCapacity="some"), "OnDemandTargetCapacity must be a whole number"),
        (fleet(OnDemandTargetCapacity=1.5), "OnDemandTargetCapacity must be a whole number"),
        (
            fleet(specification(TagSpecifications=[{"Tags": {"Lab": "mine"}}])),
            "LaunchSpecifications[0].TagSpecifications[0].Tags must be a list of objects",
        ),
        (
            fleet(specification(TagSpecifications=[{"Tags": [{"Value": "mine"}]}])),
            "LaunchSpecifications[0].TagSpecifications[0].Tags needs a Key",
        ),
        (
            fleet(TagSpecifications={"Tags": []}),
            "  TagSpecifications must be a list of objects",
        ),
        (
            fleet(specification(WeightedCapacity="two")),
            'LaunchSpecifications[0].WeightedCapacity must be a number and is "two".',
        ),
        (
            fleet(specification(BlockDeviceMappings=[{"Ebs": {"VolumeSiz": 30}}])),
            "LaunchSpecifications[0].BlockDeviceMappings[0].Ebs.VolumeSiz is a key that EC2 does",
        ),
        (fleet(ReplaceUnhealthyInstances="maybe"), "ReplaceUnhealthyInstances must be true or"),
        (
            {**fleet(), "LaunchSpecifications": specification()},
            "LaunchSpecifications must be a list of objects",
        ),
        (
            template_file(config(Overrides=[{"WeightedCapacity": "two"}])),
            "LaunchTemplateConfigs[0].Overrides[0].WeightedCapacity must be a number",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_it_must_be(
    content: dict[str, Any], told: str
) -> None:
    text = refused(content)
    assert told in text
    assert "has 1 problem:" in text


def test_numbers_truths_and_lists_in_quotes_are_read_and_nulls_are_left_out() -> None:
    found = read(
        fleet(
            specification(
                NetworkInterfaces=[interface(DeviceIndex="1"), interface(Groups="sg-1, sg-2,sg-1")],
                WeightedCapacity="1.5",
                EbsOptimized="True",
                BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": None, "_comment": "x"}],
            ),
            OnDemandTargetCapacity="1",
            Type=None,
        )
    )
    (one,) = found.specifications
    assert found.request["OnDemandTargetCapacity"] == 1
    assert "Type" not in found.request
    assert one.security_groups == ("sg-1", "sg-2")
    assert [more["DeviceIndex"] for more in one.more_interfaces] == [1]
    assert one.weight == 1.5
    assert one.template["EbsOptimized"] is True
    assert one.devices == ({"DeviceName": "/dev/xvda"},)


def test_a_subnet_named_twice_is_one() -> None:
    assert only(NetworkInterfaces=None, SubnetId="subnet-1,subnet-1").subnets == ("subnet-1",)


def test_a_placeholder_in_what_is_not_read_does_no_harm() -> None:
    assert only(UserData="QUFBQUFBQUFBQUFBQUFBQUFB", SpotPrice="<price>").subnets == ("subnet-1",)


def known_shape(shape: Shape) -> Any:
    """A shape of botocore's in our words."""
    if isinstance(shape, StructureShape):
        return {key: known_shape(member) for key, member in shape.members.items()}
    if isinstance(shape, ListShape):
        return [known_shape(shape.member)]
    words = {"string": TEXT, "integer": WHOLE, "double": NUMBER, "boolean": TRUTH}
    return words[shape.type_name]


def test_our_shapes_are_those_that_botocore_sends() -> None:
    ec2 = ServiceModel(create_loader().load_service_model("ec2", "service-2"), "ec2")
    for name, ours in {
        "SpotFleetRequestConfigData": FLEET,
        "SpotFleetLaunchSpecification": SPECIFICATION,
        "LaunchTemplateConfig": TEMPLATE_CONFIG,
        "LaunchTemplateOverrides": OVERRIDE,
    }.items():
        members = ec2.shape_for(name).members  # type: ignore[attr-defined]
        assert ours == {key: known_shape(members[key]) for key in ours}
