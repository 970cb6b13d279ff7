"""Read a fleet file, upstream's SpotFleetRequestConfig, and say all that is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from ...errors import UsageError
from ..forms.repeated_keys import warn_of_repeated
from ..json_faults import parse_json
from ..placeholders import is_placeholder
from .shapes import (
    FLEET,
    OVERRIDE,
    SPECIFICATION,
    TEMPLATE_CONFIG,
    comma_list,
    fit_members,
)

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
_DECIDED_KEYS = frozenset(
    {"AddressingType", "InstanceRequirements", "InstanceType", "SpotPrice", "UserData"}
)
# Nobody reads what these say, so a placeholder there does no harm.
_UNREAD = _DECIDED_KEYS | _DECIDED_FLEET_KEYS - {"LaunchSpecifications", "LaunchTemplateConfigs"}


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
    def refuses_public_ip(self) -> bool:
        """Whether the file says that machines get no public address."""
        return str(self.interface.get("AssociatePublicIpAddress", True)).lower() == "false"

    @property
    def all_subnets(self) -> tuple[str, ...]:
        """Its own subnets and those of its overrides."""
        others = [
            subnet for override in self.overrides for subnet in comma_list(override.get("SubnetId"))
        ]
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
    spot_price: float | None = None  # USD an hour, where an older file names the price


def read_fleet_file(text: str, source: str) -> FleetFile:
    """Read a fleet file's text; raises UsageError with a line for every fault."""
    values = _read_object(text, source)
    problems = [*_placeholders(values), *_fleet_problems(values)]
    request = fit_members(values, FLEET, "", problems)
    problems.extend(_tags_without_keys(request, ""))
    raw = values.get("LaunchSpecifications")
    templates = _template_configs(values, problems)
    specifications = []
    if raw and templates:
        problems.append(
            "it has LaunchSpecifications and LaunchTemplateConfigs: delete one of them."
        )
    elif templates:
        pass  # what they hold is in the account
    elif isinstance(raw, list) and raw:
        for number, part in enumerate(raw):
            specifications.append(_launch_specification(number, part, problems))
    elif raw:
        problems.append("LaunchSpecifications must be a list of objects.")
    else:
        problems.append(
            "it has no LaunchSpecifications: they say which subnet, security group and instance "
            "profile the machines get (see files/exampleFleet_us-east-1.json)."
        )
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError("\n  ".join([f"The fleet file {source} has {count}:", *problems]))
    return FleetFile(source, request, tuple(specifications), templates, _spot_price(values))


def _spot_price(values: Mapping[str, Any]) -> float | None:
    """The lowest price that the file names, of the whole fleet or of a specification."""
    raw = values.get("LaunchSpecifications")
    places = [values, *(part for part in raw or () if isinstance(part, dict))]
    prices = []
    for place in places:
        try:
            prices.append(float(place.get("SpotPrice") or "inf"))
        except (TypeError, ValueError):  # nobody read it until now
            continue
    lowest = min(prices, default=math.inf)
    return lowest if 0 < lowest < math.inf else None


def _read_object(text: str, source: str) -> dict[str, Any]:
    values = parse_json(text, source)
    warn_of_repeated(source, text)
    if not isinstance(values, dict):
        raise UsageError(f"The fleet file {source} is not a JSON object.")
    # A whole describe-spot-fleet-requests answer's part is a fleet file too.
    inner = values.get("SpotFleetRequestConfig")
    return inner if isinstance(inner, dict) else values


def _placeholders(values: object) -> list[str]:
    return [
        f"{path} is a placeholder, {text!r}: replace it with your own value."
        for path, text in _texts(values, "")
        if is_placeholder(text) and "_comment" not in path
    ]


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every text that is read with its path, such as LaunchSpecifications[0].KeyName."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in _UNREAD:
                continue
            yield from _texts(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{number}]")


def _fleet_problems(values: Mapping[str, Any]) -> list[str]:
    problems = _unknown_keys(values, FLEET.keys() | _DECIDED_FLEET_KEYS, "it")
    if not values.get("IamFleetRole"):
        problems.append(
            "it has no IamFleetRole: the ARN of the role aws-ec2-spot-fleet-tagging-role, which "
            "`python setup_AWS.py` makes."
        )
    if (values.get("Type") or "maintain") not in ("maintain", "request"):
        problems.append(f"Type is {values['Type']!r}; it must be 'maintain' or 'request'.")
    return problems


def _unknown_keys(values: Mapping[str, Any], known: Set[str], owner: str) -> list[str]:
    return [
        f"{owner} has the key {key!r}, which is not a key of a spot fleet: correct its spelling "
        "or delete it."
        for key in values
        if key not in known and not key.startswith("_")
    ]


def _template_configs(values: Mapping[str, Any], problems: list[str]) -> tuple[TemplateConfig, ...]:
    configs = []
    for number, raw in enumerate(_objects(values, "LaunchTemplateConfigs", "it", problems)):
        name = f"LaunchTemplateConfigs[{number}]"
        fitted = fit_members(raw, TEMPLATE_CONFIG, name, problems)
        reference = fitted.get("LaunchTemplateSpecification", {})
        if not (reference.get("LaunchTemplateId") or reference.get("LaunchTemplateName")):
            problems.append(
                f"{name} has no LaunchTemplateSpecification with a LaunchTemplateId or -Name."
            )
        overrides = []
        for place, override in enumerate(_objects(raw, "Overrides", name, problems)):
            where = f"{name}.Overrides[{place}]"
            problems.extend(_unknown_keys(override, OVERRIDE.keys(), where))
            overrides.append(fit_members(override, OVERRIDE, where, problems))
        configs.append(TemplateConfig(number, reference, tuple(overrides)))
    return tuple(configs)


def _launch_specification(number: int, raw: object, problems: list[str]) -> Specification:
    name = f"LaunchSpecifications[{number}]"
    if not isinstance(raw, dict):
        problems.append(f"{name} is not an object.")
        return Specification(number)
    problems.extend(_unknown_keys(raw, SPECIFICATION.keys() | _DECIDED_KEYS, name))
    fitted = fit_members(raw, SPECIFICATION, name, problems)
    if raw.get("IamInstanceProfile"):  # said already if it does not fit
        fitted.setdefault("IamInstanceProfile", raw["IamInstanceProfile"])
    problems.extend(_tags_without_keys(fitted, f"{name}."))
    return make_specification(number, fitted, problems)


def make_specification(
    number: int,
    raw: Mapping[str, Any],
    problems: list[str],
    section: str = "LaunchSpecifications",
) -> Specification:
    """Read one specification of EC2's shape, adding to `problems`; `section` is where it stands."""
    name = f"{section}[{number}]"
    if not raw.get("IamInstanceProfile"):
        problems.append(
            f"{name} has no IamInstanceProfile: without one its machines cannot join the cluster."
        )
    interfaces = _objects(raw, "NetworkInterfaces", name, problems)
    first, *more = sorted(interfaces, key=lambda interface: interface.get("DeviceIndex", 0)) or [{}]
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
        security_groups=tuple(
            dict.fromkeys(first.get("Groups") or _group_ids(groups, name, problems))
        ),
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
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        return value
    problems.append(f"{owner}.{key} must be a list of objects.")
    return []


def _group_ids(groups: list[dict[str, Any]], owner: str, problems: list[str]) -> list[str]:
    if any("GroupId" not in group for group in groups):
        problems.append(f"{owner}.SecurityGroups needs a GroupId, such as sg-0123, in each entry.")
    return [str(group["GroupId"]) for group in groups if "GroupId" in group]


def _tags_without_keys(fitted: Mapping[str, Any], owner: str) -> list[str]:
    return [
        f"{owner}TagSpecifications[{number}].Tags needs a Key and a Value in each entry."
        for number, tags in enumerate(fitted.get("TagSpecifications", []))
        if any(not tag.get("Key") for tag in tags.get("Tags", []))
    ]
