"""Ask which machine types and machine images there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ...errors import UsageError
from ..faults import error_code

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ssm import SSMClient

# Which ECS-optimised Amazon Linux 2023 fits a kind of machine:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/retrieve-ecs-optimized_AMI.html
_PARAMETERS = {
    "x86_64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
    "arm64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
    "gpu": "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
}


@dataclass(frozen=True)
class MachineType:
    """An EC2 instance type; `memory_mib` is the nominal size."""

    name: str
    architecture: str  # x86_64 or arm64
    memory_mib: int
    vcpus: int
    has_gpu: bool

    @property
    def kind(self) -> str:
        """Which image fits: x86_64, arm64, gpu (x86) or arm64-gpu."""
        if not self.has_gpu:
            return self.architecture
        return "gpu" if self.architecture == "x86_64" else f"{self.architecture}-gpu"


@dataclass(frozen=True)
class MachineImage:
    """An AMI; `root_gib` is the least size of its root disk."""

    image_id: str
    name: str
    architecture: str
    root_device: str
    root_gib: int


def machine_types(ec2: EC2Client, names: Iterable[str]) -> dict[str, MachineType]:
    """What EC2 knows of these types, by name; raises UsageError for those that do not exist."""
    wanted = list(dict.fromkeys(names))
    request: Any = {"InstanceTypes": wanted}
    try:
        pages = list(ec2.get_paginator("describe_instance_types").paginate(**request))
    except ClientError as error:
        if error_code(error) not in ("InvalidInstanceType", "InvalidParameterValue"):
            raise
        raise UsageError(
            f"MACHINE_TYPE = {wanted!r}: {error.response['Error']['Message']}"
        ) from None
    found = [machine_type(raw) for page in pages for raw in page["InstanceTypes"]]
    return {machine.name: machine for machine in found}


def recommended_image(ssm: SSMClient, kind: str) -> str:
    """The id of the newest ECS-optimised image for a kind of machine; raises UsageError."""
    try:
        return ssm.get_parameter(Name=_PARAMETERS[kind])["Parameter"]["Value"]
    except (KeyError, ssm.exceptions.ParameterNotFound):
        raise UsageError(
            f"AWS recommends no {kind} image of Amazon Linux 2023 in {ssm.meta.region_name}: "
            "choose another MACHINE_TYPE or AWS_REGION, or set your own ImageId in the fleet file."
        ) from None


def find_image(ec2: EC2Client, image_id: str) -> MachineImage | None:
    """The image, or None if EC2 does not show it to us."""
    try:
        images = ec2.describe_images(ImageIds=[image_id])["Images"]
    except ClientError as error:
        if error_code(error).startswith("InvalidAMIID"):
            return None
        raise
    return _machine_image(images[0]) if images else None


def refused_terms(ec2: EC2Client, image_id: str, machine_type: str) -> str:
    """What EC2 says of Marketplace terms that were not accepted; '' if there is nothing to say.

    Asks whether a machine could be started, and starts none.
    """
    images = ec2.describe_images(ImageIds=[image_id])["Images"]
    codes = [code for image in images for code in image.get("ProductCodes", [])]
    if not any(code.get("ProductCodeType") == "marketplace" for code in codes):
        return ""
    request: Any = {"ImageId": image_id, "InstanceType": machine_type, "MinCount": 1}
    try:
        ec2.run_instances(**request, MaxCount=1, DryRun=True)
    except ClientError as error:
        if error_code(error) == "OptInRequired":
            return str(error.response["Error"].get("Message", ""))
        if error_code(error) in ("UnauthorizedOperation", "AccessDenied"):
            raise
    return ""


def has_key_pair(ec2: EC2Client, name: str) -> bool:
    """Whether there is a key pair of this name."""
    found = ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": [name]}])
    return bool(found["KeyPairs"])


def machine_type(raw: Mapping[str, Any]) -> MachineType:
    """A type as EC2 describes it."""
    architectures = raw["ProcessorInfo"]["SupportedArchitectures"]
    return MachineType(
        name=raw["InstanceType"],
        architecture="arm64" if "arm64" in architectures else "x86_64",
        memory_mib=raw["MemoryInfo"]["SizeInMiB"],
        vcpus=raw["VCpuInfo"]["DefaultVCpus"],
        has_gpu=any(gpu.get("Manufacturer") == "NVIDIA" for gpu in _gpus(raw)),
    )


def _gpus(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    gpus: list[Mapping[str, Any]] = raw.get("GpuInfo", {}).get("Gpus", [])
    return gpus


def _machine_image(raw: Mapping[str, Any]) -> MachineImage:
    root = raw.get("RootDeviceName", "/dev/xvda")
    sizes = [
        mapping["Ebs"].get("VolumeSize", 0)
        for mapping in raw.get("BlockDeviceMappings", [])
        if mapping.get("DeviceName") == root and "Ebs" in mapping
    ]
    return MachineImage(
        image_id=raw["ImageId"],
        name=raw.get("Name", ""),
        architecture=raw.get("Architecture", ""),
        root_device=root,
        root_gib=max(sizes, default=0),
    )
