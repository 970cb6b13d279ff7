"""The metric that says a machine works, and the alarm that ends a machine which does not."""

from __future__ import annotations

from typing import Any

NAMESPACE = "DistributedSomething"
METRIC = "BusySlots"
DIMENSION = "InstanceId"
APP_TAG = "distributed-something:app"
PERIOD = 60  # seconds
PERIODS = 15  # without a busy slot, or without a word, before the machine is ended
PATIENT_PERIODS = 60  # the same for a machine of which nobody knows yet whether it will work


def alarm_name(app_name: str, instance_id: str) -> str:
    return f"{app_name}_{instance_id}"


def machine_alarm(
    app_name: str, instance_id: str, region: str, periods: int = PERIODS
) -> dict[str, Any]:
    """The request that makes one machine's alarm, or replaces a more patient one.

    A new alarm looks back over its periods, and silence is a breach: `first_words` come before it.
    """
    return {
        "AlarmName": alarm_name(app_name, instance_id),
        "AlarmDescription": "Ends a machine of Distributed-Something that has stopped working.",
        "Namespace": NAMESPACE,
        "MetricName": METRIC,
        "Dimensions": [{"Name": DIMENSION, "Value": instance_id}],
        "Statistic": "Maximum",
        "Period": PERIOD,
        "EvaluationPeriods": periods,
        "Threshold": 1,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
        "AlarmActions": [f"arn:aws:automate:{region}:ec2:terminate"],
        "Tags": [{"Key": APP_TAG, "Value": app_name}],
    }


def busy_slots(instance_id: str, count: int, when: float) -> dict[str, Any]:
    """One measurement, of a time in seconds since 1970."""
    return {
        "MetricName": METRIC,
        "Dimensions": [{"Name": DIMENSION, "Value": instance_id}],
        "Timestamp": when,
        "Value": count,
        "Unit": "Count",
    }


def first_words(instance_id: str, now: float) -> dict[str, Any]:
    """The request that gives a machine the benefit of the doubt for the time before it began."""
    times = (now - PERIOD * period for period in range(PERIODS + 1))
    return {
        "Namespace": NAMESPACE,
        "MetricData": [busy_slots(instance_id, 1, when) for when in times],
    }
