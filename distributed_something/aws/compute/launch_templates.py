"""Make, find, read and delete launch templates."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ...errors import UsageError
from ..faults import error_code
from ..tags import ec2_tags

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

logger = logging.getLogger(__name__)

_NO_TEMPLATE = (
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateId.NotFoundException",
    "InvalidLaunchTemplateName.NotFoundException",
)


def list_launch_templates(ec2: EC2Client) -> Iterator[str]:
    """The names of all launch templates of the account."""
    for page in ec2.get_paginator("describe_launch_templates").paginate():
        yield from (template["LaunchTemplateName"] for template in page["LaunchTemplates"])


def ensure_launch_template(
    ec2: EC2Client, name: str, data: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """Make the launch template of this exact name; one that is there already is replaced."""
    delete_launch_template(ec2, name)
    try:
        _create_launch_template(ec2, name, data, tags)
    except ClientError as error:
        if error_code(error) != "InvalidLaunchTemplateName.AlreadyExistsException":
            raise
        # The answer to a first request was lost after it took effect.
        delete_launch_template(ec2, name)
        _create_launch_template(ec2, name, data, tags)
    logger.info("Created the launch template %s.", name)


def _create_launch_template(
    ec2: EC2Client, name: str, data: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    template: Any = dict(data)
    ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData=template,
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": ec2_tags(tags)}],
    )


def delete_launch_template(ec2: EC2Client, name: str) -> bool:
    """Delete the launch template of this exact name; False if there is none."""
    found = ec2.describe_launch_templates(
        Filters=[{"Name": "launch-template-name", "Values": [name]}]
    )["LaunchTemplates"]
    for template in found:
        try:
            ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
        except ClientError as error:
            if error_code(error) not in _NO_TEMPLATE:
                raise
        logger.info("Deleted the launch template %s.", name)
    return bool(found)


def launch_template_data(ec2: EC2Client, reference: Mapping[str, str]) -> dict[str, Any]:
    """What a launch template holds, by its id or name and its version; raises UsageError."""
    named = {k: v for k, v in reference.items() if k in ("LaunchTemplateId", "LaunchTemplateName")}
    request: Any = {**named, "Versions": [str(reference.get("Version") or "$Default")]}
    try:
        versions = ec2.describe_launch_template_versions(**request)["LaunchTemplateVersions"]
    except ClientError as error:
        if not error_code(error).startswith("InvalidLaunchTemplate"):
            raise
        versions = []
    if not versions:
        raise UsageError(
            f"There is no launch template {next(iter(named.values()), '')} of version "
            f"{request['Versions'][0]} in {ec2.meta.region_name}: correct LaunchTemplateConfigs in "
            "the fleet file."
        )
    return dict(versions[0]["LaunchTemplateData"])


def find_launch_templates(ec2: EC2Client, tags: Mapping[str, str]) -> list[str]:
    """The names of the launch templates with these tags."""
    filters: Any = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    pages = ec2.get_paginator("describe_launch_templates").paginate(Filters=filters)
    return [t["LaunchTemplateName"] for page in pages for t in page["LaunchTemplates"]]
