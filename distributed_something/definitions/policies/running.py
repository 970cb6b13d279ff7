"""The rights to begin runs, and to send images to registries, beyond those to watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .scope import Scope
from .statements import (
    PULLING,
    Document,
    Statement,
    allow,
    dashboard_arns,
    document,
    pass_roles,
    topic_arns,
)

_PUSHING = ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"]
_QUEUEING = ["CreateQueue", "SetQueueAttributes", "TagQueue", "SendMessage"]
_QUEUEING += ["ChangeMessageVisibility"]
_BUYING = ["RequestSpotFleet", "RunInstances", "CreateLaunchTemplate"]
_BUYING += ["DescribeInstanceTypes", "DescribeImages", "DescribeSubnets"]
_BUYING += ["DescribeSecurityGroups", "DescribeKeyPairs", "DescribeRouteTables", "DescribeVpcs"]
_BUYING += ["DescribeInternetGateways", "DescribeNatGateways", "DescribeVpcEndpoints"]
_BUYING += ["DescribeVolumes", "DescribeLaunchTemplateVersions"]
_ROLES = ["GetRole", "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies"]
_ROLES += ["GetInstanceProfile"]
_TELLING = ["CreateTopic", "TagResource", "Subscribe", "ListSubscriptionsByTopic"]


def running_policy(
    scope: Scope, passed: Mapping[str, str], function: str, schedule_group: str
) -> Document:
    """What a person needs in addition to begin runs; `passed` are the roles that are handed on,
    each with the service that gets it."""
    return document(
        *_submitting_statements(scope),
        *_buying_statements(scope),
        *_showing_statements(scope),
        *_lambda_statements(scope, function, schedule_group),
        *_role_statements(scope, list(passed)),
        *(
            pass_roles(scope, service, *(role for role, to in passed.items() if to == service))
            for service in dict.fromkeys(passed.values())
        ),
    )


def _submitting_statements(scope: Scope) -> tuple[Statement, ...]:
    """To put jobs into the bucket and the queue, and to make what their containers run on."""
    return (
        allow(
            "Objects",
            ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            scope.written_objects("*"),
        ),
        allow(
            "Queues",
            [f"sqs:{action}" for action in _QUEUEING],
            scope.arns("sqs", *scope.queue_names),
        ),
        *_container_statements(scope),
        # The labels of an image in a registry of one's own are read before it is used.
        allow("Registry", [f"ecr:{action}" for action in ("GetAuthorizationToken", *PULLING)], "*"),
    )


def _container_statements(scope: Scope) -> tuple[Statement, ...]:
    """To make cluster, task definition and service, with the tags that they are made with."""
    clusters = scope.arns("ecs", "cluster/*")
    tasks = scope.arns("ecs", *scope.of_apps("task-definition/{}Task:*"))
    services = scope.arns("ecs", *scope.of_apps("service/*/{}Service"))
    tagged = allow("TagContainers", ["ecs:TagResource"], [*clusters, *tasks, *services])
    making = ["CreateCluster", "RegisterTaskDefinition", "CreateService"]
    tagged["Condition"] = {"StringEquals": {"ecs:CreateAction": making}}
    return (
        allow("MakeCluster", ["ecs:CreateCluster"], clusters),
        allow("MakeTask", ["ecs:RegisterTaskDefinition"], tasks),
        allow("MakeService", ["ecs:CreateService"], services),
        tagged,
        allow("Containers", ["ecs:ListClusters", "ecs:DescribeTaskDefinition"], "*"),
    )


def _buying_statements(scope: Scope) -> tuple[Statement, ...]:
    """To check and to buy machines."""
    images = [
        f"arn:{scope.partition}:ssm:{region}::parameter/aws/service/ecs/*"
        for region in scope.regions
    ]
    return (
        allow("Buying", [f"ec2:{action}" for action in _BUYING], "*"),
        _tagging(scope),
        allow("Quota", ["servicequotas:GetServiceQuota"], "*"),
        allow("Images", ["ssm:GetParameter"], images),
    )


def _tagging(scope: Scope) -> Statement:
    """To tag what is bought while it is made, and nothing that is there."""
    made = {"RequestSpotFleet": "spot-fleet-request/*", "CreateLaunchTemplate": "launch-template/*"}
    statement = allow("TagPurchase", ["ec2:CreateTags"], scope.arns("ec2", *made.values()))
    statement["Condition"] = {"StringEquals": {"ec2:CreateAction": list(made)}}
    return statement


def _showing_statements(scope: Scope) -> tuple[Statement, ...]:
    """To make what shows a run: its log groups, its dashboard and its topic."""
    return (
        allow(
            "Logs",
            ["logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:TagResource"],
            scope.arns("logs", *scope.of_apps("log-group:{}", "log-group:{}:*")),
        ),
        allow("Dashboard", ["cloudwatch:PutDashboard"], dashboard_arns(scope)),
        allow("Topic", [f"sns:{action}" for action in _TELLING], topic_arns(scope)),
    )


def _lambda_statements(scope: Scope, function: str, schedule_group: str) -> tuple[Statement, ...]:
    """To have our Lambda called for a run."""
    return (
        # GetFunction shows tags, by which a Lambda is ours, only to who may list them.
        allow(
            "Lambda",
            ["lambda:GetFunction", "lambda:ListTags"],
            scope.arns("lambda", f"function:{function}"),
        ),
        allow(
            "Schedule",
            ["scheduler:CreateSchedule"],
            scope.arns("scheduler", f"schedule/{schedule_group}/*"),
        ),
    )


def _role_statements(scope: Scope, roles: Sequence[str]) -> tuple[Statement, ...]:
    """To read the roles that are handed on, and what their policies say, AWS's own included."""
    iam = f"arn:{scope.partition}:iam::"
    kinds = ("role", "instance-profile")
    names = [f"{iam}{scope.account}:{kind}/{name}" for name in roles for kind in kinds]
    return (
        allow("Roles", [f"iam:{action}" for action in _ROLES], names),
        allow(
            "RolePolicies",
            ["iam:GetPolicy", "iam:GetPolicyVersion"],
            [f"{iam}{owner}:policy/*" for owner in (scope.account, "aws")],
        ),
    )


def pushing_policy(scope: Scope) -> Document:
    """What a person needs to send images to registries of the account: `build --push`."""
    return document(
        allow("LogIn", ["ecr:GetAuthorizationToken"], "*"),
        allow(
            "Push",
            [f"ecr:{action}" for action in (*PULLING, *_PUSHING)],
            scope.arns("ecr", "repository/*"),
        ),
    )
