"""The rights of the roles that setup_AWS.py makes: worker, machine, fleet, Lambda, schedule."""

from __future__ import annotations

from ...protocol.machine_alarm import NAMESPACE
from .scope import WRITTEN, Scope
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
    pass_roles,
)
from .watching import LEDGER_PREFIXES, watching_statements

RECORDS = ("monitors/*", f"{WRITTEN.removeprefix('/')}")
_REMOVING = [CANCELLING, UNTEMPLATING]

_WRITING = ["PutObject", "PutObjectAcl", "AbortMultipartUpload"]
_LOGGING = ["logs:CreateLogStream", "logs:PutLogEvents"]
_JOBS = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "SendMessage"]
_JOBS += ["GetQueueAttributes"]
_TAGGED = ("instance/*", "volume/*", "network-interface/*", "spot-instances-request/*")
# Statement and right of each service that keeps secrets.
_READ: dict[str, tuple[str, list[str]]] = {
    "secretsmanager": ("Secrets", ["secretsmanager:GetSecretValue"]),
    "ssm": ("Parameters", ["ssm:GetParameters"]),
}


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
        allow("Logs", _LOGGING, groups),
        *_machine_statements(scope),
    )


def _object_statements(scope: Scope) -> tuple[Statement, ...]:
    """A worker's rights in the buckets: to read all, to write results, to delete of its own app.

    Not the runs' records: what a run is made of is for who begins and removes it to say.
    """
    own = scope.of_apps("runs/{}/*", "results/{}/*")
    written = scope.written_objects(*RECORDS)
    return (
        allow("Inputs", ["s3:GetObject"], scope.objects("*")),
        allow("Objects", [f"s3:{action}" for action in _WRITING], scope.written_objects("*")),
        allow("OwnObjects", ["s3:DeleteObject"], scope.written_objects(*own)),
        {**allow("Records", ["s3:PutObject", "s3:DeleteObject"], written), "Effect": "Deny"},
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
        allow("Agent", [f"ecs:{action}" for action in agent], places),
        allow("AgentEndpoint", ["ecs:DiscoverPollEndpoint", "ecr:GetAuthorizationToken"], "*"),
        *_container_statements(scope),
    )


def _container_statements(scope: Scope) -> tuple[Statement, ...]:
    """To fetch a container's image and to write its lines."""
    groups = scope.arns("logs", *scope.of_apps("log-group:{}_perInstance:*"))
    return (
        allow("Images", [f"ecr:{action}" for action in PULLING], "*"),
        allow("Logs", _LOGGING, groups),
    )


def execution_policy(scope: Scope) -> Document:
    """What ECS does for a container that is given secrets: it fetches them, image and lines too."""
    found = {service: [a for a in scope.secrets if a.split(":")[2] == service] for service in _READ}
    return document(
        allow("ImageLogIn", ["ecr:GetAuthorizationToken"], "*"),
        *_container_statements(scope),
        *(allow(*_READ[service], arns) for service, arns in found.items() if arns),
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
            ],
            "*",
        ),
        # A fleet tags spot machines after they are made: AWS knows no creation to tie this to.
        allow("TagMachines", ["ec2:CreateTags"], scope.arns("ec2", *_TAGGED)),
        ours("EndMachines", ["ec2:TerminateInstances"], scope.arns("ec2", "instance/*")),
        pass_roles(scope, "ec2.amazonaws.com", instance_role),
    )


def lambda_policy(scope: Scope, own_log_group: str, schedule_group: str) -> Document:
    """What one look at a run and its removal need, on what carries our tags."""
    machines = ("spot-fleet-request/*", "instance/*", "launch-template/*")
    return document(
        *watching_statements(scope, schedule_group),
        ours("Remove", [*ENDING, *_REMOVING], scope.arns("ec2", *machines)),
        allow("Ledger", ["s3:GetObject", "s3:PutObject"], scope.written_objects(*LEDGER_PREFIXES)),
        allow("OwnLog", _LOGGING, scope.arns("logs", f"log-group:{own_log_group}:*")),
    )


def schedule_policy(scope: Scope, function: str) -> Document:
    """A schedule calls our Lambda, and nothing else."""
    arns = scope.arns("lambda", f"function:{function}")
    return document(allow("Call", ["lambda:InvokeFunction"], arns))
