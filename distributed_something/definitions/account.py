"""What `setup_AWS.py` makes once for an account, by name: roles, a Lambda, a group of schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .policies.bucket import log_export_policy
from .policies.roles import (
    execution_policy,
    fleet_policy,
    instance_policy,
    lambda_policy,
    schedule_policy,
    task_policy,
    trust,
)
from .policies.running import pushing_policy, running_policy
from .policies.scope import Scope
from .policies.statements import Document
from .policies.watching import upstream_policy, watching_policy

# Upstream's fleet files name these two.
FLEET_ROLE = "aws-ec2-spot-fleet-tagging-role"
INSTANCE_ROLE = "ecsInstanceRole"  # of its instance profile too
TASK_ROLE = "distributed-something-task"
EXECUTION_ROLE = "distributed-something-execution"  # where a config refers to secrets
LAMBDA_ROLE = "distributed-something-monitor"
SCHEDULE_ROLE = "distributed-something-schedule"
FUNCTION = "distributed-something-monitor"
FUNCTION_LOG_GROUP = f"/aws/lambda/{FUNCTION}"
SCHEDULE_GROUP = "distributed-something"
POLICY = "distributed-something"  # each role's own policy

ACCOUNT_TAG = "distributed-something:made-by"
ACCOUNT_TAGS = {ACCOUNT_TAG: "setup_AWS.py"}

# AWS makes each when it is first needed, if the one who needs it may; then they stay for good.
# The last one lets an alarm end its machine.
SERVICE_LINKED_ROLES = (
    "spot.amazonaws.com",
    "spotfleet.amazonaws.com",
    "ecs.amazonaws.com",
    "events.amazonaws.com",
)


@dataclass(frozen=True)
class Role:
    """A role to be: who may assume it, and what it then may do."""

    name: str
    description: str
    trust: Document
    policy: Document


def roles(scope: Scope) -> tuple[Role, ...]:
    """All roles of an account."""
    always = _roles(scope)
    if not scope.secrets:
        return always
    execution = Role(
        EXECUTION_ROLE,
        "Lets ECS give workers the secrets that a config refers to.",
        trust("ecs-tasks.amazonaws.com", scope),
        execution_policy(scope),
    )
    return (*always, execution)


def _roles(scope: Scope) -> tuple[Role, ...]:
    """Those that every account has."""
    return (
        Role(
            FLEET_ROLE,
            "Lets a spot fleet start, tag and end machines.",
            trust("spotfleet.amazonaws.com", scope),
            fleet_policy(scope, INSTANCE_ROLE),
        ),
        Role(
            INSTANCE_ROLE,
            "Lets a machine join its ECS cluster, fetch images and write logs.",
            trust("ec2.amazonaws.com"),
            instance_policy(scope),
        ),
        Role(
            TASK_ROLE,
            "Lets a worker take jobs, read inputs and write results.",
            trust("ecs-tasks.amazonaws.com", scope),
            task_policy(scope),
        ),
        Role(
            LAMBDA_ROLE,
            "Lets the Lambda watch a run and remove it when it is over.",
            trust("lambda.amazonaws.com"),
            lambda_policy(scope, FUNCTION_LOG_GROUP, SCHEDULE_GROUP),
        ),
        Role(
            SCHEDULE_ROLE,
            "Lets a run's schedule call the Lambda that watches it.",
            trust("scheduler.amazonaws.com", scope),
            schedule_policy(scope, FUNCTION),
        ),
    )


def operator_policies(scope: Scope) -> dict[str, Document]:
    """What a person needs who runs the verbs of `run.py`, in two parts, and no more."""
    passed = {
        FLEET_ROLE: "spotfleet.amazonaws.com",
        INSTANCE_ROLE: "ec2.amazonaws.com",
        TASK_ROLE: "ecs-tasks.amazonaws.com",
        SCHEDULE_ROLE: "scheduler.amazonaws.com",
    }
    if scope.secrets:
        passed[EXECUTION_ROLE] = "ecs-tasks.amazonaws.com"
    return {
        "to watch runs and to remove them": watching_policy(scope, SCHEDULE_GROUP),
        "to start runs, in addition": running_policy(scope, passed, FUNCTION, SCHEDULE_GROUP),
    }


def optional_policies(scope: Scope, *, upstream: bool = False) -> dict[str, Document]:
    """What some people need besides, and no verb of a run does."""
    documents = {"to push images to ECR with `build --push`, if you do": pushing_policy(scope)}
    if upstream:
        documents["to end fleets of upstream's programs, which have no tag"] = upstream_policy(
            scope
        )
    return documents


def documents(scope: Scope, *, upstream: bool = False) -> dict[str, Document]:
    """Every document by what it is for, as `setup_AWS.py --show` prints them.

    `upstream`: with what it takes to end fleets that upstream's programs bought.
    """
    shown: dict[str, Document] = {}
    for role in roles(scope):
        shown[f"role {role.name}: who may assume it"] = role.trust
        shown[f"role {role.name}: what it may do"] = role.policy
    persons = operator_policies(scope) | optional_policies(scope, upstream=upstream)
    for what, document in persons.items():
        shown[f"operator: what a person needs {what}"] = document
    for bucket in scope.buckets:
        shown[f"bucket {bucket}: lets CloudWatch export logs"] = log_export_policy(scope, bucket)
    return shown


def function_request(account: str, handler: str, partition: str = "aws") -> dict[str, Any]:
    """The Lambda's configuration, without its code."""
    return {
        "FunctionName": FUNCTION,
        "Description": "Watches runs of Distributed-Something and removes those that are over.",
        "Runtime": "python3.13",
        "Handler": handler,
        "Role": f"arn:{partition}:iam::{account}:role/{LAMBDA_ROLE}",
        "Timeout": 600,
        # MB: a summary of a million jobs needs 250, and the share of a processor grows with it.
        "MemorySize": 1024,
    }
