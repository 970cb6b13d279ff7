"""States are the same when they differ in nothing but drawn ids and the time it all began."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.messaging import queues
from distributed_something.protocol.ledger.keys import record_name
from tests.lives import Life, put_alarm

from .forks import Copies
from .stage import JOBS, Stage, open_stage
from .states import hash_of, write_state

QUEUE = "CountingQueue"


def _begin(stage: Stage) -> None:
    for verb in (stage.setup, stage.submit, stage.buy, stage.theirs.tick, stage.work):
        verb()


def _fleet(life: Life) -> str:
    fleets = life.aws.ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"]
    return str(fleets[0]["SpotFleetRequestId"])


def _url(life: Life) -> str:
    return queues.find_queue(life.aws.sqs, QUEUE)


def _lower_target(stage: Stage) -> None:
    stage.theirs.aws.ec2.modify_spot_fleet_request(
        SpotFleetRequestId=_fleet(stage.theirs),
        TargetCapacity=1,
        ExcessCapacityTerminationPolicy="noTermination",
    )


def _cancel_fleet(stage: Stage) -> None:
    ec2 = stage.theirs.aws.ec2
    ec2.cancel_spot_fleet_requests(
        SpotFleetRequestIds=[_fleet(stage.theirs)], TerminateInstances=False
    )


def _terminate(stage: Stage) -> None:
    ec2 = stage.theirs.aws.ec2
    ec2.terminate_instances(InstanceIds=stage.theirs.instances()[:1])


def _tag_machine(stage: Stage) -> None:
    tags: Any = [{"Key": "a", "Value": "b"}]
    stage.theirs.aws.ec2.create_tags(Resources=stage.theirs.instances()[:1], Tags=tags)


def _delete_template(stage: Stage) -> None:
    record = stage.record()
    assert record is not None
    stage.theirs.aws.ec2.delete_launch_template(LaunchTemplateName=record.launch_templates[0])


def _drain(stage: Stage) -> None:
    ecs, cluster = stage.theirs.aws.ecs, "counting"
    arns = ecs.list_container_instances(cluster=cluster)["containerInstanceArns"]
    ecs.update_container_instances_state(
        cluster=cluster, containerInstances=arns[:1], status="DRAINING"
    )


def _want_fewer_tasks(stage: Stage) -> None:
    stage.theirs.aws.ecs.update_service(
        cluster="counting", service="CountingService", desiredCount=1
    )


def _stop_task(stage: Stage) -> None:
    ecs = stage.theirs.aws.ecs
    task = ecs.list_tasks(cluster="counting")["taskArns"][0]
    ecs.stop_task(cluster="counting", task=task)


def _send(stage: Stage) -> None:
    stage.theirs.aws.sqs.send_message(QueueUrl=_url(stage.theirs), MessageBody="{}")


def _receive(stage: Stage) -> None:
    assert stage.theirs.aws.sqs.receive_message(QueueUrl=_url(stage.theirs))["Messages"]


def _drop(stage: Stage) -> None:
    record = stage.record()
    assert record is not None
    stage.theirs.drop(record, stage.held[0])


def _queue_setting(stage: Stage) -> None:
    stage.theirs.aws.sqs.set_queue_attributes(
        QueueUrl=_url(stage.theirs), Attributes={"VisibilityTimeout": "77"}
    )


def _write(key: str, body: bytes, stage: Stage) -> None:
    stage.theirs.aws.s3.put_object(Bucket="lab-data", Key=key, Body=body)


def _erase(key: str, stage: Stage) -> None:
    stage.theirs.aws.s3.delete_object(Bucket="lab-data", Key=key)


def _end_record(stage: Stage) -> None:
    key = f"monitors/{record_name('Counting')}"
    text = stage.theirs.aws.s3.get_object(Bucket="lab-data", Key=key)["Body"].read()
    _write(key, text.replace(b'"ended": null', b'"ended": 1.0'), stage)


def _end_record_here(stage: Stage) -> None:
    path = Path(record_name("Counting"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "machines": 99}))


def _change_alarm(stage: Stage) -> None:
    stage.theirs.aws.cloudwatch.disable_alarm_actions(AlarmNames=["Counting_one"])


def _delete_schedule(stage: Stage) -> None:
    record = stage.record()
    assert record is not None
    stage.theirs.aws.scheduler.delete_schedule(
        Name=record.schedule, GroupName="distributed-something"
    )


def _keep_logs(stage: Stage) -> None:
    stage.theirs.aws.logs.put_retention_policy(logGroupName="Counting", retentionInDays=1)


def _give_rights(stage: Stage) -> None:
    iam = stage.theirs.aws.iam
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    s3_all = {"Version": "2012-10-17", "Statement": [statement]}
    role = iam.list_roles()["Roles"][0]["RoleName"]
    iam.put_role_policy(RoleName=role, PolicyName="one", PolicyDocument=json.dumps(s3_all))


def _forget_a_held_job(stage: Stage) -> None:
    stage.held.pop()


def _wait(stage: Stage) -> None:
    stage.life.clock.time += 60.0


CHANGES: dict[str, Callable[[Stage], None]] = {
    "a fleet's target": _lower_target,
    "a machine's tag": _tag_machine,
    "a machine that drains": _drain,
    "a service's tasks": _want_fewer_tasks,
    "a task": _stop_task,
    "a message more": _send,
    "a message that is hidden": _receive,
    "a message fewer": _drop,
    "a queue's setting": _queue_setting,
    "an object of the ledger": partial(_write, "runs/Counting/1/stopped", b""),
    "its bytes": partial(_write, "runs/Counting/1/stopped", b"why"),
    "an object fewer": partial(_erase, "runs/Counting/1/stopped"),
    "the record": _end_record,
    "the record on this computer": _end_record_here,
    "an alarm": lambda stage: put_alarm(stage.theirs.aws, "Counting_one"),
    "an alarm's actions": _change_alarm,
    "a schedule": _delete_schedule,
    "a log group's days": _keep_logs,
    "a role's rights": _give_rights,
    "a launch template": _delete_template,
    "a machine": _terminate,
    "a fleet's state": _cancel_fleet,
    "a job that a worker holds": _forget_a_held_job,
    "time that has passed": _wait,
}


@pytest.mark.slow
def test_states_that_differ_in_anything_that_matters_differ(here: Path) -> None:
    with open_stage() as stage:
        _begin(stage)
        hashes = [hash_of(stage.state())]
        assert hash_of(stage.state()) == hashes[0]
        for change in CHANGES.values():
            change(stage)
            hashes.append(hash_of(stage.state()))
    changed = [
        what for what, pair in zip(CHANGES, pairwise(hashes), strict=True) if len(set(pair)) == 2
    ]
    assert changed == list(CHANGES)


def _do_one_job(stage: Stage, copies: Copies[str]) -> str:
    record = stage.record()
    assert record is not None
    for held in stage.held:
        if copies.start(held.job.name):
            stage.theirs.mark_done(record, held)
            return stage.state()
    return ""


def test_states_in_which_another_job_is_done_differ(here: Path) -> None:
    with open_stage() as stage:
        _begin(stage)
        copies: Copies[str] = Copies()
        said = copies.follow(partial(_do_one_job, stage, copies))
    assert set(said) == set(JOBS)
    assert hash_of(said["a"]) != hash_of(said["b"])


def test_two_runs_that_went_alike_are_in_the_same_state(
    warm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for days in (0, 3):
        folder = tmp_path / str(days)
        folder.mkdir()
        monkeypatch.chdir(folder)
        with open_stage(days) as stage:
            for verb in (stage.setup, stage.submit, stage.buy):  # the ids decide who works first
                verb()
            texts.append(stage.state())
    assert texts[0].splitlines() == texts[1].splitlines()


def test_ids_are_told_apart_and_times_are_distances() -> None:
    one, other = (f"i-{number:017x}" for number in (1, 2))
    assert write_state(1e9, [one, other, one]) == write_state(1e9, [other, one, other])
    assert write_state(1e9, [one, other]) != write_state(1e9, [one, one])
    assert write_state(1.7e9, ["at 1700000060.5"]) == write_state(1.6e9, ["at 1600000060.5"])
    assert write_state(1.7e9, ["at 1700000060"]) != write_state(1.7e9, ["at 1700000120"])
