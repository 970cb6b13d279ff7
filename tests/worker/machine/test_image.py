"""The worker's real image in a real Docker engine."""

from __future__ import annotations

import json

import docker
import pytest

from distributed_something.protocol import IMAGE_LABEL, PROTOCOL_VERSION

from ..containers import Containers
from ..world import REPOSITORY, World, until

pytestmark = pytest.mark.docker


def test_the_image_carries_the_protocols_label(
    engine: docker.DockerClient, worker_image: str
) -> None:
    image = engine.images.get(worker_image)
    assert image.labels[IMAGE_LABEL] == PROTOCOL_VERSION


def test_the_image_holds_the_very_packages_that_are_listed(
    engine: docker.DockerClient, worker_image: str
) -> None:
    script = (
        "from importlib.metadata import distributions\n"
        "for one in distributions(): print(f'{one.name}=={one.version}')"
    )
    printed = engine.containers.run(
        worker_image,
        ["-I", "-c", script],
        entrypoint="/opt/distributed-something/python/bin/python3",
        remove=True,
    )
    lines = (REPOSITORY / "worker/image/packages.txt").read_text().splitlines()
    listed = {line for line in lines if not line.startswith(("#", "patchelf"))}
    assert set(printed.decode().split()) == listed


def test_a_container_runs_a_job_and_ends_well_when_stopped(
    world: World, containers: Containers
) -> None:
    world.put("in.txt", "wells\n")
    job = world.send(
        {
            "command": ["cp", "{input_dir}/in.txt", "{output_dir}/out.txt"],
            "inputs": ["in.txt"],
            "group": {"plate": "P1"},
        }
    )
    container = containers.start()
    world.until_empty()
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0
    assert world.done() == [job]
    assert world.results() == {"P1/out.txt": b"wells\n"}


def test_a_tool_gets_the_images_own_python_path_and_no_worker(
    world: World, containers: Containers
) -> None:
    script = (
        "import json, os, sys, importlib.util as u; "
        "print(json.dumps([sys.prefix, u.find_spec('boto3') is None, os.environ.get('PYTHONPATH'), "
        "os.environ['MY_NAME']]))"
    )
    world.send({"command": ["python3", "-c", script], "group": {"plate": "P1"}})
    container = containers.start({"MY_NAME": "Ada"})
    world.until_empty()
    container.stop(timeout=30)
    assert json.loads(world.log("P1")[1]) == ["/usr", True, None, "Ada"]


@pytest.mark.slow
def test_a_killed_container_leaves_its_job_to_another(world: World, containers: Containers) -> None:
    job = world.send({"command": "sleep 5", "group": {"plate": "P1"}})
    first = containers.start()
    until(lambda: world.attempts(job), "the job is started")
    first.kill()
    second = containers.start()
    world.until_empty()
    second.stop(timeout=30)
    assert world.done() == [job]
    assert [state for state, _ in world.attempts(job)] == ["started", "done", "started"]


def test_a_stopped_container_gives_its_job_back_at_once(
    world: World, containers: Containers
) -> None:
    job = world.send({"command": "sleep 600", "group": {"plate": "P1"}})
    container = containers.start(settings={"sqs_message_visibility": 3600})
    until(lambda: world.attempts(job), "the job is started")
    container.stop(timeout=30)
    assert world.counts() == (1, 0)
    assert world.ended(job)[0].state == "interrupted"


def test_a_job_out_of_memory_says_so_and_the_next_one_runs(
    world: World, containers: Containers
) -> None:
    greedy = world.send(
        {"command": ["python3", "-c", "x = b'x' * (1 << 30)"], "group": {"plate": "greedy"}}
    )
    modest = world.send({"command": "true", "group": {"plate": "modest"}})
    container = containers.start(
        settings={"job_retries": 1}, mem_limit="256m", memswap_limit="256m"
    )
    world.until_empty()
    container.stop(timeout=30)
    assert world.done() == [modest]
    ((_, reason),) = world.dead_letters()
    assert "memory" in reason and "MEMORY" in reason
    assert world.ended(greedy)[0].exit_code == -9


def test_a_container_that_is_stopped_as_it_starts_ends(
    world: World, containers: Containers
) -> None:
    container = containers.start()
    container.kill(signal="SIGTERM")  # before its Python can have begun to listen

    def state() -> str:
        container.reload()
        return str(container.status)

    until(lambda: state() == "exited", "the container has ended")


@pytest.mark.slow
def test_a_job_that_kills_its_container_every_time_is_a_dead_letter_after_job_retries(
    world: World, containers: Containers
) -> None:
    script = (
        "import os, signal, time\n"
        "stat = open(f'/proc/{os.getppid()}/stat').read()\n"
        "supervisor = int(stat.rpartition(')')[2].split()[1])\n"
        "os.kill(supervisor, signal.SIGKILL)\n"
        "time.sleep(60)\n"
    )
    command = ["python3", "-c", script.replace("{", "{{").replace("}", "}}")]
    job = world.send({"command": command, "group": {"plate": "deadly"}})
    container = containers.start(
        settings={"job_retries": 3, "sqs_message_visibility": 2, "docker_cores": 1},
        restart_policy={"Name": "always"},  # as ECS does
    )
    world.until_empty()
    plain = world.send({"command": "true", "group": {"plate": "the next one"}})
    world.until_empty()
    container.reload()
    assert container.attrs["RestartCount"] == 3
    # A loop that outlives its supervisor for a moment may come to tell of it, and may not.
    assert len({one.attempt_id for _, one in world.attempts(job)}) == 3
    assert not world.ended(job, "interrupted")
    ((_, reason),) = world.dead_letters()
    assert reason.startswith("3 attempts failed")
    assert world.done() == [plain]
