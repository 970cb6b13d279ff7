"""Make and delete an account's roles and its instance profile; those of others are left alone."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..tags import ec2_tags

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

logger = logging.getLogger(__name__)

Document = Mapping[str, Any]


def has_role(iam: IAMClient, name: str) -> bool:
    """Whether there is a role of this name, whoever made it."""
    return _tags_of_role(iam, name) is not None


def ensure_role(
    iam: IAMClient,
    name: str,
    *,
    description: str,
    trust: Document,
    policy_name: str,
    policy: Document,
    tags: Mapping[str, str],
    boundary: str = "",
) -> bool:
    """Make the role or bring it up to date; False if one without our tags is there: it is kept.

    `boundary` is the ARN of its permissions boundary; without it one that is there stays.
    """
    found = _tags_of_role(iam, name)
    if found is None:
        _create_role(iam, name, description, trust, tags, boundary)
    elif not _has(found, tags):
        logger.info("The role %s already exists and is not ours; it is used unchanged.", name)
        return False
    else:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        if boundary:
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    iam.put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=json.dumps(policy))
    return True


def _create_role(
    iam: IAMClient,
    name: str,
    description: str,
    trust: Document,
    tags: Mapping[str, str],
    boundary: str,
) -> None:
    bounded: Any = {"PermissionsBoundary": boundary} if boundary else {}
    try:
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(trust),
            Description=description,
            Tags=ec2_tags(tags),  # type: ignore[arg-type]  # IAM's have the same form
            **bounded,
        )
    except iam.exceptions.EntityAlreadyExistsException:
        # The answer to a first request was lost after it took effect.
        if not _has(_tags_of_role(iam, name) or {}, tags):
            raise
    iam.get_waiter("role_exists").wait(RoleName=name)
    logger.info("Created the role %s.", name)


def delete_role(iam: IAMClient, name: str, tags: Mapping[str, str]) -> bool:
    """Delete the role with all that is on it; False if there is none or it is not ours."""
    found = _tags_of_role(iam, name)
    if found is None or not _has(found, tags):
        return False
    gone = contextlib.suppress(iam.exceptions.NoSuchEntityException)
    for page in iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=name):
        for profile in page["InstanceProfiles"]:
            with gone:
                iam.remove_role_from_instance_profile(
                    InstanceProfileName=profile["InstanceProfileName"], RoleName=name
                )
    for names in iam.get_paginator("list_role_policies").paginate(RoleName=name):
        for policy in names["PolicyNames"]:
            with gone:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for attached in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        for named_policy in attached["AttachedPolicies"]:
            with gone:
                iam.detach_role_policy(RoleName=name, PolicyArn=named_policy["PolicyArn"])
    with gone:
        iam.delete_role(RoleName=name)
    logger.info("Deleted the role %s.", name)
    return True


def find_role_policy(iam: IAMClient, role: str, policy_name: str) -> dict[str, Any] | None:
    """A role's own policy of this name; None if there is no such role or policy."""
    try:
        answer: Any = iam.get_role_policy(RoleName=role, PolicyName=policy_name)
    except iam.exceptions.NoSuchEntityException:
        return None
    document = answer["PolicyDocument"]
    # botocore has read the JSON already, unless the answer was not written as AWS writes it.
    read: dict[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    return read


def ensure_instance_profile(iam: IAMClient, name: str, role: str, tags: Mapping[str, str]) -> None:
    """Make the instance profile with a role in it; one that holds a role already is kept."""
    roles = _roles_of_profile(iam, name)
    if roles is None:
        _create_instance_profile(iam, name, tags)
    if roles:
        return
    try:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    except (iam.exceptions.LimitExceededException, iam.exceptions.EntityAlreadyExistsException):
        # As it is when the answer to a first request was lost after it took effect.
        if _roles_of_profile(iam, name) != [role]:
            raise


def _create_instance_profile(iam: IAMClient, name: str, tags: Mapping[str, str]) -> None:
    request: Any = ec2_tags(tags)
    try:
        iam.create_instance_profile(InstanceProfileName=name, Tags=request)
    except iam.exceptions.EntityAlreadyExistsException:
        logger.info("The instance profile %s exists now.", name)
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName=name)
    logger.info("Created the instance profile %s.", name)


def _roles_of_profile(iam: IAMClient, name: str) -> list[str] | None:
    """The names of the roles in an instance profile; None if there is no such profile."""
    try:
        profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return [role["RoleName"] for role in profile["Roles"]]


def delete_instance_profile(iam: IAMClient, name: str, tags: Mapping[str, str]) -> bool:
    """Delete the instance profile; False if there is none or it is not ours."""
    try:
        profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        return False
    if not _has({tag["Key"]: tag["Value"] for tag in profile.get("Tags", [])}, tags):
        return False
    gone = contextlib.suppress(iam.exceptions.NoSuchEntityException)
    for role in profile["Roles"]:
        with gone:
            iam.remove_role_from_instance_profile(
                InstanceProfileName=name, RoleName=role["RoleName"]
            )
    with gone:
        iam.delete_instance_profile(InstanceProfileName=name)
    logger.info("Deleted the instance profile %s.", name)
    return True


def ensure_service_linked_role(iam: IAMClient, service: str) -> None:
    """See that AWS's own role for a service is there; it belongs to AWS and is never deleted."""
    try:
        role = iam.create_service_linked_role(AWSServiceName=service)["Role"]
    except iam.exceptions.ClientError as error:
        fault = error.response["Error"]
        taken = fault.get("Code") == "InvalidInput" and "taken" in fault.get("Message", "")
        if taken or fault.get("Code") == "EntityAlreadyExists":
            return
        raise
    logger.info("Created AWS's role %s.", role["RoleName"])


def boundary_of(iam: IAMClient, names: Iterable[str], tags: Mapping[str, str]) -> str:
    """The ARN of the boundary that the first of these roles with our tags and one has; '' if none.

    A role that may not be seen says nothing of it.
    """
    for name in names:
        try:
            role = iam.get_role(RoleName=name)["Role"]
        except iam.exceptions.ClientError:
            continue
        own = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        if _has(own, tags) and (found := role.get("PermissionsBoundary")):
            return found.get("PermissionsBoundaryArn", "")
    return ""


def _tags_of_role(iam: IAMClient, name: str) -> dict[str, str] | None:
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}


def _has(found: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    return all(found.get(key) == value for key, value in tags.items())
