"""What of a request names its resources, and the tags that these have in the simulated account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends
from moto.sqs.models import sqs_backends

from distributed_something.local.simulator import ACCOUNT

from .requests import Asked

# The variables of ARNs by service, and the parameters that name them: a name, an ARN or a URL.
_NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "sqs": {"QueueName": ("QueueUrl", "QueueName")},
    "ecs": {
        "ClusterName": ("cluster", "clusters", "clusterName"),
        "ServiceName": ("service", "services", "serviceName"),
        "ContainerInstanceId": ("containerInstance", "containerInstances"),
        "TaskId": ("task", "tasks"),
        "TaskDefinitionFamilyName": ("family",),
    },
    "ec2": {
        "InstanceId": ("InstanceId", "InstanceIds"),
        "SpotFleetRequestId": ("SpotFleetRequestId", "SpotFleetRequestIds"),
        "LaunchTemplateId": ("LaunchTemplateId", "LaunchTemplateIds"),
    },
    "cloudwatch": {
        "AlarmName": ("AlarmName", "AlarmNames"),
        "DashboardName": ("DashboardName", "DashboardNames"),
    },
    "sns": {"TopicName": ("TopicArn", "Name")},
    "lambda": {"FunctionName": ("FunctionName", "Resource")},
    "ecr": {"RepositoryName": ("repositoryName",)},
}
# Those whose names may have slashes and colons of their own.
_WHOLE_NAMES: Mapping[str, Mapping[str, str]] = {
    "s3": {"BucketName": "Bucket", "ObjectName": "Key"},
    "logs": {"LogGroupName": "logGroupName", "LogStreamName": "logStreamName"},
    "iam": {"RoleNameWithPath": "RoleName", "InstanceProfileNameWithPath": "InstanceProfileName"},
    "scheduler": {"GroupName": "GroupName", "ScheduleName": "Name"},
    "ssm": {"ParameterNameWithoutLeadingSlash": "Name"},
}


def values_of(asked: Asked) -> dict[str, list[str]]:
    """The variables of ARNs that a request gives values for."""
    params, found = asked.params, dict[str, list[str]]()
    for variable, names in _NAMES.get(asked.service, {}).items():
        given = [one for name in names for one in _listed(params.get(name))]
        found[variable] = [_short(str(one)) for one in given]
    for variable, name in _WHOLE_NAMES.get(asked.service, {}).items():
        found[variable] = [str(one).lstrip("/") for one in _listed(params.get(name))]
    if asked.service == "iam" and params.get("PolicyArn"):
        found["PolicyNameWithPath"] = [str(params["PolicyArn"]).partition(":policy/")[2]]
    if asked.service == "logs":  # whose groups may begin with a slash
        found["LogGroupName"] = _listed(params.get("logGroupName"))
    if asked.operation == "RequestSpotFleet":
        configs = params["SpotFleetRequestConfig"].get("LaunchTemplateConfigs") or []
        named = [one["LaunchTemplateSpecification"].get("LaunchTemplateId") for one in configs]
        found["LaunchTemplateId"] = [one for one in named if one]
    return found


def _listed(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _short(name: str) -> str:
    """The last part of an ARN or URL."""
    return name.rpartition("/")[2] if "/" in name else name.rpartition(":")[2]


def tags_of(arn: str) -> dict[str, str]:
    """The tags that a resource of the simulated account has; none if there is no such resource."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or "*" in parts[5]:
        return {}
    look = _LOOKS.get(parts[2]) if parts[3] else None  # dashboards have no region, and no tags
    return look(parts[3], parts[5], arn) if look else {}


def _tags_in_ec2(region: str, name: str, _: str) -> dict[str, str]:
    kind, _, identity = name.partition("/")
    backend: Any = ec2_backends[ACCOUNT][region]
    if kind == "spot-fleet-request":
        fleet = backend.spot_fleets.get(identity)
        described = fleet.describe()["Tags"] if fleet else []
        return {one["Key"]: one["Value"] for one in described}
    return {key: str(value) for key, value in backend.tags.get(identity, {}).items()}


def _tags_in_ecs(region: str, name: str, _: str) -> dict[str, str]:
    kind, _, identity = name.partition("/")
    backend: Any = ecs_backends[ACCOUNT][region]
    held = {"cluster": backend.clusters, "service": backend.services}.get(kind, {})
    found = held.get(identity.replace("/", ":"))
    return {one["key"]: one["value"] for one in (getattr(found, "tags", None) or [])}


def _tags_in_sqs(region: str, name: str, _: str) -> dict[str, str]:
    backend: Any = sqs_backends[ACCOUNT][region]
    return dict(backend.queues[name].tags or {}) if name in backend.queues else {}


def _tags_in_cloudwatch(region: str, _: str, arn: str) -> dict[str, str]:
    backend: Any = cloudwatch_backends[ACCOUNT][region]
    return dict(backend.tagger.get_tag_dict_for_resource(arn))


_LOOKS: Mapping[str, Callable[[str, str, str], dict[str, str]]] = {
    "ec2": _tags_in_ec2,
    "ecs": _tags_in_ecs,
    "sqs": _tags_in_sqs,
    "cloudwatch": _tags_in_cloudwatch,
}
