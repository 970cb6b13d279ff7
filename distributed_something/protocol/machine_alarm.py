"""The metric that says a machine works, and the alarm that ends a machine which does not."""

from __future__ import annotations

from typing import Any

# They call the Lambda of upstream's account when a run's queue is empty.
UPSTREAMS_QUEUE_ALARMS = (
    "ApproximateNumberOfMessagesVisibleisZero",
    "ApproximateNumberOfMessagesNotVisibleisZero",
)
NAMESPACE = "DistributedSomething"
METRIC = "BusySlots"
DIMENSION = "InstanceId"
APP_TAG = "distributed-something:app"
PERIOD = 60  # seconds
# Without a busy slot, or without a word, before the machine is ended. CloudWatch looks farther
# back where points are missing, so that silence takes 20 to 25 minutes:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
PERIODS = 15


def alarm_name(app_name: str, instance_id: str) -> str:
    return f"{app_name}_{instance_id}"


def machine_alarm(
    app_name: str, instance_id: str, region: str, *, armed: bool, partition: str = "aws"
) -> dict[str, Any]:
    """The request that makes one machine's alarm, or changes it and keeps its state.

    Silence is a breach, and a new alarm has heard nothing: it is made unarmed, and armed when
    CloudWatch has found it OK. Armed in any other state it could end a machine that works.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    return {
        "AlarmName": alarm_name(app_name, instance_id),
        "AlarmDescription": "Ends a machine of Distributed-Something that has stopped working.",
        "Namespace": NAMESPACE,
        "MetricName": METRIC,
        "Dimensions": [{"Name": DIMENSION, "Value": instance_id}],
        "Statistic": "Maximum",
        "Period": PERIOD,
        "EvaluationPeriods": PERIODS,
        "Threshold": 1,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
        "ActionsEnabled": armed,
        "AlarmActions": [f"arn:{partition}:automate:{region}:ec2:terminate"],
        "Tags": [{"Key": APP_TAG, "Value": app_name}],
    }


def busy_slots(instance_id: str, count: int) -> dict[str, Any]:
    """One measurement, of when CloudWatch receives it: no computer's clock counts."""
    return {
        "MetricName": METRIC,
        "Dimensions": [{"Name": DIMENSION, "Value": instance_id}],
        "Value": count,
        "Unit": "Count",
    }
