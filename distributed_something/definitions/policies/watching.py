"""The rights to watch runs and to remove them: a person's, and what the Lambda shares of them."""

from __future__ import annotations

from ...protocol.machine_alarm import UPSTREAMS_QUEUE_ALARMS
from .scope import Scope
from .statements import (
    CANCELLING,
    ENDING,
    UNTEMPLATING,
    Document,
    Statement,
    allow,
    dashboard_arns,
    document,
    machine_alarms,
    ours,
    topic_arns,
)

LEDGER_PREFIXES = ("runs/*", "monitors/*")
_LOG_READING = ["FilterLogEvents", "GetLogEvents", "DescribeLogStreams", "CreateExportTask"]
_LOOKING = ["DescribeSpotFleetRequests", "DescribeSpotFleetInstances", "DescribeInstances"]
_LOOKING += ["DescribeSpotFleetRequestHistory", "DescribeLaunchTemplates"]
_LOOKING += ["DescribeSpotPriceHistory"]


def watching_policy(scope: Scope, schedule_group: str) -> Document:
    """What a person needs to look at runs, to watch them and to remove them."""
    groups = scope.arns("logs", *scope.of_apps("log-group:{}"), *scope.of_apps("log-group:{}:*"))
    return document(
        *watching_statements(scope, schedule_group),
        ours(
            "Fleets", [*ENDING, CANCELLING], scope.arns("ec2", "spot-fleet-request/*", "instance/*")
        ),
        allow(
            "Messages",
            ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
            scope.arns("sqs", *scope.queue_names),
        ),
        ours("RemoveTemplates", [UNTEMPLATING], scope.arns("ec2", "launch-template/*")),
        ours("Consoles", ["ec2:GetConsoleOutput"], scope.arns("ec2", "instance/*")),
        allow("TaskStates", ["ecs:DescribeTasks"], scope.arns("ecs", "task/*")),
        allow("Results", ["s3:GetObject"], scope.objects("*")),
        allow("Ledger", ["s3:PutObject"], scope.written_objects(*LEDGER_PREFIXES)),
        allow("Policies", ["s3:GetBucketPolicy"], scope.bucket_arns),
        allow("Logs", [f"logs:{action}" for action in _LOG_READING], groups),
        allow("LogLists", ["logs:DescribeLogGroups", "logs:DescribeExportTasks"], "*"),
    )


def upstream_policy(scope: Scope) -> Document:
    """What a person needs in addition to end fleets that upstream's programs bought.

    They carry no tag: the statement that takes them in takes in all fleets and machines.
    """
    everything = scope.arns("ec2", "spot-fleet-request/*", "instance/*")
    return document(allow("UpstreamsFleets", [*ENDING, CANCELLING], everything))


def watching_statements(scope: Scope, schedule_group: str) -> tuple[Statement, ...]:
    """What both a person and the Lambda need to look at a run, to end it and to remove it."""
    # ECS names no resource for its lists of services, task definitions and clusters.
    lists = ["ecs:ListServices", "ecs:ListTaskDefinitions", "ecs:DeregisterTaskDefinition"]
    lists += ["cloudwatch:DescribeAlarms", "cloudwatch:ListDashboards", "pricing:GetProducts"]
    return (
        allow("Look", [*(f"ec2:{action}" for action in _LOOKING), *lists], "*"),
        allow("Listings", ["s3:ListBucket"], scope.bucket_arns),
        *_queue_statements(scope),
        *_cluster_statements(scope),
        machine_alarms(scope, "DeleteAlarms"),
        allow("UpstreamsAlarms", ["cloudwatch:DeleteAlarms"], _queue_alarms(scope)),
        allow("Notices", ["sns:Publish"], topic_arns(scope)),
        allow("Dashboards", ["cloudwatch:DeleteDashboards"], dashboard_arns(scope)),
        allow(
            "OwnSchedule",
            ["scheduler:DeleteSchedule"],
            scope.arns("scheduler", f"schedule/{schedule_group}/*"),
        ),
    )


def _queue_statements(scope: Scope) -> tuple[Statement, ...]:
    return (
        allow(
            "Queue",
            ["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ListQueueTags"],
            scope.arns("sqs", *scope.queue_names),
        ),
        # No tag is asked for: a queue that was there before the first run carries none.
        allow("RemoveQueue", ["sqs:DeleteQueue"], scope.arns("sqs", *scope.job_queue_names)),
    )


def _cluster_statements(scope: Scope) -> tuple[Statement, ...]:
    """What is done to a run's service, its tasks, and the machines that joined its cluster."""
    machines = ["ecs:DescribeClusters", "ecs:ListContainerInstances"]
    machines += ["ecs:DescribeContainerInstances", "ecs:UpdateContainerInstancesState"]
    machines += ["ecs:DeregisterContainerInstance"]
    return (
        ours("RemoveCluster", ["ecs:DeleteCluster"], scope.arns("ecs", "cluster/*")),
        allow(
            "Service",
            ["ecs:DescribeServices", "ecs:UpdateService", "ecs:DeleteService"],
            scope.arns("ecs", *scope.of_apps("service/*/{}Service")),
        ),
        allow("Cluster", machines, scope.arns("ecs", "cluster/*", "container-instance/*")),
        _list_tasks(scope),
    )


def _list_tasks(scope: Scope) -> Statement:
    """A service's tasks: AWS narrows their list by cluster, not by ARN."""
    statement = allow("Tasks", ["ecs:ListTasks"], "*")
    statement["Condition"] = {"ArnLike": {"ecs:cluster": scope.arns("ecs", "cluster/*")}}
    return statement


def _queue_alarms(scope: Scope) -> list[str]:
    """The alarms that upstream's `startCluster` puts on an app's queue."""
    names = (f"alarm:{purpose}_{{}}" for purpose in UPSTREAMS_QUEUE_ALARMS)
    return scope.arns("cloudwatch", *scope.of_apps(*names))
