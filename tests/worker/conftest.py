"""The simulated account, one for all tests of a process, and a run of its own for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors
import pytest

from distributed_something.local.simulator import Simulator

from .containers import Containers
from .world import REPOSITORY, World


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path) -> Iterator[World]:
    world = World(simulator, tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Docker engine; these tests are left out without one, unless REQUIRE_DOCKER is set."""
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except docker.errors.DockerException as error:
        if os.environ.get("REQUIRE_DOCKER"):
            raise
        pytest.skip(f"No Docker engine answers: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def worker_image(engine: docker.DockerClient) -> str:
    """The worker's image, built from this repository on TEST_BASE_IMAGE."""
    base = os.environ.get("TEST_BASE_IMAGE", "debian-python:bookworm")
    tag = "distributed-something-test:worker"
    engine.images.build(
        path=str(REPOSITORY),
        dockerfile="worker/Dockerfile",
        tag=tag,
        buildargs={"BASE_IMAGE": base},
        rm=True,
    )
    return tag


@pytest.fixture
def containers(
    engine: docker.DockerClient, worker_image: str, world: World
) -> Iterator[Containers]:
    containers = Containers(engine, worker_image, world)
    yield containers
    containers.close()
