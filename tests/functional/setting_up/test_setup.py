"""`setup` makes what a run needs, can be repeated, and waits no longer than AWS makes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.compute import cluster
from distributed_something.aws.messaging import queues
from distributed_something.aws.session import Aws
from distributed_something.commands.runs.runs import ensure_run
from distributed_something.commands.setting_up.setup import setup
from distributed_something.definitions.tags import app_tags
from distributed_something.errors import NotFound
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.record import save_record
from tests.account import new_account
from tests.builders import settings
from tests.clock import Clock


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as opened:
        yield opened


@pytest.fixture
def aws(simulator: Simulator) -> Aws:
    return new_account(simulator)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def queue_attributes(aws: Aws, name: str) -> dict[str, Any]:
    url = queues.find_queue(aws.sqs, name)
    answer = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return {str(name): value for name, value in answer["Attributes"].items()}


def only_service(aws: Aws) -> Any:
    (found,) = aws.ecs.describe_services(cluster="counting", services=["CountingService"])[
        "services"
    ]
    return found


def revisions(aws: Aws) -> list[str]:
    return aws.ecs.list_task_definitions(familyPrefix="CountingTask", status="ACTIVE")[
        "taskDefinitionArns"
    ]


def test_setup_makes_everything_under_upstreams_names(aws: Aws, clock: Clock) -> None:
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    queue = queue_attributes(aws, "CountingQueue")
    dead = queue_attributes(aws, "lab_DeadMessages")
    assert json.loads(queue["RedrivePolicy"])["deadLetterTargetArn"] == dead["QueueArn"]
    assert only_service(aws)["desiredCount"] == 0
    assert len(revisions(aws)) == 1
    groups = aws.logs.describe_log_groups()["logGroups"]
    assert {(one["logGroupName"], one["retentionInDays"]) for one in groups} == {
        ("Counting", 60),
        ("Counting_perInstance", 60),
    }


def test_setup_waits_only_until_aws_knows_what_it_made(aws: Aws, clock: Clock) -> None:
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    made = ["the dead-letter queue", "it as a target", "the queue", "the service"]
    assert len(clock.slept) == len(made) and max(clock.slept) < 1
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    assert len(clock.slept) == len(made)


def test_setup_waits_as_long_as_aws_takes_to_know_its_queues(
    simulator: Simulator, clock: Clock
) -> None:
    aws = new_account(simulator, Rules(clock=clock.now, unseen_seconds=9.0))
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    assert queue_attributes(aws, "CountingQueue")["RedrivePolicy"]
    assert 27 < sum(clock.slept) < 60
    never = new_account(simulator, Rules(clock=clock.now, unseen_seconds=99.0))
    with pytest.raises(ClientError, match="NonExistentQueue"):
        setup(never, settings(), sleep=clock.sleep, now=clock.now)


def test_what_setup_makes_is_tagged_as_the_apps(aws: Aws) -> None:
    setup(aws, settings())
    tags = app_tags("Counting")
    url = queues.find_queue(aws.sqs, "CountingQueue")
    assert aws.sqs.list_queue_tags(QueueUrl=url)["Tags"] == tags
    described = aws.ecs.describe_clusters(clusters=["counting"], include=["TAGS"])["clusters"]
    assert [(tag["key"], tag["value"]) for tag in described[0]["tags"]] == list(tags.items())
    assert aws.logs.list_tags_log_group(logGroupName="Counting")["tags"] == tags


def test_a_second_setup_changes_what_is_there_in_place(aws: Aws) -> None:
    setup(aws, settings())
    cluster.scale_service(aws.ecs, "counting", "CountingService", 4)
    setup(aws, settings(SQS_MESSAGE_VISIBILITY=7200, TASKS_PER_MACHINE=2, MEMORY=3000))
    assert queue_attributes(aws, "CountingQueue")["VisibilityTimeout"] == "7200"
    second = only_service(aws)
    assert second["desiredCount"] == 4  # made again it would be 0
    assert second["taskDefinition"].endswith("CountingTask:2")
    assert [one["type"] for one in second["placementConstraints"]] == ["memberOf"]


def test_a_dead_letter_queue_that_is_there_is_left_as_it_is(aws: Aws) -> None:
    setup(aws, settings())
    aws.sqs.set_queue_attributes(
        QueueUrl=queues.find_queue(aws.sqs, "lab_DeadMessages"),
        Attributes={"MessageRetentionPeriod": "345600", "VisibilityTimeout": "45"},
    )
    before = queue_attributes(aws, "lab_DeadMessages")
    setup(aws, settings())
    assert queue_attributes(aws, "lab_DeadMessages") == before


@pytest.mark.parametrize("task_role", ["", "arn:aws:iam::123456789012:role/own"])
def test_the_role_of_a_profile_is_named_as_the_one_that_workers_had(
    aws: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    task_role: str,
) -> None:
    role = "arn:aws:iam::210987654321:role/gallery"
    (tmp_path / "config").write_text(f"[profile gallery]\nrole_arn = {role}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    setup(aws, settings(AWS_PROFILE="gallery", TASK_ROLE_ARN=task_role or None))
    assert (f"put TASK_ROLE_ARN = '{role}' into the config file" in caplog.text) is (not task_role)


def test_flags_that_mean_nothing_for_an_upload_are_named(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    setup(aws, settings(UPLOAD_FLAGS="--metadata-directive REPLACE --quiet"))
    assert "UPLOAD_FLAGS: --metadata-directive has no meaning for an upload" in caplog.text


def test_jobs_in_the_queue_survive_a_second_setup(aws: Aws) -> None:
    setup(aws, settings())
    url = queues.find_queue(aws.sqs, "CountingQueue")
    aws.sqs.send_message(QueueUrl=url, MessageBody="{}")
    setup(aws, settings())
    assert queues.count_jobs(aws.sqs, url).waiting == 1


def test_a_queue_whose_name_begins_with_ours_is_left_alone(aws: Aws) -> None:
    queues.ensure_queue(aws.sqs, "CountingQueue1", {"VisibilityTimeout": "11"}, {})
    setup(aws, settings())
    assert queue_attributes(aws, "CountingQueue1")["VisibilityTimeout"] == "11"
    assert queues.delete_queue(aws.sqs, "CountingQueue")
    assert queues.find_queue(aws.sqs, "CountingQueue1")


def test_a_cluster_that_only_ends_like_ours_is_not_ours(aws: Aws) -> None:
    aws.ecs.create_cluster(clusterName="mycounting")
    setup(aws, settings())
    assert only_service(aws)["clusterArn"].endswith("cluster/counting")


def test_somebody_elses_cluster_is_used_and_not_made_ours(aws: Aws) -> None:
    aws.ecs.create_cluster(clusterName="counting")
    setup(aws, settings())
    cluster.delete_service(aws.ecs, "counting", "CountingService")
    assert not cluster.delete_cluster(aws.ecs, "counting", app_tags("Counting"))


def test_a_retention_that_somebody_chose_is_kept(aws: Aws) -> None:
    aws.logs.create_log_group(logGroupName="Counting")
    aws.logs.put_retention_policy(logGroupName="Counting", retentionInDays=365)
    setup(aws, settings())
    groups = aws.logs.describe_log_groups(logGroupNamePrefix="Counting")["logGroups"]
    assert {one["logGroupName"]: one["retentionInDays"] for one in groups} == {
        "Counting": 365,
        "Counting_perInstance": 60,
    }


def test_setup_without_the_bucket_names_the_constant_and_makes_nothing(aws: Aws) -> None:
    with pytest.raises(NotFound, match=r"No bucket named lab-other: .*AWS_BUCKET"):
        setup(aws, settings(AWS_BUCKET="lab-other"))
    assert "QueueUrls" not in aws.sqs.list_queues()
    assert aws.ecs.list_clusters()["clusterArns"] == []


def test_setup_waits_for_just_what_is_left_of_a_deleted_queues_minute(
    simulator: Simulator, clock: Clock
) -> None:
    aws = new_account(simulator, Rules(clock=clock.now))
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    record = ensure_run(aws, settings(), folder=None, now=clock.now)
    queues.delete_queue(aws.sqs, "CountingQueue")
    ended = replace(record, ended=clock.now(), queue_deleted=clock.now())
    save_record(aws.s3, ended, None)
    clock.time += 18
    clock.slept.clear()
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    assert [seconds for seconds in clock.slept if seconds > 1] == [42.0]
    assert queues.find_queue(aws.sqs, "CountingQueue")


def test_setup_tries_a_name_again_that_sqs_still_holds(simulator: Simulator, clock: Clock) -> None:
    aws = new_account(simulator, Rules(clock=clock.now))
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    queues.delete_queue(aws.sqs, "CountingQueue")  # by hand: no record tells of it
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    assert 60 <= sum(clock.slept) <= 65
    assert queues.find_queue(aws.sqs, "CountingQueue")


def test_setup_waits_while_the_deleted_service_drains(simulator: Simulator, clock: Clock) -> None:
    aws = new_account(simulator, Rules(clock=clock.now, draining_seconds=33))
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    cluster.scale_service(aws.ecs, "counting", "CountingService", 1)
    cluster.delete_service(aws.ecs, "counting", "CountingService")
    setup(aws, settings(), sleep=clock.sleep, now=clock.now)
    assert 33 <= sum(clock.slept) <= 40
    assert only_service(aws)["status"] == "ACTIVE"


def test_deleting_what_is_not_there_is_fine(aws: Aws) -> None:
    assert not queues.delete_queue(aws.sqs, "CountingQueue")
    assert not cluster.delete_service(aws.ecs, "counting", "CountingService")
    assert cluster.delete_cluster(aws.ecs, "counting", app_tags("Counting"))
    assert cluster.delete_task_definitions(aws.ecs, "CountingTask") == 0
    assert cluster.container_instances(aws.ecs, "counting") == []


def test_only_the_exact_familys_task_definitions_are_deregistered(aws: Aws) -> None:
    setup(aws, settings())
    setup(aws, settings())
    setup(aws, settings(APP_NAME="CountingTask"))  # its family begins with ours
    assert cluster.delete_task_definitions(aws.ecs, "CountingTask") == 2
    assert revisions(aws) == []
    left = aws.ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    assert [arn.rsplit("/")[-1] for arn in left] == ["CountingTaskTask:1"]


def test_a_missing_queue_or_service_says_which_verb_makes_it(aws: Aws) -> None:
    with pytest.raises(NotFound, match=r"No queue named CountingQueue: run `python run.py setup`"):
        queues.find_queue(aws.sqs, "CountingQueue")
    with pytest.raises(NotFound, match=r"`python run.py setup` first"):
        cluster.scale_service(aws.ecs, "counting", "CountingService", 1)
