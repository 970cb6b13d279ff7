"""The rights of the roles that setup_AWS.py makes: worker, machine, fleet, Lambda, schedule."""

from __future__ import annotations

from ...protocol.machine_alarm import NAMESPACE
from .scope import Scope
from .statements import (
    CANCELLING,
    ENDING,
    PULLING,
    UNTEMPLATING,
    Document,
    Statement,
    allow,
    document,
    machine_alarms,
    ours,
    pass_role,
)
from .watching import LEDGER_PREFIXES, watching_statements

RECORDS = ("monitors/*", "runs/*/record.json")
_REMOVING = [CANCELLING, UNTEMPLATING]

_OBJECTS = ["GetObject", "PutObject", "PutObjectAcl", "DeleteObject", "AbortMultipartUpload"]
_JOBS = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "SendMessage"]
_JOBS += ["GetQueueAttributes"]


def trust(service: str, scope: Scope | None = None) -> Document:
    """Who may take a role: a service of AWS, for this account alone where that can be said."""
    statement = allow("", ["sts:AssumeRole"], None)
    statement["Principal"] = {"Service": service}
    if scope is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": scope.account}}
    return document(statement)


def task_policy(scope: Scope) -> Document:
    """A worker's rights: jobs, objects, its own log lines, and to end its own kind of machine."""
    groups = scope.arns("logs", *scope.of_apps("log-group:{}:*"))
    return document(
        *_object_statements(scope),
        allow("Jobs", [f"sqs:{action}" for action in _JOBS], scope.arns("sqs", *scope.queue_names)),
        allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], groups),
        *_machine_statements(scope),
    )


def _object_statements(scope: Scope) -> tuple[Statement, ...]:
    """A worker's rights in the bucket: all objects but the runs' records."""
    return (
        allow("Objects", [f"s3:{action}" for action in _OBJECTS], scope.objects("*")),
        # What a run is made of is for who begins and removes it to say, and for no job.
        {
            **allow("Records", ["s3:PutObject", "s3:DeleteObject"], scope.objects(*RECORDS)),
            "Effect": "Deny",
        },
        allow("Listings", ["s3:ListBucket"], scope.bucket_arns),
    )


def _machine_statements(scope: Scope) -> tuple[Statement, ...]:
    """A worker's rights over its machine: to find its fleet, to end it, to watch it by an alarm."""
    return (
        allow(
            "Machines",
            ["ec2:DescribeSpotFleetRequests", "ec2:DescribeSpotFleetInstances"],
            "*",
        ),
        ours("EndMachines", ENDING, scope.arns("ec2", "spot-fleet-request/*", "instance/*")),
        machine_alarms(scope, "PutMetricAlarm", "TagResource"),
        allow("AlarmStates", ["cloudwatch:DescribeAlarms"], "*"),
        _metrics(),
    )


def _metrics() -> Statement:
    statement = allow("Metrics", ["cloudwatch:PutMetricData"], "*")
    statement["Condition"] = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
    return statement


def instance_policy(scope: Scope) -> Document:
    """What the ECS agent and the container engine of a machine need."""
    agent = ["RegisterContainerInstance", "DeregisterContainerInstance", "Poll"]
    agent += ["StartTelemetrySession", "SubmitTaskStateChange", "SubmitContainerStateChange"]
    agent += ["SubmitAttachmentStateChanges", "UpdateContainerInstancesState"]
    places = scope.arns("ecs", "cluster/*", "container-instance/*", "task/*")
    return document(
        allow("Agent", [f"ecs:{one}" for one in agent], places),
        allow("AgentEndpoint", ["ecs:DiscoverPollEndpoint", "ecr:GetAuthorizationToken"], "*"),
        allow("Images", [f"ecr:{one}" for one in PULLING], "*"),
        allow(
            "Logs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            scope.arns("logs", *scope.of_apps("log-group:{}_perInstance:*")),
        ),
    )


def fleet_policy(scope: Scope, instance_role: str) -> Document:
    """What a spot fleet needs to start machines, with our machines' role and no other."""
    return document(
        allow(
            "Machines",
            [
                "ec2:DescribeImages",
                "ec2:DescribeSubnets",
                "ec2:DescribeInstanceStatus",
                "ec2:RequestSpotInstances",
                "ec2:RunInstances",
                "ec2:CreateTags",
            ],
            "*",
        ),
        ours("EndMachines", ["ec2:TerminateInstances"], scope.arns("ec2", "instance/*")),
        pass_role(scope, instance_role, "ec2.amazonaws.com"),
    )


def lambda_policy(scope: Scope, own_log_group: str, schedule_group: str) -> Document:
    """What one look at a run and its removal need, on what carries our tags."""
    machines = ("spot-fleet-request/*", "instance/*", "launch-template/*")
    return document(
        *watching_statements(scope, schedule_group),
        ours("Remove", [*ENDING, *_REMOVING], scope.arns("ec2", *machines)),
        allow("Ledger", ["s3:GetObject", "s3:PutObject"], scope.objects(*LEDGER_PREFIXES)),
        allow(
            "OwnLog",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            scope.arns("logs", f"log-group:{own_log_group}:*"),
        ),
    )


def schedule_policy(scope: Scope, function: str) -> Document:
    """A schedule calls our Lambda, and nothing else."""
    arns = scope.arns("lambda", f"function:{function}")
    return document(allow("Call", ["lambda:InvokeFunction"], arns))
