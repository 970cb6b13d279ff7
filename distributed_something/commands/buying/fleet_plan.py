"""Plan a fleet before anything is bought: which image, disk and machine types, and do jobs fit."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...aws.compute import launch_templates
from ...aws.compute.images import (
    MachineImage,
    MachineType,
    find_image,
    machine_types,
    recommended_image,
)
from ...definitions.fleet import Image, Launch, types_of_overrides, types_of_specifications
from ...errors import UsageError
from ...inputs.fleets.template_configs import with_templates

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleets.fleet_file import FleetFile, Specification
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

LEAST_DISK_GIB = 30  # the root disk of ECS-optimised Amazon Linux 2023
# ECS registers somewhat less memory than the nominal size; above this share it may be too little.
TIGHT_MEMORY = 0.96
# Amazon Linux 1 and 2 get no more updates, and their ECS agents no more releases.
_DEAD_IMAGE = re.compile(r"^amzn2?-ami-")
_CPU_UNITS = 1024  # of a vCPU, as ECS counts them


@dataclass(frozen=True)
class FleetPlan:
    """The launch templates to be, and what the person who buys should know."""

    launches: tuple[Launch, ...]
    notes: tuple[str, ...]


def plan_fleet(aws: Aws, settings: Settings, fleet_file: FleetFile, *, keep_ami: bool) -> FleetPlan:
    """Look the machine types and images up, creating nothing.

    Raises UsageError for a type that does not exist or that is too small for its containers.
    """
    specifications = fleet_file.specifications
    names = types_of_specifications(settings.machine_type, len(specifications))
    names = [
        types_of_overrides(specification, own) if specification.overrides else own
        for specification, own in zip(specifications, names, strict=True)
    ]
    types = machine_types(aws.ec2, [name for own in names for name in own])
    notes = [note for machine in types.values() for note in fit(settings, machine)]
    notes += _capacity_notes(settings, fleet_file)
    if not settings.assign_ip and any(not own_spec.all_subnets for own_spec in specifications):
        notes.append(
            "The fleet file names no subnet: in the default network machines get public addresses "
            "although ASSIGN_IP is 'False', because they have no other way out there."
        )
    launches = []
    for specification, own_names in zip(specifications, names, strict=True):
        own_image = _own_image(aws, specification, keep_ami, notes)
        own_types = [types[name] for name in own_names]
        if own_image is not None:
            _check_architecture(specification, own_image, own_types)
        for kind, members in _by_kind(own_types).items():
            image = _image(aws, settings, specification, kind, own_image, notes)
            launches.append(Launch(specification, image, members))
    if len({machine.architecture for machine in types.values()}) > 1:
        notes.append(
            "MACHINE_TYPE mixes x86 and arm: the image of DOCKERHUB_TAG must exist for both."
        )
    return FleetPlan(tuple(launches), tuple(dict.fromkeys(notes)))


def with_price_of_file(
    settings: Settings, fleet_file: FleetFile
) -> tuple[Settings, tuple[str, ...]]:
    """The settings with the price cap of an older fleet file, where the config names none.

    With a note on it, or on a price of the file that the config's takes the place of.
    """
    price = fleet_file.spot_price
    if price is None or price == settings.machine_price:
        return settings, ()
    if "machine_price" in settings.model_fields_set:
        ours = "no cap" if settings.machine_price is None else f"${settings.machine_price:g}"
        return settings, (
            f"MACHINE_PRICE of the config file ({ours}) holds, not SpotPrice of "
            f"{fleet_file.source} (${price:g}).",
        )
    note = f"The price cap is SpotPrice of {fleet_file.source}, as the config has no MACHINE_PRICE."
    return settings.model_copy(update={"machine_price": price}), (note,)


def read_templates(aws: Aws, fleet_file: FleetFile) -> FleetFile:
    """The fleet file with its own launch templates, if it names any, read as specifications."""
    if not fleet_file.templates:
        return fleet_file
    contents = [
        launch_templates.launch_template_data(aws.ec2, template.reference)
        for template in fleet_file.templates
    ]
    return with_templates(fleet_file, contents)


def _capacity_notes(settings: Settings, fleet_file: FleetFile) -> Iterator[str]:
    """Notes on machines that are not spot ones; raises UsageError for more of them than all."""
    wanted = fleet_file.request.get("OnDemandTargetCapacity") or 0
    wanted = settings.cluster_machines if settings.on_demand else wanted
    if wanted > settings.cluster_machines:
        raise UsageError(
            f"OnDemandTargetCapacity in {fleet_file.source} is {wanted}, and CLUSTER_MACHINES, "
            f"which counts them too, is {settings.cluster_machines}: raise one or lower the other."
        )
    if wanted:
        why = "ON_DEMAND" if settings.on_demand else "OnDemandTargetCapacity"
        yield (
            f"{wanted} of the {settings.cluster_machines} machines are On-Demand "
            f"({why}): they cost the on-demand price, whatever MACHINE_PRICE says."
        )
    if any(
        spec.weight is not None or any("WeightedCapacity" in own for own in spec.overrides)
        for spec in fleet_file.specifications
    ):
        yield "With WeightedCapacity, CLUSTER_MACHINES counts units of capacity and not machines."


def fit(settings: Settings, machine: MachineType) -> Iterator[str]:
    """Notes on how the containers fit a machine; raises UsageError if they cannot."""
    memory = settings.memory * settings.tasks_per_machine
    cpu = settings.cpu_shares * settings.tasks_per_machine
    containers = (
        "1 container needs"
        if settings.tasks_per_machine == 1
        else f"{settings.tasks_per_machine} containers (TASKS_PER_MACHINE) need"
    )
    if memory > machine.memory_mib:
        raise UsageError(
            f"{containers} {memory} MB (MEMORY), and a {machine.name} (MACHINE_TYPE) has "
            f"{machine.memory_mib}: lower MEMORY, or choose a larger MACHINE_TYPE."
        )
    if cpu > machine.vcpus * _CPU_UNITS:
        raise UsageError(
            f"{containers} {cpu} CPU_SHARES, and a {machine.name} (MACHINE_TYPE) has "
            f"{machine.vcpus * _CPU_UNITS} ({machine.vcpus} vCPUs): lower CPU_SHARES, "
            "or choose a larger MACHINE_TYPE."
        )
    if memory > TIGHT_MEMORY * machine.memory_mib:
        yield (
            f"{containers} {memory} MB of the {machine.memory_mib} that a {machine.name} has; ECS "
            "keeps some for itself, so they may never start. Lower MEMORY to be sure."
        )


def _by_kind(types: list[MachineType]) -> dict[str, tuple[str, ...]]:
    """The names of machine types by the kind of image that they boot, in their order."""
    kinds: dict[str, tuple[str, ...]] = {}
    for machine in types:
        kinds[machine.kind] = (*kinds.get(machine.kind, ()), machine.name)
    return kinds


def _own_image(
    aws: Aws, specification: Specification, keep_ami: bool, notes: list[str]
) -> MachineImage | None:
    """The fleet file's own image where it is to be kept; None for Amazon's newest one."""
    wanted = specification.image_id
    if not wanted or wanted.startswith("resolve:"):
        return None
    found = find_image(aws.ec2, wanted)
    if keep_ami:
        if found is None:
            raise UsageError(
                f"{specification.name}.ImageId is {wanted}, which EC2 does not know in "
                f"{aws.region}: correct it, or leave out --keep-ami."
            )
        return found
    if found is not None and not _DEAD_IMAGE.match(found.name):
        return found
    why = "is of Amazon Linux 1 or 2" if found else f"does not exist in {aws.region}"
    notes.append(
        f"{specification.name}.ImageId {wanted} {why}: ECS-optimised Amazon Linux 2023 replaces "
        "it, with one disk of EBS_VOL_SIZE."
    )
    return None


def _check_architecture(
    specification: Specification, image: MachineImage, types: list[MachineType]
) -> None:
    for machine in types:
        if image.architecture and machine.architecture != image.architecture:
            raise UsageError(
                f"{specification.name}.ImageId {image.image_id} is for {image.architecture}, and "
                f"a {machine.name} (MACHINE_TYPE) is {machine.architecture}: correct one of them, "
                "or delete ImageId to get Amazon's image for each."
            )


def _image(
    aws: Aws,
    settings: Settings,
    specification: Specification,
    kind: str,
    own: MachineImage | None,
    notes: list[str],
) -> Image:
    gpu = kind.endswith("gpu")
    if own is not None:
        is_of_root = len(specification.devices) < 2  # else EBS_VOL_SIZE is another disk's
        size = _disk(settings, own.root_gib if is_of_root else 0, notes)
        devices = specification.devices
        return Image(own.image_id, own.root_device, size, gpu, devices, own.root_gib)
    image_id = recommended_image(aws.ssm, kind)
    found = find_image(aws.ec2, image_id)
    root = found.root_device if found else "/dev/xvda"
    least = max(found.root_gib if found else 0, LEAST_DISK_GIB)
    return Image(image_id, root, _disk(settings, least, notes), gpu)


def _disk(settings: Settings, least: int, notes: list[str]) -> int:
    """EBS_VOL_SIZE in GiB, raised to what the image needs."""
    if settings.ebs_vol_size < least:
        notes.append(
            f"EBS_VOL_SIZE = {settings.ebs_vol_size} is less than the image needs: "
            f"the disk gets {least} GiB."
        )
    return max(settings.ebs_vol_size, least)
