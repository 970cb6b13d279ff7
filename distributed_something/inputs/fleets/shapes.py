"""Fit a fleet file's values to the shapes that EC2's requests have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

TEXT, NUMBER, WHOLE, TRUTH = "a text", "a number", "a whole number", "true or false"
_TRUTHS = {"true": True, "false": False}

# A shape is one of these words, [the shape of a list's members] or {key: shape}. They are those of
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SpotFleetRequestConfigData.html
_TAGS = [{"ResourceType": TEXT, "Tags": [{"Key": TEXT, "Value": TEXT}]}]
FLEET: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "AllocationStrategy", "Context", "IamFleetRole", "InstanceInterruptionBehavior",
            "OnDemandAllocationStrategy", "OnDemandMaxTotalPrice", "SpotMaxTotalPrice",
            "TargetCapacityUnitType", "Type",
        ),
        TEXT,
    ),
    "InstancePoolsToUseCount": WHOLE,
    "LoadBalancersConfig": {
        "ClassicLoadBalancersConfig": {"ClassicLoadBalancers": [{"Name": TEXT}]},
        "TargetGroupsConfig": {"TargetGroups": [{"Arn": TEXT}]},
    },
    "OnDemandTargetCapacity": WHOLE,
    "ReplaceUnhealthyInstances": TRUTH,
    "SpotMaintenanceStrategies": {
        "CapacityRebalance": {"ReplacementStrategy": TEXT, "TerminationDelay": WHOLE}
    },
    "TagSpecifications": _TAGS,
}  # fmt: skip
_DISK = {
    **dict.fromkeys(
        (
            "AvailabilityZone", "AvailabilityZoneId", "KmsKeyId", "OutpostArn", "SnapshotId",
            "VolumeType",
        ),
        TEXT,
    ),
    **dict.fromkeys(
        ("EbsCardIndex", "Iops", "Throughput", "VolumeInitializationRate", "VolumeSize"), WHOLE
    ),
    "DeleteOnTermination": TRUTH,
    "Encrypted": TRUTH,
}  # fmt: skip
_INTERFACE = {
    **dict.fromkeys(
        ("Description", "InterfaceType", "NetworkInterfaceId", "PrivateIpAddress", "SubnetId"), TEXT
    ),
    **dict.fromkeys(
        (
            "DeviceIndex", "EnaQueueCount", "Ipv4PrefixCount", "Ipv6AddressCount",
            "Ipv6PrefixCount", "NetworkCardIndex", "SecondaryPrivateIpAddressCount",
        ),
        WHOLE,
    ),
    **dict.fromkeys(
        (
            "AssociateCarrierIpAddress", "AssociatePublicIpAddress", "DeleteOnTermination",
            "PrimaryIpv6",
        ),
        TRUTH,
    ),
    "ConnectionTrackingSpecification": {
        "TcpEstablishedTimeout": WHOLE, "UdpStreamTimeout": WHOLE, "UdpTimeout": WHOLE,
    },
    "EnaSrdSpecification": {
        "EnaSrdEnabled": TRUTH, "EnaSrdUdpSpecification": {"EnaSrdUdpEnabled": TRUTH},
    },
    "Groups": [TEXT],
    "Ipv4Prefixes": [{"Ipv4Prefix": TEXT}],
    "Ipv6Addresses": [{"Ipv6Address": TEXT, "IsPrimaryIpv6": TRUTH}],
    "Ipv6Prefixes": [{"Ipv6Prefix": TEXT}],
    "PrivateIpAddresses": [{"Primary": TRUTH, "PrivateIpAddress": TEXT}],
}  # fmt: skip
SPECIFICATION: Mapping[str, Any] = {
    **dict.fromkeys(("ImageId", "KernelId", "KeyName", "RamdiskId", "SubnetId"), TEXT),
    "BlockDeviceMappings": [
        {"DeviceName": TEXT, "Ebs": _DISK, "NoDevice": TEXT, "VirtualName": TEXT}
    ],
    "EbsOptimized": TRUTH,
    "IamInstanceProfile": {"Arn": TEXT, "Name": TEXT},
    "Monitoring": {"Enabled": TRUTH},
    "NetworkInterfaces": [_INTERFACE],
    "Placement": dict.fromkeys(
        ("AvailabilityZone", "AvailabilityZoneId", "GroupName", "Tenancy"), TEXT
    ),
    "SecurityGroups": [{"GroupId": TEXT, "GroupName": TEXT}],
    "TagSpecifications": _TAGS,
    "WeightedCapacity": NUMBER,
}
TEMPLATE_CONFIG: Mapping[str, Any] = {
    "LaunchTemplateSpecification": dict.fromkeys(
        ("LaunchTemplateId", "LaunchTemplateName", "Version"), TEXT
    )
}
OVERRIDE: Mapping[str, Any] = {
    **dict.fromkeys(("AvailabilityZone", "InstanceType", "SpotPrice", "SubnetId"), TEXT),
    "Priority": NUMBER,
    "WeightedCapacity": NUMBER,
}


def fit_members(
    raw: Mapping[str, Any], shape: Mapping[str, Any], where: str, problems: list[str]
) -> dict[str, Any]:
    """What `raw` says under the shape's keys, as EC2 takes it: a "1" is 1 for a number.

    Nulls and comments are left out, and so is what does not fit, with a line in `problems`.
    """
    own = {key: value for key, value in raw.items() if key in shape}
    return _object(own, shape, where, problems)


def comma_list(value: object) -> tuple[str, ...]:
    """The different parts of upstream's comma list, such as 'subnet-1, subnet-2'."""
    parts = (part.strip() for part in str(value or "").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _object(
    raw: Mapping[str, Any], shape: Mapping[str, Any], where: str, problems: list[str]
) -> dict[str, Any]:
    found = {}
    for key, value in raw.items():
        path = f"{where}.{key}" if where else key
        if value is None or key.startswith("_"):
            continue
        if key not in shape:
            known = ", ".join(shape)
            problems.append(f"{path} is a key that EC2 does not know; it knows {known}.")
            continue
        fitted = _fit(value, shape[key], path, problems)
        if fitted is not None:
            found[key] = fitted
    return found


def _fit(value: Any, shape: Any, path: str, problems: list[str]) -> Any:
    """The value as EC2 takes it; None if it does not fit."""
    fitted: Any = None
    if isinstance(shape, dict):
        if isinstance(value, dict):
            return _object(value, shape, path, problems)
        fitted = {} if value == "" else None
    elif isinstance(shape, list):
        if isinstance(value, str) and (not value or shape[0] == TEXT):
            value = list(comma_list(value))
        if isinstance(value, list):
            members = [
                _fit(part, shape[0], f"{path}[{number}]", problems)
                for number, part in enumerate(value)
            ]
            return [member for member in members if member is not None]
    else:
        fitted = _scalar(value, shape)
    if fitted is None:
        problems.append(f"{path} must be {_words(shape)} and is {_shown(value)}.")
    return fitted


def _scalar(value: object, kind: str) -> str | bool | int | float | None:
    if kind == TRUTH:
        return value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower())
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if kind == TEXT:
        return str(value)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    if number.is_integer():
        return int(number)
    return number if kind == NUMBER else None


def _words(shape: Any) -> str:
    if isinstance(shape, dict):
        return f"an object of {', '.join(shape)}"
    if isinstance(shape, list):
        return "a list of texts" if shape[0] == TEXT else "a list of objects"
    return str(shape)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
