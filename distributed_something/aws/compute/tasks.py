"""Read why containers of a service stopped, and what a machine wrote on its console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ecs import ECSClient

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
_DESCRIBE_BATCH = 100
_CONSOLE_LINES = 12


@dataclass(frozen=True)
class StoppedTask:
    """A container that stopped; `stopped` is in seconds since 1970."""

    reason: str  # of the task and of its container, joined
    stopped: float
    exit_code: int | None


def stopped_tasks(ecs: ECSClient, cluster: str, service: str) -> list[StoppedTask]:
    """The containers of a service that stopped, newest first; ECS remembers them for an hour."""
    try:
        arns = ecs.list_tasks(
            cluster=cluster, serviceName=service, desiredStatus="STOPPED", maxResults=100
        )["taskArns"]
        if not arns:
            return []
        answer = ecs.describe_tasks(cluster=cluster, tasks=arns[:_DESCRIBE_BATCH])
    except (ecs.exceptions.ClusterNotFoundException, ecs.exceptions.ServiceNotFoundException):
        return []
    found = []
    for task in answer["tasks"]:
        containers = task.get("containers", [])
        reasons = [
            task.get("stoppedReason", ""),
            *(container.get("reason", "") for container in containers),
        ]
        codes = [container["exitCode"] for container in containers if "exitCode" in container]
        stopped = task.get("stoppedAt") or task.get("createdAt")
        found.append(
            StoppedTask(
                reason=" ".join(dict.fromkeys(reason for reason in reasons if reason)),
                stopped=stopped.timestamp() if stopped else 0.0,
                exit_code=codes[0] if codes else None,
            )
        )
    return sorted(found, key=lambda end: -end.stopped)


def console_output(ec2: EC2Client, instance_id: str) -> str:
    """The last lines of a machine's console; empty if EC2 has none, often for its first minutes."""
    try:
        text = ec2.get_console_output(InstanceId=instance_id).get("Output", "")
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidInstanceID"):
            raise
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-_CONSOLE_LINES:])
