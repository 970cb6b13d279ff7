"""The parts of policy documents: statements, and lists of actions that several of them use."""

from __future__ import annotations

from typing import Any

from ..tags import APP_TAG
from .scope import Scope

Document = dict[str, Any]
Statement = dict[str, Any]

# A policy of one's own in IAM has no more characters than this, spaces not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
LARGEST = 6144
PULLING = ["BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage"]
ENDING = ["ec2:ModifySpotFleetRequest", "ec2:TerminateInstances"]
CANCELLING, UNTEMPLATING = "ec2:CancelSpotFleetRequests", "ec2:DeleteLaunchTemplate"


def allow(name: str, actions: list[str], resources: list[str] | str | None) -> Statement:
    statement: Statement = {"Sid": name} if name else {}
    statement |= {"Effect": "Allow", "Action": actions}
    return statement if resources is None else {**statement, "Resource": resources}


def document(*statements: Statement) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def ours(name: str, actions: list[str], resources: list[str]) -> Statement:
    """A statement for what carries our tag, whichever app's."""
    statement = allow(name, actions, resources)
    statement["Condition"] = {"Null": {f"aws:ResourceTag/{APP_TAG}": "false"}}
    return statement


def pass_roles(scope: Scope, service: str, *roles: str) -> Statement:
    """To hand these roles on to a service of AWS, and to no other."""
    name = "".join(part.capitalize() for part in service.split(".")[0].split("-"))
    arns = [f"arn:{scope.partition}:iam::{scope.account}:role/{role}" for role in roles]
    statement = allow(f"Pass{name}", ["iam:PassRole"], arns)
    statement["Condition"] = {"StringEquals": {"iam:PassedToService": service}}
    return statement


def machine_alarms(scope: Scope, *actions: str) -> Statement:
    """Our machines' alarms, which workers make, with a tag, and watchers delete."""
    names = scope.arns("cloudwatch", *scope.of_apps("alarm:{}_i-*"))
    return allow("Alarms", [f"cloudwatch:{action}" for action in actions], names)


def dashboard_arns(scope: Scope) -> list[str]:
    return [
        f"arn:{scope.partition}:cloudwatch::{scope.account}:dashboard/{app}" for app in scope.apps
    ]


def topic_arns(scope: Scope) -> list[str]:
    """Topics that are told of runs: ours are named after the app."""
    return scope.arns("sns", *scope.of_apps("{}_notices"))
