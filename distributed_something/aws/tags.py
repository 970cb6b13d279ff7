"""Turn tags into the lists that EC2 and ECS want."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import TagTypeDef
    from types_boto3_ecs.type_defs import TagTypeDef as EcsTagTypeDef


def ec2_tags(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def ecs_tags(tags: Mapping[str, str]) -> list[EcsTagTypeDef]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def has_tags(resource: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    """Whether a resource that EC2 described carries all of these tags."""
    found = {tag.get("Key", ""): tag.get("Value", "") for tag in resource.get("Tags", [])}
    return all(found.get(key) == value for key, value in tags.items())
