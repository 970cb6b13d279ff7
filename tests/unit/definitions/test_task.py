"""What the workers' task definition and service are made with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from distributed_something.definitions.task import find_excess, service, task_definition
from distributed_something.inputs.settings import Settings
from distributed_something.protocol.environment import WorkerEnvironment
from tests.builders import settings

QUEUE = "https://sqs/1/CountingQueue"
REVISION = "arn:aws:ecs:us-east-1:123456789012:task-definition/CountingTask:1"
DEAD = "https://sqs/1/lab_DeadMessages"


def container(configured: Settings) -> dict[str, Any]:
    definition = task_definition(configured, QUEUE, DEAD)
    (only,) = definition["containerDefinitions"]
    assert isinstance(only, dict)
    return only


def environment(configured: Settings) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(configured)["environment"]}


def test_the_worker_reads_back_what_the_config_says() -> None:
    configured = settings(
        DOCKER_CORES=4, JOB_RETRIES=3, CHECK_IF_DONE_BOOL="True", DESTINATION_BUCKET="lab-results"
    )
    told = WorkerEnvironment.from_environment(environment(configured))
    assert told.sqs_queue_url == QUEUE
    assert told.sqs_dead_letter_queue_url == DEAD
    assert (told.docker_cores, told.job_retries, told.check_if_done_bool) == (4, 3, True)
    assert told.destination_bucket == "lab-results"


@pytest.mark.parametrize(("seconds", "text"), [(3 * 60, "180"), (0.5, "0.5"), ("180", "180")])
def test_whole_seconds_reach_containers_without_a_point(seconds: object, text: str) -> None:
    assert environment(settings(SECONDS_TO_START=seconds))["SECONDS_TO_START"] == text


def test_every_setting_that_the_worker_knows_is_the_configs() -> None:
    configured = settings()
    told = WorkerEnvironment.from_environment(environment(configured))
    shared = WorkerEnvironment.__dataclass_fields__.keys() & Settings.model_fields.keys()
    assert len(shared) > 15
    for name in shared:
        assert getattr(told, name) == getattr(configured, name), name


def test_extra_constants_reach_the_worker_but_never_replace_its_own() -> None:
    told = environment(settings(MY_NAME="Ada", SQS_QUEUE_URL="elsewhere"))
    assert told["MY_NAME"] == "Ada"
    assert told["SQS_QUEUE_URL"] == QUEUE


def test_no_key_of_the_account_is_in_the_definition() -> None:
    names = environment(settings()).keys()
    assert not [name for name in names if "KEY" in name or "SECRET" in name or "TOKEN" in name]


def test_a_secret_is_referred_to_and_its_name_told_to_the_worker_that_hides_it() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf:password::"
    configured = settings(OMERO_PASSWORD=arn)
    assert container(configured)["secrets"] == [{"name": "OMERO_PASSWORD", "valueFrom": arn}]
    assert environment(configured)["WORKER_SECRETS"] == "OMERO_PASSWORD"
    assert "OMERO_PASSWORD" not in environment(configured)
    definition = task_definition(configured, QUEUE, DEAD, "worker", "execution")
    assert (definition["taskRoleArn"], definition["executionRoleArn"]) == ("worker", "execution")


def test_without_a_secret_nothing_is_asked_for() -> None:
    definition = task_definition(settings(), QUEUE, DEAD, "worker")
    assert "executionRoleArn" not in definition and "secrets" not in container(settings())
    assert "WORKER_SECRETS" not in environment(settings())


def test_the_container_has_an_init_that_heeds_a_stop_before_the_worker_listens() -> None:
    assert container(settings())["linuxParameters"]["initProcessEnabled"] is True


def test_the_container_is_not_privileged_and_has_the_configs_size() -> None:
    only = container(settings(MEMORY=7000, CPU_SHARES=2048))
    assert only["privileged"] is False
    assert (only["memory"], only["cpu"]) == (7000, 2048)
    assert only["name"] == "Counting"
    assert only["image"] == "lab/counting:1.0"


def test_the_worker_can_hand_its_job_back_within_a_spot_notice() -> None:
    assert 30 < container(settings())["stopTimeout"] < 120


def test_containers_log_where_upstreams_did() -> None:
    options = container(settings(LOG_GROUP_NAME="lab"))["logConfiguration"]["options"]
    assert options["awslogs-group"] == "lab_perInstance"
    assert options["awslogs-stream-prefix"] == "Counting"


def test_building_a_definition_twice_gives_the_same() -> None:
    first = json.dumps(task_definition(settings(), QUEUE, DEAD))
    assert json.dumps(task_definition(settings(), QUEUE, DEAD)) == first


def test_a_task_role_is_named_only_where_the_config_does() -> None:
    arn = "arn:aws:iam::123456789012:role/lab"
    assert "taskRoleArn" not in task_definition(settings(), QUEUE, DEAD)
    assert task_definition(settings(TASK_ROLE_ARN=arn), QUEUE, DEAD)["taskRoleArn"] == arn


def test_our_containers_stay_on_our_machines_one_on_each() -> None:
    constraints = service(settings(TASKS_PER_MACHINE=1), REVISION)["placementConstraints"]
    assert {"type": "distinctInstance"} in constraints
    assert {
        "type": "memberOf",
        "expression": "attribute:distributed-something.app == Counting",
    } in constraints


def test_two_containers_may_share_a_machine_where_the_config_says_so() -> None:
    constraints = service(settings(TASKS_PER_MACHINE=2), REVISION)["placementConstraints"]
    assert [constraint["type"] for constraint in constraints] == ["memberOf"]


def test_the_service_may_stop_an_old_container_before_the_new_one_runs() -> None:
    assert service(settings(), REVISION)["deploymentConfiguration"] == {
        "minimumHealthyPercent": 0,
        "maximumPercent": 100,
    }


def test_a_container_may_mount_a_bucket_only_where_the_config_asks_for_it() -> None:
    plain = container(settings())
    assert plain["linuxParameters"] == {"initProcessEnabled": True}
    assert "user" not in plain
    assert container(settings(DOWNLOAD_FILES="False")) == plain | {
        "environment": container(settings(DOWNLOAD_FILES="False"))["environment"]
    }
    mounting = container(settings(DOWNLOAD_FILES="False", MOUNT_DRIVER="auto"))
    assert mounting["linuxParameters"] == {
        "initProcessEnabled": True,
        "devices": [{"hostPath": "/dev/fuse", "permissions": ["read", "write"]}],
        "capabilities": {"add": ["SYS_ADMIN"]},
    }
    assert mounting["user"] == "root"
    assert mounting["privileged"] is False


def test_shared_memory_and_limits_are_asked_for_only_where_the_config_does() -> None:
    plain = container(settings())
    assert "ulimits" not in plain
    given = container(settings(SHARED_MEMORY_MB=2048, ULIMITS={"nofile": 65536, "stack": [8, -1]}))
    assert given["linuxParameters"] == {"initProcessEnabled": True, "sharedMemorySize": 2048}
    assert given["ulimits"] == [
        {"name": "nofile", "softLimit": 65536, "hardLimit": 65536},
        {"name": "stack", "softLimit": 8, "hardLimit": -1},
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "False"),
        ({"REQUESTER_PAYS": "True"}, "True"),
        ({"UPLOAD_FLAGS": "--request-payer requester"}, "True"),
        ({"UPLOAD_FLAGS": "--storage-class STANDARD_IA"}, "False"),
    ],
)
def test_a_flag_that_pays_for_writing_pays_for_reading(changes: dict[str, str], told: str) -> None:
    assert environment(settings(**changes))["REQUESTER_PAYS"] == told


def test_a_container_with_an_install_script_is_roots_for_it() -> None:
    assert container(settings(INSTALL_SCRIPT="install.sh"))["user"] == "root"


@pytest.mark.parametrize(
    "changes", [{}, {"DOWNLOAD_FILES": "False", "MOUNT_DRIVER": "s3fs"}, {"INSTALL_SCRIPT": "a.sh"}]
)
def test_no_definition_of_ours_asks_for_more_than_ours_do(changes: dict[str, str]) -> None:
    assert find_excess(task_definition(settings(**changes), QUEUE, DEAD)) == []


@pytest.mark.parametrize(
    ("of_all", "of_container", "named"),
    [
        ({"volumes": [{"name": "root", "host": {"sourcePath": "/"}}]}, {}, "volumes"),
        ({"pidMode": "host"}, {}, "pidMode"),
        ({}, {"mountPoints": [{"sourceVolume": "root", "containerPath": "/h"}]}, "mountPoints"),
        ({}, {"user": "1000"}, "user 1000"),
        ({}, {"linuxParameters": {"devices": [{"hostPath": "/dev/sda"}]}}, "device /dev/sda"),
        ({}, {"linuxParameters": {"capabilities": {"add": ["ALL"]}}}, "capability ALL"),
    ],
)
def test_what_a_foreign_definition_asks_for_beyond_ours_is_named(
    of_all: dict[str, Any], of_container: dict[str, Any], named: str
) -> None:
    definition = task_definition(settings(), QUEUE, DEAD) | of_all
    definition["containerDefinitions"][0] |= of_container
    assert find_excess(definition) == [named]
