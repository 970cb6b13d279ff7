"""What a run's schedule is made with: it calls the Lambda every other minute until the run ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .account import SCHEDULE_GROUP, SCHEDULE_ROLE

if TYPE_CHECKING:
    from ..protocol.ledger.record import RunRecord

MINUTES = 2  # between two looks
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
LONGEST_NAME = 64


def schedule_name(app_name: str, run_id: str) -> str:
    """The run's id keeps apart the schedules of apps whose long names begin alike."""
    return f"{app_name[: LONGEST_NAME - len(run_id) - 1]}-{run_id}"


def schedule_request(record: RunRecord, function_arn: str) -> dict[str, Any]:
    """The request that makes a run's schedule; the Lambda's ARN says whose account."""
    _, partition, _, _, account, *_ = function_arn.split(":")
    event = {"bucket": record.bucket, "app_name": record.app_name, "run_id": record.run_id}
    return {
        "Name": record.schedule,
        "GroupName": SCHEDULE_GROUP,
        "Description": f"Watches run {record.run_id} of {record.app_name}.",
        "ScheduleExpression": f"rate({MINUTES} minutes)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": function_arn,
            "RoleArn": f"arn:{partition}:iam::{account}:role/{SCHEDULE_ROLE}",
            "Input": json.dumps(event),
            # The next look comes by itself.
            "RetryPolicy": {"MaximumRetryAttempts": 0},
        },
    }
