"""The agent keeps workers in step with fleets, services and tasks, through the API alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.setting_up.setup import setup
from distributed_something.errors import DistributedSomethingError
from distributed_something.inputs.settings import Settings
from distributed_something.local.account import prepare_account, write_fleet_file
from distributed_something.local.machines.agent import Agent
from distributed_something.local.machines.spot_machines import (
    Interruptions,
    Machine,
    read_ecs_config,
)
from distributed_something.protocol.ledger.record import RunRecord
from tests.builders import settings
from tests.clock import Clock
from worker.machine.instance import find_metadata, read_notices

from .fakes import FakeRuntime


class World:
    """An account in which a run was started, and the agent that plays its machines."""

    def __init__(
        self, aws: Aws, clock: Clock, folder: Path, config: Settings, **options: Any
    ) -> None:
        self.aws = aws
        self.config = config
        self.runtime = FakeRuntime()
        self.agent = Agent(
            aws, self.runtime, environment={"FROM": "agent"}, logs=folder / "logs", **options
        )
        prepare_account(aws, config)
        write_fleet_file(aws, folder / "fleet.json")
        setup(aws, config, now=clock.now)
        self.record = self._start(folder, clock)
        self.tick(2)

    def _start(self, folder: Path, clock: Clock) -> RunRecord:
        return start_cluster(
            self.aws,
            self.config,
            folder / "fleet.json",
            folder=None,
            now=clock.now,
            sleep=lambda _: self.tick(),
        )

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.agent.tick()

    def scale(self, desired: int) -> None:
        self.aws.ecs.update_service(
            cluster=self.record.cluster, service=self.record.service, desiredCount=desired
        )

    def machines(self) -> list[Machine]:
        return list(self.agent.machines.joined.values())

    def service(self) -> Any:
        found = self.aws.ecs.describe_services(
            cluster=self.record.cluster, services=[self.record.service]
        )
        return found["services"][0]


@pytest.fixture
def world(aws: Aws, clock: Clock, tmp_path: Path) -> World:
    """Two machines with one container each."""
    return World(aws, clock, tmp_path, settings(CLUSTER_MACHINES=2))


def test_every_machine_gets_one_worker_with_its_tasks_settings(world: World) -> None:
    assert len(world.runtime.running) == 2
    given = [worker.container for worker in world.runtime.running]
    assert {one.environment["INSTANCE_ID"] for one in given} == {
        machine.instance_id for machine in world.machines()
    }
    assert all(one.image == world.config.dockerhub_tag for one in given)
    assert all(one.memory == world.config.memory for one in given)
    assert all(one.environment["APP_NAME"] == "Counting" for one in given)
    assert all(one.environment["FROM"] == "agent" for one in given)
    assert world.service()["runningCount"] == 2


SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf"


def test_a_worker_gets_this_computers_value_for_a_secret_that_no_definition_holds(
    aws: Aws, clock: Clock, tmp_path: Path
) -> None:
    config = settings(OMERO_PASSWORD=SECRET)
    world = World(aws, clock, tmp_path, config, secrets={"OMERO_PASSWORD": "opensesame"})
    (given, *_) = [worker.container.environment for worker in world.runtime.running]
    assert given["OMERO_PASSWORD"] == "opensesame"
    assert given["WORKER_SECRETS"] == "OMERO_PASSWORD"
    definition = aws.ecs.describe_task_definition(taskDefinition="CountingTask")
    assert "opensesame" not in str(definition)


def test_a_secret_without_a_value_here_is_said(aws: Aws, clock: Clock, tmp_path: Path) -> None:
    with pytest.raises(DistributedSomethingError, match="for which this rehearsal has no value"):
        World(aws, clock, tmp_path, settings(OMERO_PASSWORD=SECRET))


def test_a_service_that_wants_less_has_workers_stopped(world: World) -> None:
    world.scale(1)
    world.tick(2)
    assert len(world.runtime.running) == 1
    assert world.service()["runningCount"] == 1


def test_a_worker_that_ends_is_replaced(world: World) -> None:
    world.runtime.workers[0].code = 1
    world.tick(2)
    world.agent._resume_at = 0.0  # not to wait the second for which a failure is not repeated
    world.tick(2)
    assert len(world.runtime.running) == 2
    assert len(world.runtime.workers) == 3


@pytest.mark.slow
def test_a_stopping_task_holds_its_machine_until_its_worker_has_ended(world: World) -> None:
    stubborn = world.runtime.workers[0]
    stubborn.is_stubborn = True
    for other in world.runtime.workers:
        other.is_stubborn = True
    world.scale(0)
    world.tick(3)
    assert stubborn.was_stopped
    assert world.service()["runningCount"] == 2
    for other in world.runtime.workers:
        other.code = 0
    world.tick()
    assert world.service()["runningCount"] == 0


@pytest.mark.slow
def test_the_workers_of_a_terminated_machine_are_ended(world: World) -> None:
    gone = world.machines()[0].instance_id
    world.aws.ec2.terminate_instances(InstanceIds=[gone])
    world.tick(3)
    for worker in world.runtime.workers:
        assert worker.was_stopped == (worker.container.environment["INSTANCE_ID"] == gone)
    assert len(world.runtime.running) == 2  # the fleet bought another machine
    assert gone not in {machine.instance_id for machine in world.machines()}


def test_a_drained_machine_gives_its_task_away_and_takes_none(world: World) -> None:
    drained = world.machines()[0]
    world.scale(1)
    world.aws.ecs.update_container_instances_state(
        cluster=drained.cluster,
        containerInstances=[drained.container_instance],
        status="DRAINING",
    )
    world.tick(3)
    (worker,) = world.runtime.running
    assert worker.container.environment["INSTANCE_ID"] != drained.instance_id


def test_only_as_many_containers_as_fit_are_put_on_a_machine(
    aws: Aws, clock: Clock, tmp_path: Path
) -> None:
    # 7,000 MB each: two fit in the 15,728 that an m5.xlarge gives, a third does not.
    config = settings(CLUSTER_MACHINES=1, TASKS_PER_MACHINE=2, MEMORY=7000, CPU_SHARES=1024)
    world = World(aws, clock, tmp_path, config)
    world.scale(3)
    world.tick(2)
    assert len(world.runtime.running) == 2
    assert world.service()["pendingCount"] == 1


def test_no_more_tasks_are_started_than_this_computer_can_play(
    aws: Aws, clock: Clock, tmp_path: Path
) -> None:
    world = World(aws, clock, tmp_path, settings(CLUSTER_MACHINES=4), most_tasks=3)
    world.tick(2)
    assert len(world.machines()) == 4
    assert len(world.runtime.running) == 3


def test_another_apps_machines_are_left_alone(world: World) -> None:
    for machine in world.machines():
        world.aws.ecs.put_attributes(
            cluster=machine.cluster,
            attributes=[
                {
                    "name": "distributed-something.app",
                    "value": "Another",
                    "targetId": machine.container_instance,
                }
            ],
        )
    world.scale(0)
    world.tick(2)
    world.scale(2)
    world.tick(2)
    assert world.runtime.running == []


def test_an_interrupted_machine_drains_then_goes_and_is_replaced(
    aws: Aws, clock: Clock, tmp_path: Path
) -> None:
    chances = Interruptions(
        1.0, limit=2, earliest=0.0, latest=0.0, drain_seconds=0.0, chance=random.Random(1)
    )
    world = World(aws, clock, tmp_path, settings(CLUSTER_MACHINES=2), interruptions=chances)
    world.tick(8)
    assert world.agent.machines.interrupted == 2
    assert len(world.agent.machines.seen) == 4
    assert len(world.runtime.running) == 2
    ended = [worker for worker in world.runtime.workers if worker.code is not None]
    assert all(worker.was_stopped and not worker.was_killed for worker in ended)


@pytest.mark.parametrize("drained_first", [False, True])
def test_a_notice_is_in_the_machines_own_metadata_unless_ecs_is_first_to_know(
    aws: Aws, clock: Clock, tmp_path: Path, drained_first: bool
) -> None:
    world = World(aws, clock, tmp_path, settings(CLUSTER_MACHINES=1))
    (machine,) = world.machines()
    (worker,) = world.runtime.workers
    service = find_metadata(worker.container.environment)
    assert service is not None and service.get("meta-data/instance-id") == machine.instance_id
    assert not read_notices(service).stop
    machine.notice_at, machine.drained_first = 0.0, drained_first
    world.tick(2)
    assert bool(read_notices(service).stop) is not drained_first
    assert worker.was_stopped is drained_first
    world.agent.machines.close()


def test_workers_that_fail_at_once_again_and_again_are_given_up_with_their_last_words(
    world: World,
) -> None:
    world.agent._resume_at = 0.0
    for _ in range(10):
        for worker in world.runtime.running:
            worker.container.log.write_text("No module named boto3\n")
            worker.code = 1
        world.tick(2)
        world.agent._resume_at = 0.0
    assert "No module named boto3" in world.agent.failure


def test_leaving_the_agent_ends_every_worker(aws: Aws, clock: Clock, tmp_path: Path) -> None:
    world = World(aws, clock, tmp_path, settings(CLUSTER_MACHINES=2))
    with world.agent:
        assert len(world.runtime.running) == 2
    assert world.runtime.running == []


def test_a_machine_is_drawn_for_with_the_given_probability() -> None:
    chances = Interruptions(0.25, limit=10_000, chance=random.Random(7))
    drawn = [chances.draw(100.0) for _ in range(4000)]
    taken = [moment for moment in drawn if moment is not None]
    assert 900 < len(taken) < 1100
    assert all(101.0 <= moment <= 108.0 for moment in taken)


def test_interruptions_end_at_their_limit_so_that_a_run_can() -> None:
    chances = Interruptions(1.0, limit=3)
    assert sum(chances.draw(0.0) is not None for _ in range(50)) == 3


def test_the_settings_in_user_data_are_read_as_the_agent_reads_them() -> None:
    script = "#!/bin/bash\ncat >> /etc/ecs/ecs.config <<'EOF'\nECS_CLUSTER=mine\nECS_A=\"b\"\nEOF\n"
    assert read_ecs_config(script) == {"ECS_CLUSTER": "mine", "ECS_A": "b"}


def test_no_worker_is_started_with_more_of_the_computer_than_the_toolkit_asks_for(
    world: World,
) -> None:
    family = f"{world.config.app_name}Task"
    found = world.aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    container: Any = {**found["containerDefinitions"][0], "user": "1000"}
    container["linuxParameters"] = {"devices": [{"hostPath": "/dev/sda"}]}
    changed = world.aws.ecs.register_task_definition(
        family=family, containerDefinitions=[container], requiresCompatibilities=["EC2"]
    )
    before = len(world.runtime.workers)
    world.aws.ecs.update_service(
        cluster=world.record.cluster,
        service=world.record.service,
        taskDefinition=changed["taskDefinition"]["taskDefinitionArn"],
    )
    world.runtime.workers[0].code = 1
    with pytest.raises(DistributedSomethingError, match="asks for device /dev/sda, user 1000"):
        for _ in range(4):
            world.agent._resume_at = 0.0
            world.tick()
    assert len(world.runtime.workers) == before
