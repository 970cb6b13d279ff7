"""`tear_down`: the fleet goes first, every step is tried, and nobody else's things are touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distributed_something.aws.compute import fleet
from distributed_something.aws.messaging import queues
from distributed_something.commands.removing.tear_down import tear_down
from distributed_something.commands.runs.runs import refresh
from distributed_something.commands.watching.monitor import Pace, monitor
from distributed_something.errors import TeardownIncomplete
from distributed_something.local.simulator import Rules
from distributed_something.protocol.ledger.record import FleetRecord, RunRecord, save_record
from distributed_something.resources.table import RESOURCE_KINDS, take_inventory, what_stays
from tests.lives import (
    Life,
    add_lambda,
    open_life,
    put_alarm,
    record_on_disk,
    refusing,
    watch_calls,
)

MONEY = ("spot fleet ", "machine ")


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path, CREATE_DASHBOARD="True", CLEAN_DASHBOARD="True") as life:
        life.set_up()
        yield life


def end(life: Life, record: RunRecord) -> list[str]:
    return [*map(str, tear_down(life.aws, record, folder=life.folder, **life.times))]


def test_the_fleet_is_cancelled_before_anything_else_is_done(life: Life) -> None:
    record = life.buy()
    with watch_calls(life.aws) as calls:
        assert end(life, record) == []
    acting = [call for call in calls if not call.startswith(("Describe", "Get", "List"))]
    assert acting[0] == "CancelSpotFleetRequests"
    assert acting[-1] == "PutObject"  # that the run has ended is said last of all


REFUSED = {
    "cancel the spot fleets": ("ec2", "CancelSpotFleetRequests"),
    "terminate the machines that were left": ("ec2", "DescribeSpotFleetInstances"),
    "delete the service": ("ecs", "DeleteService"),
    "delete the alarms": ("cloudwatch", "DescribeAlarms"),
    "delete the queue": ("sqs", "DeleteQueue"),
    "deregister the task definitions": ("ecs", "DeregisterTaskDefinition"),
    "delete the launch templates": ("ec2", "DeleteLaunchTemplate"),
    "delete the dashboard": ("cloudwatch", "DeleteDashboards"),
    "take the machines off the cluster's list": ("ecs", "ListContainerInstances"),
    "delete the cluster": ("ecs", "DeleteCluster"),
}


@pytest.mark.parametrize(
    "step", [kind.step for kind in RESOURCE_KINDS if kind.delete and not kind.is_last]
)
def test_whatever_step_fails_the_others_are_done_and_the_next_try_ends_the_run(
    life: Life, step: str
) -> None:
    record = life.buy()
    service, operation = REFUSED[step]
    with refusing(getattr(life.aws, service), operation):
        failures = end(life, record)
    named = [failure for failure in failures if failure.startswith(f"Could not {step}: ")]
    assert len(named) == 1
    assert "AccessDenied" in named[0]
    assert refresh(life.aws, record).is_live
    if service != "ec2":
        assert not any(one.startswith(MONEY) for one in take_inventory(life.aws))
    assert end(life, record) == []
    assert take_inventory(life.aws) == what_stays(record)
    assert not refresh(life.aws, record).is_live


def test_a_bucket_that_does_not_answer_keeps_no_machine_alive(life: Life) -> None:
    record = life.buy()
    with refusing(life.aws.s3, "GetObject"), refusing(life.aws.s3, "PutObject"):
        failures = end(life, record)
    assert any("delete the queue" in failure for failure in failures)
    assert not any(one.startswith(MONEY) for one in take_inventory(life.aws))
    assert end(life, record) == []


def test_monitor_says_what_is_left_and_does_it_the_next_time(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    with (
        refusing(life.aws.ecs, "DeleteService"),
        pytest.raises(TeardownIncomplete, match=r"Could not delete the service: .*AccessDenied"),
    ):
        monitor(life.aws, record, folder=life.folder, **life.times)
    assert "ended" in record_on_disk(life)
    outcome = monitor(life.aws, record, folder=life.folder, pace=Pace(), **life.times)
    assert outcome.summary.done == 1
    assert take_inventory(life.aws) == what_stays(record)


def test_a_run_that_has_ended_is_not_taken_down_again(life: Life) -> None:
    record = life.buy()
    end(life, record)
    life.set_up()
    before = take_inventory(life.aws)
    assert end(life, record) == []
    assert take_inventory(life.aws) == before


def test_a_fleet_whose_id_we_never_heard_is_found_and_cancelled(life: Life) -> None:
    record = life.buy()
    deaf = replace(record, fleets=(replace(record.fleets[0], fleet_id=""),))
    save_record(life.aws.s3, deaf, life.folder)
    assert end(life, deaf) == []
    assert not any(one.startswith(MONEY) for one in take_inventory(life.aws))


def test_a_fleet_added_during_the_teardown_keeps_the_run_live(life: Life) -> None:
    record = life.buy()

    def another(**_: object) -> None:
        added = record.with_fleet(FleetRecord("late", {}, 1, "sfr-late"))
        save_record(life.aws.s3, added, None)

    life.aws.ecs.meta.events.register("before-call.ecs.DeleteService", another)
    failures = end(life, record)
    assert failures == ["A fleet was added to the run during its removal: remove it again."]
    life.aws.ecs.meta.events.unregister("before-call.ecs.DeleteService", another)
    assert end(life, record) == []


def test_things_with_names_like_ours_are_left_alone(life: Life) -> None:
    aws = life.aws
    for name in ("CountingQueue1", "Counting"):
        aws.sqs.create_queue(QueueName=name)
    for name in ("Counting2_i-1", "Counting_x_i-1", "Counting_i-1_more", "i-1"):
        put_alarm(aws, name)
    aws.ecs.register_task_definition(
        family="CountingTask2", containerDefinitions=[{"name": "x", "image": "x", "memory": 10}]
    )
    aws.ec2.create_launch_template(
        LaunchTemplateName="Counting-other", LaunchTemplateData={"InstanceType": "m5.large"}
    )
    before = take_inventory(aws)
    record = life.buy()
    put_alarm(aws, "Counting_i-0abc")
    end(life, record)
    ours = {"cluster counting", "service counting/CountingService", "queue CountingQueue"}
    assert before - take_inventory(aws) == ours | {"task definition CountingTask:1"}


@pytest.mark.parametrize("others", ["theirs", "in use", "default"])
def test_a_cluster_that_is_not_ours_alone_stays(tmp_path: Path, others: str) -> None:
    name = "default" if others == "default" else "shared"
    with open_life(tmp_path, ECS_CLUSTER=name) as life:
        ecs = life.aws.ecs
        if others == "theirs":
            ecs.create_cluster(clusterName=name)
        life.set_up()
        if others == "in use":
            ecs.create_service(
                cluster=name, serviceName="Theirs", taskDefinition="CountingTask", desiredCount=0
            )
        record = life.buy()
        assert end(life, record) == []
        left = take_inventory(life.aws) - (what_stays(record) - {"cluster default"})
        assert left == {f"cluster {name}"} | (
            {"service shared/Theirs"} if others == "in use" else set()
        )
        assert sum(life.clock.slept) < 60.0


def test_a_machine_of_another_app_in_our_cluster_stays_on_its_list(life: Life) -> None:
    record = life.buy()
    image = life.aws.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = life.aws.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
    identity = json.dumps({"instanceId": instance["InstanceId"]})
    life.aws.ecs.register_container_instance(cluster="counting", instanceIdentityDocument=identity)
    assert end(life, record) == []
    left = take_inventory(life.aws)
    assert f"machine {instance['InstanceId']}" in left
    assert sum(one.startswith("registered machine ") for one in left) == 1


def test_the_cluster_is_deleted_once_the_last_tasks_have_stopped(life: Life) -> None:
    record = life.buy()
    life.workers_stop = False

    def stop_later() -> None:
        life.workers_stop = len(life.clock.slept) > 3
        life.tick()

    life.clock.slept.clear()
    life.clock.during = stop_later
    with refusing(life.aws.ec2, "TerminateInstances"):
        assert end(life, record) == []
    assert take_inventory(life.aws) == what_stays(record)


def test_250_alarms_take_three_requests(life: Life) -> None:
    record = life.buy()
    for number in range(250):
        put_alarm(life.aws, f"Counting_i-{number:x}")
    with watch_calls(life.aws) as calls:
        end(life, record)
    assert calls.count("DeleteAlarms") == 3
    assert take_inventory(life.aws) == what_stays(record)


def test_the_next_setup_waits_for_what_is_left_of_the_minute_and_loses_no_message(
    tmp_path: Path,
) -> None:
    with open_life(tmp_path, Rules()) as life:
        life.set_up()
        record = life.buy()
        end(life, record)
        life.clock.time += 5.0
        life.clock.slept.clear()
        life.set_up()
        assert sum(life.clock.slept) == pytest.approx(55.0, abs=2.0)
        life.submit("a", "b")
        url = queues.find_queue(life.aws.sqs, "CountingQueue")
        assert queues.count_jobs(life.aws.sqs, url).waiting == 2


def test_machines_that_a_cancelled_fleet_left_running_are_ended(life: Life) -> None:
    record = life.buy()
    life.aws.ec2.cancel_spot_fleet_requests(
        SpotFleetRequestIds=list(record.fleet_ids), TerminateInstances=False
    )
    assert len(fleet.fleet_members(life.aws.ec2, record.fleet_ids[0])) == 2
    assert end(life, record) == []
    assert not any(one.startswith("machine ") for one in take_inventory(life.aws))


def test_the_schedule_stays_until_all_else_is_removed(tmp_path: Path) -> None:
    with open_life(tmp_path, AUTO_MONITOR="True") as life:
        add_lambda(life.aws)
        life.set_up()
        record = life.buy()
        schedule = f"schedule {record.schedule}"
        with refusing(life.aws.ecs, "DeleteService"):
            end(life, record)
        assert schedule in take_inventory(life.aws)
        with refusing(life.aws.scheduler, "DeleteSchedule"):
            assert len(end(life, record)) == 1
        assert refresh(life.aws, record).is_live
        assert end(life, record) == []
        assert schedule not in take_inventory(life.aws)
