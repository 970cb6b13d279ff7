"""Export log groups to a bucket; CloudWatch runs one such task an account and region at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

# The states of a task that does not change any more:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ExportTaskStatus.html
_ENDED = ("COMPLETED", "CANCELLED", "FAILED")


def start_export(
    logs: CloudWatchLogsClient, group: str, bucket: str, prefix: str, since: float, until: float
) -> str | None:
    """Start the export of a group's events between two times (seconds since 1970).

    Returns the task's id, or None while another export of the account runs.
    """
    try:
        return logs.create_export_task(
            taskName=f"{group}-{until:.0f}",
            logGroupName=group,
            fromTime=int(since * 1000),
            to=int(until * 1000),
            destination=bucket,
            destinationPrefix=prefix,
        )["taskId"]
    except logs.exceptions.LimitExceededException:
        return None


def export_state(logs: CloudWatchLogsClient, task_id: str) -> str:
    """How far a task is: '' while it goes on, otherwise COMPLETED, CANCELLED or FAILED."""
    for task in logs.describe_export_tasks(taskId=task_id)["exportTasks"]:
        state = task["status"]["code"]
        return state if state in _ENDED else ""
    return "FAILED"
