"""Find and delete the alarms that end stuck machines, which workers make, one a machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...protocol.machine_alarm import UPSTREAMS_QUEUE_ALARMS, alarm_name

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
BATCH_SIZE = 100


def find_machine_alarms(cloudwatch: CloudWatchClient, app_name: str) -> dict[str, str]:
    """An app's machine alarms: each machine's id, and the alarm's name.

    An app whose name begins like this one's keeps its own.
    """
    ours = re.compile(re.escape(alarm_name(app_name, "")) + r"(i-[0-9a-f]+)")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=alarm_name(app_name, "i-"), AlarmTypes=["MetricAlarm"]
    )
    names = (alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"])
    return {found[1]: name for name in names if (found := ours.fullmatch(name))}


def list_alarms(cloudwatch: CloudWatchClient) -> Iterator[str]:
    """The names of all alarms of the account."""
    for page in cloudwatch.get_paginator("describe_alarms").paginate():
        yield from (alarm["AlarmName"] for alarm in page["MetricAlarms"])


def find_queue_alarms(cloudwatch: CloudWatchClient, app_name: str) -> list[str]:
    """The alarms that upstream's `startCluster` puts on an app's queue, by their exact names."""
    names = [f"{purpose}_{app_name}" for purpose in UPSTREAMS_QUEUE_ALARMS]
    found = cloudwatch.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"])
    return [alarm["AlarmName"] for alarm in found["MetricAlarms"]]


def delete_alarms(cloudwatch: CloudWatchClient, names: Sequence[str]) -> None:
    """Delete alarms by name; absent ones are fine."""
    for start in range(0, len(names), BATCH_SIZE):
        cloudwatch.delete_alarms(AlarmNames=list(names[start : start + BATCH_SIZE]))
