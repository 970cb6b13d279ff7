"""Make, find and delete the alarms that end stuck machines, one a machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...protocol.machine_alarm import NAMESPACE, alarm_name

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
BATCH_SIZE = 100


def ensure_alarm(cloudwatch: CloudWatchClient, alarm: Mapping[str, Any]) -> None:
    """Make an alarm; one of the same name is replaced."""
    cloudwatch.put_metric_alarm(**alarm)


def put_words(cloudwatch: CloudWatchClient, words: Sequence[Mapping[str, Any]]) -> None:
    """Write measurements of machines, 1,000 at most."""
    data: Any = list(words)
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)


def find_machine_alarms(
    cloudwatch: CloudWatchClient, app_name: str, periods: int | None = None
) -> dict[str, str]:
    """An app's machine alarms: each machine's id, and the alarm's name; with `periods`, those that
    wait for so many. An app whose name begins like this one's keeps its own.
    """
    ours = re.compile(re.escape(alarm_name(app_name, "")) + r"(i-[0-9a-f]+)")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=alarm_name(app_name, "i-"), AlarmTypes=["MetricAlarm"]
    )
    found_alarms = (alarm for page in pages for alarm in page["MetricAlarms"])
    names = (
        alarm["AlarmName"]
        for alarm in found_alarms
        if periods in (None, alarm.get("EvaluationPeriods"))
    )
    return {found[1]: name for name in names if (found := ours.fullmatch(name))}


def list_alarms(cloudwatch: CloudWatchClient) -> Iterator[str]:
    """The names of all alarms of the account."""
    for page in cloudwatch.get_paginator("describe_alarms").paginate():
        yield from (alarm["AlarmName"] for alarm in page["MetricAlarms"])


def delete_alarms(cloudwatch: CloudWatchClient, names: Sequence[str]) -> None:
    """Delete alarms by name; absent ones are fine."""
    for start in range(0, len(names), BATCH_SIZE):
        cloudwatch.delete_alarms(AlarmNames=list(names[start : start + BATCH_SIZE]))
