"""Read a fleet file, upstream's SpotFleetRequestConfig, and say all that is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError

# Keys that reach the fleet request as they are.
_FLEET_KEYS = frozenset(
    {
        "IamFleetRole", "AllocationStrategy", "Type", "InstanceInterruptionBehavior",
        "InstancePoolsToUseCount", "LoadBalancersConfig", "OnDemandAllocationStrategy",
        "OnDemandMaxTotalPrice", "OnDemandTargetCapacity", "ReplaceUnhealthyInstances",
        "SpotMaintenanceStrategies", "SpotMaxTotalPrice", "TagSpecifications",
        "TargetCapacityUnitType", "Context",
    }
)  # fmt: skip
# Keys that the config file or startCluster decide, as upstream's always did.
_DECIDED_FLEET_KEYS = frozenset(
    {
        "ClientToken", "ExcessCapacityTerminationPolicy", "FulfilledCapacity",
        "LaunchSpecifications", "LaunchTemplateConfigs", "OnDemandFulfilledCapacity", "SpotPrice",
        "TargetCapacity", "TerminateInstancesWithExpiration", "ValidFrom", "ValidUntil",
    }
)  # fmt: skip
# Keys of a launch specification that reach its launch template as they are, and the name there.
_TEMPLATE_KEYS = {
    "EbsOptimized": "EbsOptimized",
    "IamInstanceProfile": "IamInstanceProfile",
    "KernelId": "KernelId",
    "KeyName": "KeyName",
    "Monitoring": "Monitoring",
    "RamdiskId": "RamDiskId",
}
_READ_KEYS = frozenset(
    {
        "BlockDeviceMappings", "ImageId", "NetworkInterfaces", "Placement", "SecurityGroups",
        "SubnetId", "TagSpecifications", "WeightedCapacity",
    }
)  # fmt: skip
_DECIDED_KEYS = frozenset(
    {"AddressingType", "InstanceRequirements", "InstanceType", "SpotPrice", "UserData"}
)
# What an override may say, and what MACHINE_PRICE says in its place.
_OVERRIDE_KEYS = frozenset(
    {"AvailabilityZone", "InstanceType", "Priority", "SpotPrice", "SubnetId", "WeightedCapacity"}
)
_PLACEHOLDER = re.compile(r"([A-Z])\1{4,}|^your[-_]|[-_/]your[-_]|^<.+>$")


@dataclass(frozen=True)
class Specification:
    """One launch specification, its several ways of saying the same thing made one."""

    number: int  # its place in the file, from 0
    image_id: str = ""
    subnets: tuple[str, ...] = ()  # (): those of the default VPC
    zones: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()  # ids; (): the VPC's default one
    interface: Mapping[str, Any] = field(default_factory=dict)  # what else the first one says
    more_interfaces: tuple[Mapping[str, Any], ...] = ()
    devices: tuple[Mapping[str, Any], ...] = ()
    weight: float | None = None
    tags: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)  # by kind
    template: Mapping[str, Any] = field(default_factory=dict)
    section: str = "LaunchSpecifications"
    overrides: tuple[Mapping[str, Any], ...] = ()  # of a LaunchTemplateConfigs' entry

    @property
    def name(self) -> str:
        return f"{self.section}[{self.number}]"

    @property
    def all_subnets(self) -> tuple[str, ...]:
        """Its own subnets and those of its overrides."""
        others = [subnet for one in self.overrides for subnet in comma_list(one.get("SubnetId"))]
        return tuple(dict.fromkeys([*self.subnets, *others]))


@dataclass(frozen=True)
class TemplateConfig:
    """An entry of LaunchTemplateConfigs: a launch template of the user's and its overrides."""

    number: int
    reference: Mapping[str, str]  # LaunchTemplateId or LaunchTemplateName, and Version
    overrides: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class FleetFile:
    """A fleet file that can be used."""

    source: str
    request: Mapping[str, Any]  # the fleet's own keys
    specifications: tuple[Specification, ...]
    templates: tuple[TemplateConfig, ...] = ()  # instead, until their contents are known


def read_fleet_file(text: str, source: str) -> FleetFile:
    """Read a fleet file's text; raises UsageError with a line for every fault."""
    values = _read_object(text, source)
    problems = [*_placeholders(values), *_fleet_problems(values)]
    raw = values.get("LaunchSpecifications")
    templates = _template_configs(values, problems)
    specifications = []
    if raw and templates:
        problems.append("it has LaunchSpecifications and LaunchTemplateConfigs: take one out.")
    elif templates:
        pass  # what they hold is in the account
    elif isinstance(raw, list) and raw:
        for number, one in enumerate(raw):
            specifications.append(make_specification(number, one, problems))
    else:
        problems.append(
            "it has no LaunchSpecifications: they say which subnet, security group and instance "
            "profile the machines get (see files/exampleFleet_us-east-1.json)."
        )
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError("\n  ".join([f"The fleet file {source} has {count}:", *problems]))
    request = {key: value for key, value in values.items() if key in _FLEET_KEYS}
    return FleetFile(source, request, tuple(specifications), templates)


def _read_object(text: str, source: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"The fleet file {source} is not JSON: {error.msg} at line {error.lineno}, "
            f"column {error.colno}."
        ) from None
    if not isinstance(values, dict):
        raise UsageError(f"The fleet file {source} is not a JSON object.")
    # A whole describe-spot-fleet-requests answer's part is a fleet file too.
    inner = values.get("SpotFleetRequestConfig")
    return inner if isinstance(inner, dict) else values


def _placeholders(values: object) -> list[str]:
    return [
        f"{path} is still the placeholder {text!r}: put your own value in its place."
        for path, text in _texts(values, "")
        if _PLACEHOLDER.search(text) and "_comment" not in path
    ]


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every text of the file with its path, such as LaunchSpecifications[0].KeyName."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{number}]")


def _fleet_problems(values: Mapping[str, Any]) -> list[str]:
    problems = _unknown_keys(values, _FLEET_KEYS | _DECIDED_FLEET_KEYS, "it")
    if not values.get("IamFleetRole"):
        problems.append(
            "it has no IamFleetRole: the ARN of the role aws-ec2-spot-fleet-tagging-role, which "
            "`python setup_AWS.py` makes."
        )
    if values.get("Type", "maintain") not in ("maintain", "request"):
        problems.append(f"Type is {values['Type']!r}; it must be 'maintain' or 'request'.")
    return problems


def _unknown_keys(values: Mapping[str, Any], known: frozenset[str], owner: str) -> list[str]:
    return [
        f"{owner} has the key {key!r}, which a spot fleet does not know: mend its spelling or "
        "take it out."
        for key in values
        if key not in known and not key.startswith("_")
    ]


def _template_configs(values: Mapping[str, Any], problems: list[str]) -> tuple[TemplateConfig, ...]:
    configs = []
    for number, raw in enumerate(_objects(values, "LaunchTemplateConfigs", "it", problems)):
        name = f"LaunchTemplateConfigs[{number}]"
        reference = raw.get("LaunchTemplateSpecification")
        reference = reference if isinstance(reference, dict) else {}
        if not (reference.get("LaunchTemplateId") or reference.get("LaunchTemplateName")):
            problems.append(
                f"{name} has no LaunchTemplateSpecification with a LaunchTemplateId or -Name."
            )
        overrides = _objects(raw, "Overrides", name, problems)
        for place, override in enumerate(overrides):
            problems.extend(_unknown_keys(override, _OVERRIDE_KEYS, f"{name}.Overrides[{place}]"))
        configs.append(TemplateConfig(number, reference, tuple(overrides)))
    return tuple(configs)


def make_specification(
    number: int, raw: object, problems: list[str], section: str = "LaunchSpecifications"
) -> Specification:
    """Read one specification, adding to `problems`; `section` is where the file has it."""
    name = f"{section}[{number}]"
    if not isinstance(raw, dict):
        problems.append(f"{name} is not an object.")
        return Specification(number)
    known = _READ_KEYS | _DECIDED_KEYS | _TEMPLATE_KEYS.keys()
    problems.extend(_unknown_keys(raw, known, name))
    if not raw.get("IamInstanceProfile"):
        problems.append(
            f"{name} has no IamInstanceProfile: without one its machines cannot join the cluster."
        )
    interfaces = _objects(raw, "NetworkInterfaces", name, problems)
    first, *more = sorted(interfaces, key=lambda one: one.get("DeviceIndex", 0)) or [{}]
    placement = raw.get("Placement") or {}
    rest = {key: value for key, value in placement.items() if key != "AvailabilityZone"}
    template = {_TEMPLATE_KEYS[key]: raw[key] for key in _TEMPLATE_KEYS if raw.get(key)}
    groups = _objects(raw, "SecurityGroups", name, problems)
    return Specification(
        number=number,
        section=section,
        image_id=str(raw.get("ImageId") or ""),
        subnets=comma_list(first.get("SubnetId") or raw.get("SubnetId")),
        zones=comma_list(placement.get("AvailabilityZone")),
        security_groups=tuple(first.get("Groups") or _group_ids(groups, name, problems)),
        interface={k: v for k, v in first.items() if k not in ("SubnetId", "Groups")},
        more_interfaces=tuple(more),
        devices=tuple(_objects(raw, "BlockDeviceMappings", name, problems)),
        weight=raw.get("WeightedCapacity"),
        tags={
            str(tags.get("ResourceType", "instance")): tuple(tags.get("Tags", []))
            for tags in _objects(raw, "TagSpecifications", name, problems)
        },
        template={**template, **({"Placement": rest} if rest else {})},
    )


def _objects(
    raw: Mapping[str, Any], key: str, owner: str, problems: list[str]
) -> list[dict[str, Any]]:
    value = raw.get(key) or []
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return value
    problems.append(f"{owner}.{key} must be a list of objects.")
    return []


def _group_ids(groups: list[dict[str, Any]], owner: str, problems: list[str]) -> list[str]:
    if any("GroupId" not in group for group in groups):
        problems.append(f"{owner}.SecurityGroups needs a GroupId, such as sg-0123, in each entry.")
    return [str(group["GroupId"]) for group in groups if "GroupId" in group]


def comma_list(value: object) -> tuple[str, ...]:
    """The parts of upstream's comma list, such as 'subnet-1, subnet-2'."""
    parts = str(value or "").split(",")
    return tuple(part.strip() for part in parts if part.strip())
