"""A run whose workers are stopped, killed and given notices ends as an undisturbed one.

With few jobs here; `python -m tests.benchmarks.chaos` does it with many.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import docker.errors
import pytest
from docker.models.containers import Container

from tests.benchmarks.chaos import VISIBILITY, Fleet, disturb_processes, judge, send_jobs

from ..containers import Containers
from ..world import World, until


@pytest.mark.slow
def test_disturbed_processes_do_every_job_once(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    record_property("tried", disturb_processes(world, 40, seed=1, workers=3))


@pytest.mark.slow
@pytest.mark.docker
def test_disturbed_containers_do_every_job_once(
    world: World, containers: Containers, record_property: Callable[[str, object], None]
) -> None:
    jobs = send_jobs(world, 20)

    def is_alive(container: Container) -> bool:
        container.reload()
        return bool(container.status == "running")

    def stop(container: Container) -> None:
        with contextlib.suppress(docker.errors.APIError):
            container.kill(signal="SIGTERM")

    def kill(container: Container) -> None:
        with contextlib.suppress(docker.errors.APIError):
            container.kill()

    fleet = Fleet(
        start=lambda variables: containers.start(
            variables, settings={"sqs_message_visibility": VISIBILITY, "job_retries": 50}
        ),
        is_alive=is_alive,  # type: ignore[arg-type]
        disturbances=[stop, kill],  # type: ignore[list-item]
        random=random.Random(4),
        workers=3,
    )
    fleet.work_off(world)
    for container, _ in fleet.running:
        stop(container)  # type: ignore[arg-type]
    until(lambda: not any(is_alive(c) for c, _ in fleet.running), "all containers have ended")  # type: ignore[arg-type]
    record_property("tried", f"{fleet.disturbed} disturbances, {judge(world, jobs)}")
