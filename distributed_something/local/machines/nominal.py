"""The sizes of EC2's machine types as moto's list has them, for who has no account to ask."""

from __future__ import annotations

from collections.abc import Collection

from moto.ec2.models.instance_types import INSTANCE_TYPES

from ...aws.compute.images import MachineType, machine_type


def nominal_types(names: Collection[str]) -> dict[str, MachineType]:
    """What is known of these types, by name; types that are newer than the list are left out."""
    return {name: machine_type(INSTANCE_TYPES[name]) for name in names if name in INSTANCE_TYPES}
