"""The rights that a request needs: each an action on a resource, with what conditions can read.

Which action, where it is not of the operation's own name, and what is needed in addition, is from
the pages beside each rule; on which resource, from AWS's own reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from distributed_something.local.simulator import ACCOUNT

from .reference import filled, resource_forms, variables_of
from .requests import Asked
from .resources import tags_of, values_of

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
_ACTIONS = {
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
_NO_RIGHT = ("sts:GetCallerIdentity",)
# Listing a service's tasks is authorised on `*`, whatever the reference says:
# https://github.com/cdklabs/construct-hub/issues/1207
_ON_ALL = ("ecs:ListTasks",)
# Tags in a request that makes something need a right of their own:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html
_TAGGING = {
    "ecs:CreateCluster": "ecs:TagResource",
    "ecs:CreateService": "ecs:TagResource",
    "ecs:RegisterTaskDefinition": "ecs:TagResource",
    "sqs:CreateQueue": "sqs:TagQueue",
    "logs:CreateLogGroup": "logs:TagResource",
    "sns:CreateTopic": "sns:TagResource",
    "cloudwatch:PutMetricAlarm": "cloudwatch:TagResource",
}
Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Need:
    """One right; `context` has the values of condition keys by name, in small letters."""

    action: str
    resource: str
    context: Context


def needs(asked: Asked) -> Iterator[Need]:
    """Every right that AWS asks for at a request."""
    own = f"{asked.service}:{asked.operation}"
    if own in _NO_RIGHT:
        return
    context = _context(asked)
    yield from _on_resources(asked, _ACTIONS.get(own, own), context)
    yield from _to_tag(asked, own, context)
    yield from _to_pass_roles(asked)
    if asked.params.get("ACL"):
        yield from _on_resources(asked, "s3:PutObjectAcl", context)
    if source := str(asked.params.get("CopySource", "")):
        yield Need("s3:GetObject", f"arn:aws:s3:::{source.lstrip('/')}", context)
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-fleet-prerequisites.html
    if own == "ec2:RequestSpotFleet" and _fleet(asked).get("LaunchTemplateConfigs"):
        yield from _on_resources(asked, "ec2:RunInstances", context)


def _on_resources(asked: Asked, action: str, context: Context, making: str = "") -> Iterator[Need]:
    """An action on each resource that a request names; on `*` where AWS has no resource for it.

    `making` is the action that makes the resource, where that is not the same.
    """
    known, place = values_of(asked), _place(asked)
    found = False
    for form, is_needed in () if action in _ON_ALL else resource_forms(making or action):
        names = [one for one in variables_of(form) if one not in place]
        if not is_needed and not all(known.get(one) for one in names):
            continue
        for chosen in product(*(known.get(one) or ["*"] for one in names)):
            found = True
            resource = filled(form, {**place, **dict(zip(names, chosen, strict=True))})
            yield Need(action, resource, {**context, **_tag_keys("Resource", tags_of(resource))})
    if not found:
        yield Need(action, "*", context)


def _to_tag(asked: Asked, own: str, context: Context) -> Iterator[Need]:
    key = f"{asked.service}:createaction"
    made = {**context, key: (asked.operation,)}
    specifications = [*asked.params.get("TagSpecifications", ())]
    specifications += _fleet(asked).get("TagSpecifications", ())
    for one in specifications:
        tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        resource = f"arn:aws:ec2:{asked.region}:{ACCOUNT}:{one['ResourceType']}/*"
        yield Need("ec2:CreateTags", resource, {**made, **_tag_keys("Request", tags)})
    if own in _TAGGING and _tags(asked):
        yield from _on_resources(asked, _TAGGING[own], made, own)


def _to_pass_roles(asked: Asked) -> Iterator[Need]:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    target = asked.params.get("Target")
    passed = {
        "spotfleet.amazonaws.com": (_fleet(asked).get("IamFleetRole"),),
        "ecs-tasks.amazonaws.com": tuple(
            asked.params.get(f"{one}RoleArn") for one in ("task", "execution")
        ),
        "scheduler.amazonaws.com": (target.get("RoleArn") if target else None,),
    }
    for service, roles in passed.items():
        for role in roles:
            if role:  # ECS takes a name, too
                arn = role if ":" in role else f"arn:aws:iam::{ACCOUNT}:role/{role}"
                yield Need("iam:PassRole", arn, {"iam:passedtoservice": (service,)})


def _fleet(asked: Asked) -> Mapping[str, Any]:
    return asked.params.get("SpotFleetRequestConfig") or {}


def _context(asked: Asked) -> dict[str, tuple[str, ...]]:
    """What conditions can read of a request."""
    found: dict[str, tuple[str, ...]] = {"aws:requestedregion": (asked.region,)}
    found |= _tag_keys("Request", _tags(asked))
    if cluster := values_of(asked).get("ClusterName"):
        found["ecs:cluster"] = (f"arn:aws:ecs:{asked.region}:{ACCOUNT}:cluster/{cluster[0]}",)
    if asked.service == "cloudwatch" and "Namespace" in asked.params:
        found["cloudwatch:namespace"] = (str(asked.params["Namespace"]),)
    if asked.service == "cloudwatch" and asked.params.get("AlarmActions"):
        found["cloudwatch:alarmactions"] = tuple(asked.params["AlarmActions"])
    if asked.service == "s3" and asked.params.get("Prefix"):
        found["s3:prefix"] = (str(asked.params["Prefix"]),)
    return found


def _tags(asked: Asked) -> dict[str, str]:
    """The tags that a request gives, in whichever form its service has for them."""
    given: Any = asked.params.get("tags") or asked.params.get("Tags") or {}
    if isinstance(given, Mapping):
        return dict(given)
    return {
        str(one.get("key") or one.get("Key")): str(one.get("value") or one.get("Value"))
        for one in given
    }


def _tag_keys(kind: str, tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {
        f"aws:{kind.lower()}tag/{key.lower()}": (value,) for key, value in tags.items()
    }
    if kind == "Request" and tags:
        found["aws:tagkeys"] = tuple(tags)
    return found


def _place(asked: Asked) -> dict[str, str]:
    """The account that a resource is of; AWS's public parameters are of none."""
    is_public = str(asked.params.get("Name", "")).startswith("/aws/service/")
    account = "" if asked.service == "ssm" and is_public else ACCOUNT
    policy = str(asked.params.get("PolicyArn", ""))
    if policy:
        account = policy.split(":")[4]
    return {"Partition": "aws", "Region": asked.region, "Account": account}
