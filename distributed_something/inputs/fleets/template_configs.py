"""Fleet files that name launch templates of their own instead of launch specifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import UsageError
from .fleet_file import FleetFile, Specification, TemplateConfig, make_specification

SECTION = "LaunchTemplateConfigs"
# What a launch template and a launch specification call alike.
_SHARED = (
    "BlockDeviceMappings", "EbsOptimized", "IamInstanceProfile", "ImageId", "KernelId", "KeyName",
    "Monitoring", "NetworkInterfaces", "Placement", "TagSpecifications",
)  # fmt: skip
# What only a launch template can say, and ours takes over. The rest of it is ours to decide.
_TAKEN_OVER = (
    "CapacityReservationSpecification", "CpuOptions", "CreditSpecification", "EnclaveOptions",
    "LicenseSpecifications", "MaintenanceOptions", "PrivateDnsNameOptions",
)  # fmt: skip


def with_templates(fleet_file: FleetFile, contents: Sequence[Mapping[str, Any]]) -> FleetFile:
    """The file as if it had launch specifications: `contents` are its templates' data, in order.

    Raises UsageError with a line for every template that cannot be used.
    """
    problems: list[str] = []
    specifications = [
        _specification(config, data, problems)
        for config, data in zip(fleet_file.templates, contents, strict=True)
    ]
    if problems:
        raise UsageError("\n  ".join([f"{fleet_file.source} cannot be used:", *problems]))
    return replace(fleet_file, specifications=tuple(specifications), templates=())


def _specification(
    config: TemplateConfig, data: Mapping[str, Any], problems: list[str]
) -> Specification:
    raw = {key: data[key] for key in _SHARED if key in data}
    raw["SecurityGroups"] = [{"GroupId": group} for group in data.get("SecurityGroupIds", [])]
    made = make_specification(config.number, raw, problems, SECTION)
    extra = {key: data[key] for key in _TAKEN_OVER if key in data}
    return replace(made, overrides=config.overrides, template={**made.template, **extra})
