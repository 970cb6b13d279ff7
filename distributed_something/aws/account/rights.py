"""Read the roles that a purchase leans on, and what the documents on a role say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient
    from types_boto3_iam import IAMClient


def who_may_assume(iam: IAMClient, role: str) -> set[str] | None:
    """The AWS services that a role trusts, such as spotfleet.amazonaws.com; None: no such role."""
    try:
        raw: Any = iam.get_role(RoleName=role)["Role"]
    except iam.exceptions.NoSuchEntityException:
        return None
    services: set[str] = set()
    for statement in _list(_read(raw["AssumeRolePolicyDocument"]).get("Statement", [])):
        principal = statement.get("Principal", {})
        if isinstance(principal, Mapping):
            services |= set(_list(principal.get("Service", [])))
    return services


def roles_of_profile(iam: IAMClient, profile: str) -> list[str] | None:
    """The names of the roles in an instance profile, one at most; None: no such profile."""
    try:
        found = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        return None
    return [role["RoleName"] for role in found["Roles"]]


def role_of_task(ecs: ECSClient, family: str) -> str:
    """The name of the role that a family's newest task definition gives its containers, or ''."""
    found = find_task_definition(ecs, family) or {}
    return str(found.get("taskRoleArn", "")).rsplit("/", 1)[-1]


def find_task_definition(ecs: ECSClient, family: str) -> Mapping[str, Any] | None:
    """A family's newest task definition as ECS has it; None if there is none."""
    try:
        return ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    except ecs.exceptions.ClientException:
        return None


def policies_of(iam: IAMClient, role: str) -> list[dict[str, Any]] | None:
    """All documents on a role, its own and the attached ones; None if one cannot be found."""
    documents = []
    try:
        for own in iam.get_paginator("list_role_policies").paginate(RoleName=role):
            for name in own["PolicyNames"]:
                answer: Any = iam.get_role_policy(RoleName=role, PolicyName=name)
                documents.append(_read(answer["PolicyDocument"]))
        for attached in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
            for named_policy in attached["AttachedPolicies"]:
                version = iam.get_policy(PolicyArn=named_policy["PolicyArn"])["Policy"][
                    "DefaultVersionId"
                ]
                answer = iam.get_policy_version(
                    PolicyArn=named_policy["PolicyArn"], VersionId=version
                )
                documents.append(_read(answer["PolicyVersion"]["Document"]))
    except iam.exceptions.NoSuchEntityException:
        return None
    return documents


def _read(document: Any) -> dict[str, Any]:
    """A document; botocore has read its JSON already if it was written as AWS writes it."""
    found: dict[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
