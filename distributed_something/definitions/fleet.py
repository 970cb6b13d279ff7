"""What a fleet's launch templates and its request are made with."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..inputs.fleets.shapes import comma_list
from .tags import fleet_tags, run_tags
from .user_data import user_data

if TYPE_CHECKING:
    from ..inputs.fleets.fleet_file import FleetFile, Specification
    from ..inputs.settings import Settings

DEFAULT_STRATEGY = "priceCapacityOptimized"


@dataclass(frozen=True)
class Image:
    """The AMI of a launch template and its disks."""

    image_id: str
    root_device: str
    volume_gib: int  # of the disk that jobs write to: a kept image's second, or else its only one
    gpu: bool = False
    devices: tuple[Mapping[str, Any], ...] = ()  # a kept image's own; (): one gp3 root disk
    root_gib: int = 0  # of a kept image's root disk, for devices that name no size


@dataclass(frozen=True)
class Launch:
    """One launch template to be: a specification, its image and the machine types that it fits."""

    specification: Specification
    image: Image
    machine_types: tuple[str, ...]


def types_of_specifications(types: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Which machine types each of `count` specifications gets.

    As many types as specifications go one to one, as upstream's do; otherwise each gets all.
    """
    if len(types) == count:
        return [(machine_type,) for machine_type in types]
    return [tuple(dict.fromkeys(types))] * count


def types_of_overrides(specification: Specification, types: Sequence[str]) -> tuple[str, ...]:
    """The machine types of a launch template's overrides, and `types` for those that name none."""
    named = [
        str(override["InstanceType"])
        for override in specification.overrides
        if "InstanceType" in override
    ]
    rest = types if len(named) < max(len(specification.overrides), 1) else ()
    return tuple(dict.fromkeys([*named, *rest]))


def template_name(app_name: str, run_id: str, number: int) -> str:
    """The name of a run's launch template, counted from 1."""
    return f"{app_name}-{run_id}-{number}"


def launch_template(settings: Settings, launch: Launch, run_id: str) -> dict[str, Any]:
    """The data of a launch template; type and subnet come from the fleet's overrides."""
    script = user_data(settings, gpu=launch.image.gpu)
    return {
        **launch.specification.template,
        **_network(settings, launch.specification),
        "ImageId": launch.image.image_id,
        "BlockDeviceMappings": _devices(launch.image),
        "UserData": base64.b64encode(script.encode()).decode(),
        # A container on the bridge is one hop further from the metadata service.
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "TagSpecifications": _machine_tags(settings, launch.specification, run_id),
    }


def fleet_request(
    settings: Settings,
    fleet_file: FleetFile,
    launches: Sequence[tuple[str, Launch]],
    *,
    run_id: str,
    client_token: str,
    now: float,
) -> dict[str, Any]:
    """The SpotFleetRequestConfig, fit for JSON; `launches` have their templates' names.

    It ends by itself MAX_HOURS after `now` (seconds since 1970), and its machines with it.
    """
    request: dict[str, Any] = {
        "AllocationStrategy": DEFAULT_STRATEGY,
        "Type": "maintain",
        **fleet_file.request,
        "ClientToken": client_token,
        "TargetCapacity": settings.cluster_machines,
        "ValidUntil": iso_time(valid_until(settings, now)),
        "TerminateInstancesWithExpiration": True,
        "LaunchTemplateConfigs": _template_configs(launches),
        "TagSpecifications": _fleet_tag_specifications(settings, fleet_file, run_id, client_token),
    }
    if settings.on_demand:
        request["OnDemandTargetCapacity"] = settings.cluster_machines
    if settings.machine_price is not None:
        request["SpotPrice"] = price_text(settings.machine_price)
    return request


def disk_gib(template: Mapping[str, Any], root_gib: int = 0) -> int:
    """All disks of a machine of this launch template, GiB; `root_gib` where one names no size."""
    disks = [device["Ebs"] for device in template["BlockDeviceMappings"] if "Ebs" in device]
    return sum(int(disk.get("VolumeSize", root_gib)) for disk in disks)


def may_have_public_address(template: Mapping[str, Any]) -> bool:
    """Whether a machine of this launch template may get a public address, which is paid for."""
    interfaces = template.get("NetworkInterfaces", ())
    if not interfaces:
        return True  # the subnet decides; those of the default network give one
    return any(interface.get("AssociatePublicIpAddress") for interface in interfaces)


def gets_public_ip(settings: Settings, specification: Specification, of_subnet: bool) -> bool:
    """Whether a machine gets a public address in a subnet that gives one unasked, or does not."""
    if specification.more_interfaces:
        return False
    if _takes_what_the_subnet_gives(specification):
        return of_subnet
    return _asks_for_public_ip(settings, specification)


def _asks_for_public_ip(settings: Settings, specification: Specification) -> bool:
    """`ASSIGN_IP = 'False'` takes addresses away, 'True' leaves it to the fleet file if that says.

    https://distributedscience.github.io/Distributed-CellProfiler/step_1_configuration.html
    """
    return settings.assign_ip and not specification.refuses_public_ip


def valid_until(settings: Settings, now: float) -> float:
    """When a fleet requested now ends by itself, in seconds since 1970."""
    return now + settings.max_hours * 3600


def iso_time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=0)
    return moment.isoformat().replace("+00:00", "Z")


def price_text(price: float) -> str:
    """A price as EC2 reads it, every digit kept."""
    return format(Decimal(repr(price)), "f")


def _network(settings: Settings, specification: Specification) -> dict[str, Any]:
    """The security groups, and a network interface where one is needed to say who gets an IP."""
    groups = list(specification.security_groups)
    if _takes_what_the_subnet_gives(specification):
        return {"SecurityGroupIds": groups} if groups else {}
    interface: dict[str, Any] = {
        "DeleteOnTermination": True,
        **specification.interface,
        "DeviceIndex": 0,
    }
    if not specification.more_interfaces:  # with several, EC2 gives a machine no public IP
        interface["AssociatePublicIpAddress"] = _asks_for_public_ip(settings, specification)
    if groups:
        interface["Groups"] = groups
    return {"NetworkInterfaces": [interface, *specification.more_interfaces]}


def _takes_what_the_subnet_gives(specification: Specification) -> bool:
    """Whether to leave the address to the subnet, as always in the default network.

    Its subnets give one to every machine, which has no other way out there: ASSIGN_IP = 'False',
    which older configs say, can only mean other networks.
    """
    return not specification.all_subnets and not specification.interface


def _devices(image: Image) -> list[dict[str, Any]]:
    if image.devices:
        return _kept_devices(image)
    disk = {"VolumeSize": image.volume_gib, "VolumeType": "gp3", "DeleteOnTermination": True}
    return [{"DeviceName": image.root_device, "Ebs": disk}]


def _kept_devices(image: Image) -> list[dict[str, Any]]:
    """A kept image's devices, EBS_VOL_SIZE on the second as upstream had it, or on the only one."""
    devices = [dict(device) for device in image.devices]
    sized = devices[1] if len(devices) > 1 else devices[0]
    sized["Ebs"] = {**sized.get("Ebs", {}), "VolumeSize": image.volume_gib}
    return devices


def _machine_tags(
    settings: Settings, specification: Specification, run_id: str
) -> list[dict[str, Any]]:
    ours = {"Name": f"{settings.app_name}Worker", **run_tags(settings.app_name, run_id)}
    return [
        {"ResourceType": kind, "Tags": _merged(specification.tags.get(kind, ()), ours)}
        for kind in ("instance", "volume")
    ]


def _fleet_tag_specifications(
    settings: Settings, fleet_file: FleetFile, run_id: str, client_token: str
) -> list[dict[str, Any]]:
    theirs = [
        tag
        for tags in fleet_file.request.get("TagSpecifications", [])
        for tag in tags.get("Tags", [])
    ]
    ours = fleet_tags(settings.app_name, run_id, client_token)
    return [{"ResourceType": "spot-fleet-request", "Tags": _merged(theirs, ours)}]


def _merged(theirs: Sequence[Mapping[str, str]], ours: Mapping[str, str]) -> list[dict[str, str]]:
    """A file's tags and our own, which win; a key may be there only once."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in theirs} | dict(ours)
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _template_configs(launches: Sequence[tuple[str, Launch]]) -> list[dict[str, Any]]:
    """A configuration for each launch template, each pool (a type in a place) once over all.

    The first template that names a pool has it: EC2 refuses a request that names it twice.
    """
    taken: set[tuple[str, ...]] = set()
    configs: list[dict[str, Any]] = []
    for name, launch in launches:
        own = {_pool(override): override for override in _overrides(launch)}
        overrides = [override for pool, override in own.items() if pool not in taken]
        taken |= own.keys()
        if overrides:
            template = {"LaunchTemplateName": name, "Version": "1"}
            configs.append({"LaunchTemplateSpecification": template, "Overrides": overrides})
    return configs


def _pool(override: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("InstanceType", "SubnetId", "AvailabilityZone")
    return tuple(str(override.get(key, "")) for key in keys)


def _overrides(launch: Launch) -> list[dict[str, Any]]:
    """One override for every machine type in every subnet or zone; a file's own say which.

    EC2 refuses a request that has one of them twice.
    """
    specification = launch.specification
    weight = {} if specification.weight is None else {"WeightedCapacity": specification.weight}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for own in specification.overrides or ({},):
        types = [own["InstanceType"]] if "InstanceType" in own else launch.machine_types
        kept = {key: own[key] for key in ("WeightedCapacity", "Priority") if key in own}
        for machine_type in types:
            if machine_type not in launch.machine_types:
                continue  # those of another processor have another template
            for place in _places(specification, own):
                pool = (machine_type, *map(str, place.values()))
                found.setdefault(pool, {"InstanceType": machine_type, **place, **weight, **kept})
    return list(found.values())


def _places(specification: Specification, own: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where an override may buy: its own subnets or zone, or else those of all."""
    if own.get("AvailabilityZone") and not own.get("SubnetId"):
        return [{"AvailabilityZone": own["AvailabilityZone"]}]
    subnets = comma_list(own.get("SubnetId")) or specification.subnets
    places: list[dict[str, Any]] = [{"SubnetId": subnet} for subnet in subnets]
    return places or [{"AvailabilityZone": zone} for zone in specification.zones] or [{}]
