"""Name, find and delete the alarms that end stuck machines, one a machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
BATCH_SIZE = 100


def machine_alarm_name(app_name: str, instance_id: str) -> str:
    return f"{app_name}_{instance_id}"


def find_machine_alarms(cloudwatch: CloudWatchClient, app_name: str) -> list[str]:
    """The names of an app's machine alarms, without those of an app whose name begins like it."""
    ours = re.compile(re.escape(app_name) + r"_i-[0-9a-f]+")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=machine_alarm_name(app_name, "i-"), AlarmTypes=["MetricAlarm"]
    )
    names = (alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"])
    return [name for name in names if ours.fullmatch(name)]


def delete_alarms(cloudwatch: CloudWatchClient, names: Sequence[str]) -> None:
    """Delete alarms by name; absent ones are fine."""
    for start in range(0, len(names), BATCH_SIZE):
        cloudwatch.delete_alarms(AlarmNames=list(names[start : start + BATCH_SIZE]))
