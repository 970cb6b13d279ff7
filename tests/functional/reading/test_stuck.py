"""The ways for a run to be stuck: `status` names the cause and the fix of each.

AWS's words are those that people were given, each with the thread that tells of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.compute import fleet
from distributed_something.commands.reading.status import status
from distributed_something.commands.watching.monitor import MonitorState, Pace, step
from distributed_something.errors import UsageError
from distributed_something.local.account import make_roles
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.attempts import Attempt, AttemptState
from distributed_something.protocol.ledger.keys import new_attempt_id
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.run.troubles import Trouble
from distributed_something.snapshot import read_everything
from tests.account import simulated_ec2
from tests.answers import answering
from tests.builders import settings
from tests.clock import Clock
from tests.lives import Life, refusing

STARTED, FAILED = AttemptState.STARTED, AttemptState.FAILED


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def life(simulator: Simulator, tmp_path: Path) -> Life:
    """A run of three jobs, set up and submitted."""
    clock = Clock()
    simulator.empty(Rules(deleted_queue_seconds=0.0, clock=clock.now))
    aws = simulator.aws()
    aws.s3.create_bucket(Bucket="lab-data")
    make_roles(aws)
    life = Life(aws, settings(MACHINE_PRICE=None), tmp_path, clock)
    life.set_up()
    life.submit("a", "b", "c")
    return life


def why(life: Life, record: RunRecord) -> Trouble:
    """The one thing that keeps the run from going on."""
    found = status(life.aws, record, now=life.clock.now).why
    assert len(found) == 1, found
    return found[0]


def events(*told: tuple[str, str]) -> Any:
    """An answer of DescribeSpotFleetRequestHistory: kinds of event with their words."""

    def change(parsed: dict[str, Any]) -> None:
        parsed["HistoryRecords"] = [
            {
                "EventType": "error",
                "EventInformation": {"EventSubType": kind, "EventDescription": words},
                "Timestamp": datetime.now(timezone.utc),
            }
            for kind, words in told
        ]

    return change


def buy_nothing(life: Life, *told: tuple[str, str]) -> Trouble:
    """Ask for machines that EC2 does not give, saying so."""
    simulated_ec2().refused_types.add("m5.xlarge")
    with answering(life.aws.ec2, "DescribeSpotFleetRequestHistory", events(*told)):
        return why(life, life.buy())


def test_no_capacity(life: Life) -> None:
    """https://github.com/hashicorp/terraform-provider-aws/pull/26493"""
    words = (
        "m5.xlarge, ami-00413793e4d8a02c8, Linux/UNIX: There is no Spot capacity available that "
        "matches your request."
    )
    trouble = buy_nothing(life, ("spotFleetRequestConfigurationInvalid", words))
    assert trouble.kind == "no capacity"
    assert "no Spot capacity available" in trouble.cause
    assert "name more machine types in MACHINE_TYPE" in trouble.fix


def test_quota(life: Life) -> None:
    """https://github.com/aws/aws-parallelcluster/issues/340"""
    told = ("spotInstanceCountLimitExceeded", "Max spot instance count exceeded")
    summary = ("allLaunchSpecsTemporarilyBlacklisted", "Several attempts to launch have failed.")
    trouble = buy_nothing(life, told, summary)
    assert trouble.kind == "quota"
    assert "Max spot instance count exceeded" in trouble.cause
    assert "Service Quotas" in trouble.fix


def service_event(words: str) -> Any:
    """An answer of DescribeServices with this event."""

    def change(parsed: dict[str, Any]) -> None:
        for service in parsed["services"]:
            moment = datetime.now(timezone.utc)
            service["events"] = [{"id": "1", "createdAt": moment, "message": words}]
            service["runningCount"] = 0

    return change


def test_wrong_role(life: Life) -> None:
    """https://github.com/aws-samples/aws-modern-application-workshop/issues/149"""
    record = life.buy()
    words = (
        "service CountingService failed to launch a task with (error ECS was unable to assume the "
        "role 'arn:aws:iam::123456789012:role/tasks' that was provided for this task. Please "
        "verify that the role being passed has the proper trust relationship and permissions and "
        "that your IAM user has permissions to pass this role.)."
    )
    with answering(life.aws.ecs, "DescribeServices", service_event(words)):
        trouble = why(life, record)
    assert trouble.kind == "wrong role"
    assert "TASK_ROLE_ARN" in trouble.fix and "ecs-tasks.amazonaws.com" in trouble.fix


def stop_tasks(life: Life, reason: str) -> None:
    """ECS places containers and ends each with a reason, as it does when they cannot start."""
    life.tick()
    ecs = life.world.ecs
    arns = ecs.list_tasks(cluster="counting", serviceName="CountingService")["taskArns"]
    assert arns
    for arn in arns:
        ecs.submit_task_state_change(cluster="counting", task=arn, status="STOPPED", reason=reason)


def test_image_not_found(life: Life) -> None:
    """https://github.com/aws/amazon-ecs-agent/issues/2343"""
    record = life.buy()
    stop_tasks(
        life,
        "CannotPullContainerError: Error response from daemon: pull access denied for "
        "lab/counting, repository does not exist or may require 'docker login'",
    )
    trouble = why(life, record)
    assert trouble.kind == "image not found"
    assert "pull access denied for lab/counting" in trouble.cause
    assert "DOCKERHUB_TAG" in trouble.fix


def write_log(life: Life, stream: str, *lines: str) -> None:
    """Lines in the log group of the machines' containers."""
    group = f"{life.settings.log_group_name}_perInstance"
    logs, now = life.world.logs, int(life.clock.now() * 1000)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    told: Any = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=told)


def test_image_for_the_wrong_architecture(life: Life) -> None:
    """https://github.com/aws-samples/amazon-bedrock-serverless-prompt-chaining/issues/213"""
    record = life.buy()
    stop_tasks(life, "Essential container in task exited")
    write_log(life, "Counting/worker/1", "exec /usr/local/bin/streamlit: exec format error")
    trouble = why(life, record)
    assert trouble.kind == "image for the wrong architecture"
    assert "--platform" in trouble.fix


def stop_a_container(life: Life, reason: str) -> None:
    """One of two containers ends with a reason, and the other runs."""
    ecs = life.world.ecs
    first, *others = ecs.list_tasks(cluster="counting", serviceName="CountingService")["taskArns"]
    assert others
    ecs.submit_task_state_change(cluster="counting", task=first, status="STOPPED", reason=reason)


def test_containers_that_stop_while_another_runs_and_takes_no_job(life: Life) -> None:
    record = life.buy()
    stop_a_container(life, "OutOfMemoryError: Container killed due to memory usage")
    trouble = why(life, record)
    assert trouble.kind == "out of memory"
    assert "No container takes a job: a container used more than its MEMORY" in trouble.cause
    long_ago = datetime.fromtimestamp(life.clock.now() - 1200, timezone.utc)

    def date(parsed: dict[str, Any]) -> None:
        for task in parsed["tasks"]:
            task["stoppedAt"] = long_ago

    with answering(life.aws.ecs, "DescribeTasks", date):
        assert status(life.aws, record, now=life.clock.now).why == ()


def test_a_container_that_cannot_start_and_counts_as_running(life: Life) -> None:
    record = life.buy()
    write_log(life, "Counting/worker/1", "exec /usr/local/bin/streamlit: exec format error")
    assert why(life, record).kind == "image for the wrong architecture"


def test_containers_that_run_and_take_no_job(life: Life) -> None:
    record = life.buy()
    life.clock.time += 300
    assert status(life.aws, record, now=life.clock.now).why == ()
    life.clock.time += 350
    trouble = why(life, record)
    assert trouble.kind == "no job taken"
    assert any(f"logs --machine {one}`" in trouble.fix for one in life.instances())


def test_containers_that_have_no_job_to_take_are_no_trouble(life: Life) -> None:
    record = life.buy()
    life.clock.time += 650
    for _ in range(3):  # they are leased by workers whose heartbeats are on their way
        life.beat(record, life.take(record, life.instances()[0]).instance_id, None)
    assert status(life.aws, record, now=life.clock.now).why == ()


def test_image_without_the_machines_architecture(life: Life) -> None:
    """https://github.com/aws/containers-roadmap/issues/1120"""
    record = life.buy()
    stop_tasks(
        life,
        "CannotPullContainerError: failed to find a descriptor for platform {linux/amd64}",
    )
    assert why(life, record).kind == "image for the wrong architecture"


def test_container_too_big(life: Life) -> None:
    """https://github.com/diem/diem/pull/1099, and of ECS's other words for it
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
    """
    record = life.buy()
    words = (
        "(service CountingService) was unable to place a task because no container instance met "
        "all of its requirements. The closest matching (container-instance "
        "0123456789abcdef0123456789abcdef) has insufficient memory available. For more "
        "information, see the Troubleshooting section of the Amazon ECS Developer Guide."
    )
    with answering(life.aws.ecs, "DescribeServices", service_event(words)):
        trouble = why(life, record)
    assert trouble.kind == "container too big"
    assert "lower MEMORY or CPU_SHARES" in trouble.fix


def test_machines_not_joining_the_cluster(life: Life) -> None:
    """https://github.com/DistributedScience/Distributed-CellProfiler/issues/200"""
    record = life.buy(joins=False)
    assert why(life, record).kind == "machines start"
    life.clock.time += 400
    seen = status(life.aws, record, now=life.clock.now)
    (trouble,) = seen.why
    assert trouble.kind == "machines not joining"
    assert "2 machines run and do not join the cluster counting" in trouble.cause
    assert "IamInstanceProfile" in trouble.fix
    assert {machine.state for machine in seen.machines} == {"not joined"}
    assert all(one.console for one in seen.machines)


def test_bucket_denied(life: Life) -> None:
    """https://github.com/aws/aws-sam-cli/issues/1949"""
    record = life.buy()
    words = "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied"
    write_log(life, "Counting/worker/1", "2 loops on i-1 for Counting.", words)
    trouble = why(life, record)
    assert trouble.kind == "bucket denied"
    assert "PutObject" in trouble.cause
    assert "TASK_ROLE_ARN" in trouble.fix and "setup_AWS.py --show" in trouble.fix


def test_bucket_denied_to_every_job(life: Life) -> None:
    """https://github.com/aws/aws-sam-cli/issues/1949"""
    record = life.buy()
    fail(
        life,
        record,
        "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
    )
    assert why(life, record).kind == "bucket denied"


def test_wrong_region(life: Life, simulator: Simulator) -> None:
    """https://github.com/smaskalik/sqsmover/issues/12"""
    record = life.buy()
    with pytest.raises(UsageError, match="started in us-east-1, and AWS_REGION is now eu-west-1"):
        status(simulator.aws("eu-west-1"), record)


def test_a_queue_that_is_not_in_this_region(life: Life) -> None:
    """https://github.com/smaskalik/sqsmover/issues/12: SQS says no more than that."""
    record = life.buy()
    url = life.aws.sqs.get_queue_url(QueueName="CountingQueue")["QueueUrl"]
    life.world.sqs.delete_queue(QueueUrl=url)
    trouble = why(life, record)
    assert trouble.kind == "no queue"
    assert "CountingQueue does not exist in us-east-1" in trouble.cause


def fail(life: Life, record: RunRecord, reason: str, times: int = 3) -> None:
    """Attempts at as many jobs, each failed for the same reason a moment ago."""
    for number in range(times):
        started = life.clock.now() + number
        one = Attempt(
            job_id=f"{number:020x}",
            name=f"job-{number}",
            attempt_id=new_attempt_id(started),
            number=1,
            state="failed",
            instance_id="i-1",
            slot="s",
            started=started,
            ended=started + 5,
            reason=reason,
        )
        RunLedger.of(life.world.s3, record).write_attempt(one)


def test_inputs_missing(life: Life) -> None:
    """https://github.com/DistributedScience/Distributed-CellProfiler/issues/162, in our words"""
    record = life.buy()
    fail(life, record, "The input s3://lab-data/plates/1.tif does not exist.")
    trouble = why(life, record)
    assert trouble.kind == "inputs missing"
    assert "s3://lab-data/plates/1.tif does not exist" in trouble.cause
    assert "upload it, or correct `inputs`" in trouble.fix


def test_every_job_failing(life: Life) -> None:
    """https://github.com/DistributedScience/Distributed-CellProfiler/issues/201"""
    record = life.buy()
    fail(life, record, "The command ended with exit code 1.", times=2)
    assert not any(one.kind == "every job failing" for one in status(life.aws, record).why)
    fail(life, record, "The command ended with exit code 1.")
    trouble = why(life, record)
    assert trouble.kind == "every job failing"
    assert "exit code 1" in trouble.cause
    assert "logs --failed" in trouble.fix


def test_monitor_not_running(life: Life) -> None:
    """https://github.com/iterative/cml/issues/1138"""
    record = life.buy()
    step(life.aws, record, MonitorState(began=0.0), pace=Pace(), now=life.clock.now)
    worker = life.instances()[0]
    held = life.take(record, worker)
    assert status(life.aws, record, now=life.clock.now).why == ()
    life.world.s3.delete_object(Bucket=record.bucket, Key=record.keys.machine_book)
    life.clock.time += 1000
    trouble = why(life, record)
    assert trouble.kind == "monitor not running"
    assert "2 machines run" in trouble.cause
    assert "`python run.py monitor`" in trouble.fix
    life.finish(record, held)


def test_nothing_is_said_of_a_run_that_goes_on(life: Life) -> None:
    record = life.buy()
    life.take(record, life.instances()[0])
    assert status(life.aws, record, now=life.clock.now).why == ()


def test_no_machines_were_asked_for(life: Life) -> None:
    assert why(life, life.record()).kind == "no machines"


def test_a_run_whose_fleets_have_ended(life: Life) -> None:
    record = life.buy()
    for fleet_id in record.fleet_ids:
        fleet.cancel_fleet(life.aws.ec2, fleet_id)
    trouble = why(life, record)
    assert trouble.kind == "fleets ended"
    assert "startCluster" in trouble.fix


def test_a_stopped_run_says_why(life: Life) -> None:
    record = life.buy()
    life.world.s3.put_object(
        Bucket=record.bucket, Key=record.keys.stopped, Body=b"12 jobs failed for good."
    )
    assert "12 jobs failed for good" in why(life, record).cause


def test_what_may_not_be_looked_at_is_said_and_the_rest_is_shown(life: Life) -> None:
    record = life.buy()
    life.take(record, life.instances()[0])
    with refusing(life.aws.ec2, "DescribeInstances"):
        seen = status(life.aws, record, now=life.clock.now)
    assert seen.jobs.running == 1
    assert seen.unseen == (
        "Could not see the machines: AWS answers AccessDenied to DescribeInstances.",
    )


def test_a_fleet_that_ec2_has_forgotten_hides_no_other(life: Life) -> None:
    simulated_ec2().refused_types.add("m5.xlarge")
    record = life.buy()
    gone = replace(record.fleets[0], fleet_id="sfr-00000000-0000-0000-0000-000000000000")
    both = replace(record, fleets=(gone, *record.fleets))
    seen = read_everything(life.aws, both, life.clock.now())
    assert (len(seen.fleet_states), seen.target, seen.unreadable) == (1, 2, [])
    assert seen.events
