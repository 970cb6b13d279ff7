"""What a worker does for its machine: its alarm and metric, and its end when a run is long over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.facts import Heartbeat
from distributed_something.protocol.machine_alarm import NAMESPACE, PERIOD, PERIODS
from tests.lives import handling
from worker.environment import Pace
from worker.machine.duties import Duties, DutyClients, is_ec2, machine_state

from ..job.test_failures import machine
from ..job.test_failures import machine_state as state_of
from ..world import World, until


def duties(world: World, instance_id: str, clock: list[float], busy: int = 0) -> Duties:
    aws = world.aws
    return Duties(
        DutyClients(cloudwatch=aws.cloudwatch, ec2=aws.ec2, s3=aws.s3, sqs=aws.sqs),
        WorkerEnvironment.from_environment(world.environment()),
        instance_id,
        lambda: busy,
        world.folder,
        idle_seconds=Pace().idle_seconds,
        now=lambda: clock[0],
    )


def begin_run(world: World) -> None:
    world.write_record()


def test_a_worker_makes_its_machines_alarm_and_gives_it_the_benefit_of_the_doubt(
    world: World,
) -> None:
    instance_id = machine(world)
    world.start_worker({"INSTANCE_ID": instance_id})
    name = f"{world.name}_{instance_id}"

    def alarms() -> list[object]:
        found = world.aws.cloudwatch.describe_alarms(AlarmNames=[name])
        return list(found["MetricAlarms"])

    (alarm,) = until(alarms, "the alarm is there")
    world.stop()
    assert alarm["AlarmActions"] == ["arn:aws:automate:us-east-1:ec2:terminate"]
    assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": instance_id}]
    assert alarm["TreatMissingData"] == "breaching"
    metrics = world.aws.cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {"Name": "InstanceId", "Value": instance_id} in [m["Dimensions"][0] for m in metrics]
    assert PERIODS == 15


def test_a_machine_that_begins_when_its_run_is_over_makes_no_alarm_that_nobody_would_delete(
    world: World,
) -> None:
    world.write_record(ended=1.0)
    duties(world, machine(world), [1000.0]).begin()
    prefix = f"{world.name}_"
    assert world.aws.cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"] == []
    world.write_record()
    duties(world, machine(world), [1000.0]).begin()
    assert len(world.aws.cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]) == 1


def test_a_machine_that_is_none_of_ec2s_has_no_duties() -> None:
    assert is_ec2("i-0123456789abcdef0")
    assert not is_ec2("my-laptop")


def test_machines_end_themselves_when_a_run_is_long_over(world: World) -> None:
    begin_run(world)
    world.put(world.keys.done("0" * 20), "{}")
    clock = [1000.0]
    instance_id = machine(world)
    switch = duties(world, instance_id, clock)
    switch.do()
    clock[0] += 299
    switch.do()
    assert state_of(world, instance_id) == "running"
    clock[0] += 2
    switch.do()
    assert state_of(world, instance_id) == "terminated"


def test_machines_end_themselves_before_their_alarms_do_as_the_fleet_replaces_those() -> None:
    assert Pace().idle_seconds + 2 * Pace().duty_seconds < PERIOD * PERIODS


def test_a_machine_ends_at_once_when_its_run_has_been_taken_down(world: World) -> None:
    world.write_record(ended=1.0)
    world.aws.sqs.delete_queue(QueueUrl=world.queue_url)
    assert not lives_on(world, [1000.0])


def test_a_machine_whose_queue_is_gone_has_no_jobs_to_wait_for(world: World) -> None:
    begin_run(world)
    world.put(world.keys.done("0" * 20), "{}")
    world.queue_url += "Gone"
    assert not lives_on(world, [1000.0, 1400.0])


def test_a_stopped_run_does_not_keep_machines_for_the_jobs_that_wait(world: World) -> None:
    begin_run(world)
    world.put(world.keys.done("0" * 20), "{}")
    world.put(world.keys.stopped, "too many failures")
    world.send({"command": "true", "group": {"plate": "P1"}})
    assert not lives_on(world, [1000.0, 1400.0])


def test_a_stopped_run_keeps_machines_for_the_jobs_in_flight(world: World) -> None:
    begin_run(world)
    world.put(world.keys.done("0" * 20), "{}")
    world.put(world.keys.stopped, "too many failures")
    world.send({"command": "true", "group": {"plate": "P1"}})
    world.aws.sqs.receive_message(QueueUrl=world.queue_url, VisibilityTimeout=600)
    assert lives_on(world, [1000.0, 1400.0])


def test_machines_for_which_nothing_is_submitted_end_after_an_hour_whoever_replaced_them(
    world: World,
) -> None:
    begin_run(world)
    assert lives_on(world, [0.0, 3500.0])
    with later(world, 3700):
        assert not lives_on(world, [3700.0, 4100.0])


def test_a_duty_that_fails_takes_no_other_with_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    begin_run(world)
    clock = [1000.0]
    instance_id = machine(world)
    switch = duties(world, instance_id, clock)
    world.write_record(ended=1.0)
    world.folder.rename(world.folder.with_name("gone"))
    switch.do()
    metrics = world.aws.cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {"Name": "InstanceId", "Value": instance_id} in [m["Dimensions"][0] for m in metrics]
    assert state_of(world, instance_id) == "terminated"
    assert "No state in the log for this machine" in caplog.text


def test_a_record_that_cannot_be_understood_ends_no_machine_and_no_duty(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(f"monitors/{world.name}SpotFleetRequestId.json", '{"fleets": [7], "ended": 1}')
    assert lives_on(world, [1000.0, 1400.0])
    assert "for this machine:" not in caplog.text, "no duty failed"


def test_no_machine_ends_itself_before_anything_was_submitted(world: World) -> None:
    begin_run(world)
    assert_lives_on(world)


def test_no_machine_ends_itself_while_a_job_is_left(world: World) -> None:
    begin_run(world)
    world.put(world.keys.done("0" * 20), "{}")
    world.send({"command": "true", "group": {"plate": "P1"}})
    assert_lives_on(world)


def test_no_machine_ends_itself_while_another_works(world: World) -> None:
    begin_run(world)
    world.put(world.keys.done("0" * 20), "{}")
    world.ledger.machines.write_heartbeat("i-2", "s", Heartbeat("a job", "P1", "1-a", 0.0))
    assert_lives_on(world)


@contextmanager
def later(world: World, seconds: float) -> Iterator[None]:
    """Have the bucket answer listings as if so many seconds had gone by."""

    def put_forward(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        date = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = format_datetime(date, usegmt=True)

    with handling([world.aws.s3], "after-call.s3.ListObjectsV2", put_forward):
        yield


def assert_lives_on(world: World) -> None:
    assert lives_on(world, [1000.0, 3000.0, 5000.0])


def lives_on(world: World, moments: list[float]) -> bool:
    """Whether an idle machine runs after its worker's duties at these moments."""
    instance_id = machine(world)
    clock = [0.0]
    switch = duties(world, instance_id, clock)
    for moment in moments:
        clock[0] = moment
        switch.do()
    return state_of(world, instance_id) == "running"


def test_the_state_of_a_machine_is_a_line(tmp_path: Path) -> None:
    line = machine_state(tmp_path)
    assert "GiB free" in line and "load" in line and "\n" not in line


def test_the_state_of_a_machine_names_its_graphics_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "87 %, 11000 MiB, 16384 MiB"\necho "$@" > "$0.asked"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert machine_state(tmp_path).endswith(", GPU 87 %, 11000 MiB, 16384 MiB")
    asked = (tmp_path / "nvidia-smi.asked").read_text()
    assert "utilization.gpu,memory.used,memory.total" in asked
    program.write_text("#!/bin/sh\necho 'No devices were found'; exit 6\n")
    assert "GPU" not in machine_state(tmp_path)


def test_a_worker_with_nothing_to_do_keeps_waiting(world: World) -> None:
    worker = world.start_worker({"WORKER_DUTY_SECONDS": "1", "WORKER_IDLE_SECONDS": "0"})
    until(lambda: "0 slots busy" in world.worker_log(), "the worker reports twice")
    assert worker.poll() is None
    assert world.stop() == [0]
