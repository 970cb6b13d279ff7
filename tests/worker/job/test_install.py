"""The install script runs once before the first job; its failure is the machine's, not a job's."""

from __future__ import annotations

import json

from ..world import World, until
from .test_failures import machine, machine_state

COUNTING = """
echo "for $APP_NAME"
printf x >> "$COUNTER"
sleep 0.2
"""


def start(world: World, script: str, **variables: str) -> str:
    """A worker of two loops on a machine of EC2's, and that machine's id."""
    world.put("setup/install.sh", script)
    instance_id = machine(world)
    world.write_record()
    settings = {
        "INSTALL_SCRIPT": "setup/install.sh",
        "DOCKER_CORES": "2",
        "INSTANCE_ID": instance_id,
    }
    world.start_worker({**settings, **variables})
    return instance_id


def test_it_runs_once_before_the_first_job_and_its_lines_are_in_the_log(world: World) -> None:
    counter = world.folder / "counter"
    for plate in ("P1", "P2"):
        world.send({"command": ["cat", str(counter)], "group": {"plate": plate}})
    start(world, COUNTING, COUNTER=str(counter))
    world.until_empty()
    assert world.stop() == [0]
    assert [world.log(plate)[1] for plate in ("P1", "P2")] == ["x", "x"]
    assert f"install: for {world.name}" in world.worker_log()


def test_one_that_fails_ends_its_machine_and_no_job_is_blamed(world: World) -> None:
    job = world.send({"command": "true", "group": {"plate": "P1"}})
    instance_id = start(world, "echo 'no such package'; exit 3")
    until(lambda: machine_state(world, instance_id) == "terminated", "the machine is ended")
    world.stop()
    assert world.attempts(job) == []
    assert world.counts() == (1, 0)
    (broken,) = world.object_keys(world.keys.broken_machines)
    reason = json.loads(world.read(broken))["reason"]
    assert "install.sh failed" in reason
    assert "exit code 3" in reason
    assert "no such package" in reason


def test_one_that_is_not_there_is_named(world: World) -> None:
    instance_id = start(world, "true", INSTALL_SCRIPT="setup/instal.sh")
    until(lambda: machine_state(world, instance_id) == "terminated", "the machine is ended")
    world.stop()
    (broken,) = world.object_keys(world.keys.broken_machines)
    assert (
        "setup/instal.sh (INSTALL_SCRIPT) cannot be downloaded"
        in json.loads(world.read(broken))["reason"]
    )


def test_a_worker_told_to_stop_does_not_wait_for_it(world: World) -> None:
    start(world, "echo begun; sleep 600")
    until(lambda: "install: begun" in world.worker_log(), "the script runs")
    assert world.stop() == [0]
