"""Simulated alarms are evaluated as AWS does it, and end machines."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import rules
from distributed_something.protocol.machine_alarm import NAMESPACE, busy_slots, machine_alarm
from tests.clock import Clock


def run_machine(aws: Aws) -> str:
    return aws.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0][
        "InstanceId"
    ]


def state_of(aws: Aws, machine: str) -> str:
    found = aws.ec2.describe_instances(InstanceIds=[machine])["Reservations"]
    return found[0]["Instances"][0]["State"]["Name"]


def put_alarm(aws: Aws, machine: str, *, armed: bool = True, **changes: Any) -> None:
    request = machine_alarm("Counting", machine, "us-east-1", armed=armed)
    aws.cloudwatch.put_metric_alarm(**{**request, **changes})


def say(aws: Aws, machine: str, count: int = 1, **changes: Any) -> None:
    data: Any = [{**busy_slots(machine, count), **changes}]
    aws.cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)


def alarm_of(aws: Aws, machine: str) -> str:
    (found,) = aws.cloudwatch.describe_alarms(AlarmNames=[f"Counting_{machine}"])["MetricAlarms"]
    return found["StateValue"]


def test_a_new_alarm_lacks_data_until_its_first_evaluation(aws: Aws, clock: Clock) -> None:
    machine = run_machine(aws)
    say(aws, machine)
    put_alarm(aws, machine)
    assert alarm_of(aws, machine) == "INSUFFICIENT_DATA"
    clock.time += 60
    assert alarm_of(aws, machine) == "INSUFFICIENT_DATA"
    clock.time += 90
    assert alarm_of(aws, machine) == "OK"


def test_an_alarm_that_sees_no_point_ends_its_machine_at_its_first_evaluation(
    aws: Aws, clock: Clock
) -> None:
    machine = run_machine(aws)
    put_alarm(aws, machine)
    clock.time += 160
    assert state_of(aws, machine) == "terminated"
    assert alarm_of(aws, machine) == "ALARM"


def test_a_point_that_comes_in_too_late_is_not_seen(aws: Aws, clock: Clock) -> None:
    rules.use(rules.Rules(clock=clock.now, ingestion_seconds=200))
    machine = run_machine(aws)
    say(aws, machine)
    put_alarm(aws, machine)
    clock.time += 160
    assert state_of(aws, machine) == "terminated"


def test_a_point_dated_ahead_of_time_is_of_no_past_minute(aws: Aws, clock: Clock) -> None:
    machine = run_machine(aws)
    say(aws, machine, Timestamp=clock.time + 240)
    put_alarm(aws, machine)
    clock.time += 160
    assert state_of(aws, machine) == "terminated"


def test_an_alarm_without_its_actions_ends_nothing(aws: Aws, clock: Clock) -> None:
    machine = run_machine(aws)
    put_alarm(aws, machine, armed=False)
    clock.time += 3600
    assert alarm_of(aws, machine) == "ALARM"
    put_alarm(aws, machine, armed=True)  # a change keeps the state, and acts at the next change
    clock.time += 3600
    assert state_of(aws, machine) == "running"


def test_silence_ends_a_machine_within_25_minutes(aws: Aws, clock: Clock) -> None:
    machine = run_machine(aws)
    put_alarm(aws, machine)
    for _ in range(40):
        say(aws, machine)
        clock.time += 60
        assert state_of(aws, machine) == "running"
    clock.time += 20 * 60
    assert state_of(aws, machine) == "running"
    clock.time += 4 * 60
    assert state_of(aws, machine) == "terminated"


def test_a_quarter_of_an_hour_without_work_ends_a_machine(aws: Aws, clock: Clock) -> None:
    machine = run_machine(aws)
    put_alarm(aws, machine)
    say(aws, machine)
    for _ in range(14):
        clock.time += 60
        say(aws, machine, 0)
    assert state_of(aws, machine) == "running"
    clock.time += 60
    say(aws, machine, 0)
    clock.time += 120
    assert state_of(aws, machine) == "terminated"


def test_what_cloudwatch_refuses_is_refused(aws: Aws, clock: Clock) -> None:
    with pytest.raises(ClientError, match="Invalid arn"):
        put_alarm(aws, "i-0123456789abcdef0", AlarmActions=["terminate"])
    with pytest.raises(ClientError, match="At most 100"):
        aws.cloudwatch.delete_alarms(AlarmNames=[f"a{n}" for n in range(101)])
    for off in (3 * 3600, -15 * 86400):
        with pytest.raises(ClientError, match="Timestamp"):
            say(aws, "i-0123456789abcdef0", Timestamp=clock.time + off)


def test_alarms_come_a_hundred_a_page(aws: Aws) -> None:
    rules.use(rules.Rules(is_throttled=False))
    for number in range(101):
        put_alarm(aws, f"i-{number:017x}")
    pages = list(aws.cloudwatch.get_paginator("describe_alarms").paginate())
    assert [len(page["MetricAlarms"]) for page in pages] == [100, 1]
