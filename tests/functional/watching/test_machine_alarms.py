"""Alarms end machines that stopped working and no other, whatever is late or off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from distributed_something.aws.compute import fleet
from distributed_something.local.simulator import Rules
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.machine_alarm import PERIOD
from tests.lives import Life, open_life, refusing
from worker.machine.duties import Duties, DutyClients


class Machine:
    """A machine with a worker, whose computer's clock may be off."""

    def __init__(self, life: Life, record: RunRecord, name: str, off: float = 0.0) -> None:
        aws = life.aws
        task = aws.ecs.describe_task_definition(taskDefinition=record.task_family)
        variables = {
            one["name"]: one["value"]
            for one in task["taskDefinition"]["containerDefinitions"][0]["environment"]
        }
        self.busy = 1
        self.duties = Duties(
            DutyClients(cloudwatch=aws.cloudwatch, ec2=aws.ec2, s3=aws.s3, sqs=aws.sqs),
            WorkerEnvironment.from_environment(variables),
            name,
            lambda: self.busy,
            life.folder,
            idle_seconds=86400.0,
            now=lambda: life.clock.time + off,
        )


@contextmanager
def working(folder: Path, rules: Rules, off: float = 0.0) -> Iterator[tuple[Life, str, Machine]]:
    """A run with one machine whose worker has just begun."""
    with open_life(folder, rules, CLUSTER_MACHINES=1) as life:
        life.set_up()
        life.submit("a")
        record = life.buy()
        (name,) = life.instances()
        machine = Machine(life, record, name, off)
        machine.duties.begin()
        yield life, name, machine


def pass_minutes(life: Life, machine: Machine | None, minutes: int) -> None:
    for _ in range(minutes):
        life.clock.time += PERIOD
        if machine is not None:
            machine.duties.do()


def is_live(life: Life, name: str) -> bool:
    return name in fleet.fleet_members(life.aws.ec2, life.record().fleet_ids[0])


LATE = Rules(deleted_queue_seconds=0.0, ingestion_seconds=150.0)


@pytest.mark.parametrize("off", [-240.0, 0.0, 240.0])
def test_no_busy_machine_is_ended_though_metrics_come_late_and_clocks_are_off(
    tmp_path: Path, off: float
) -> None:
    with working(tmp_path, LATE, off) as (life, name, machine):
        pass_minutes(life, machine, 180)
        assert is_live(life, name)


@pytest.mark.parametrize("off", [-240.0, 240.0])
def test_a_machine_that_is_stuck_is_ended_within_25_minutes_of_its_last_word(
    tmp_path: Path, off: float
) -> None:
    with working(tmp_path, Rules(deleted_queue_seconds=0.0), off) as (life, name, machine):
        pass_minutes(life, machine, 60)
        pass_minutes(life, None, 25)
        assert not is_live(life, name)


def test_a_machine_that_has_no_job_for_a_quarter_of_an_hour_is_ended(tmp_path: Path) -> None:
    with working(tmp_path, Rules(deleted_queue_seconds=0.0)) as (life, name, machine):
        pass_minutes(life, machine, 60)
        machine.busy = 0
        pass_minutes(life, machine, 20)
        assert not is_live(life, name)


@pytest.mark.parametrize("operation", ["PutMetricData", "DescribeAlarms", "PutMetricAlarm"])
def test_a_worker_that_may_not_report_has_no_alarm_that_could_end_it(
    tmp_path: Path, operation: str
) -> None:
    with open_life(tmp_path, CLUSTER_MACHINES=1) as life:
        life.set_up()
        life.submit("a")
        record = life.buy()
        (name,) = life.instances()
        with refusing(life.aws.cloudwatch, operation):
            machine = Machine(life, record, name)
            machine.duties.begin()
            pass_minutes(life, machine, 120)
        assert is_live(life, name)


def test_alarms_that_aws_throttles_are_made_in_a_later_minute(tmp_path: Path) -> None:
    with open_life(tmp_path, CLUSTER_MACHINES=1) as life:
        life.set_up()
        life.submit("a")
        record = life.buy()
        (name,) = life.instances()
        machine = Machine(life, record, name)
        with refusing(life.aws.cloudwatch, "PutMetricAlarm"):
            machine.duties.begin()
            pass_minutes(life, machine, 3)
        pass_minutes(life, machine, 5)
        (alarm,) = life.aws.cloudwatch.describe_alarms()["MetricAlarms"]
        assert alarm["ActionsEnabled"] is True and alarm["StateValue"] == "OK"


def test_a_container_that_starts_again_leaves_its_machines_armed_alarm(tmp_path: Path) -> None:
    with working(tmp_path, Rules(deleted_queue_seconds=0.0)) as (life, name, machine):
        pass_minutes(life, machine, 10)
        again = Machine(life, life.record(), name)
        again.duties.begin()
        (alarm,) = life.aws.cloudwatch.describe_alarms()["MetricAlarms"]
        assert alarm["ActionsEnabled"] is True
