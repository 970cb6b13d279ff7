"""The simulated account, one for all tests of a process, and a run of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from distributed_something.local.simulator import Rules, Simulator
from tests.images import find_engine, worker_on

from .containers import Containers
from .world import World


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        yield simulator


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path) -> Iterator[World]:
    world = World(simulator, tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = find_engine()
    yield client
    client.close()


@pytest.fixture(scope="session")
def worker_image(engine: docker.DockerClient) -> str:
    return worker_on(engine, "worker")


@pytest.fixture
def containers(
    engine: docker.DockerClient, worker_image: str, world: World
) -> Iterator[Containers]:
    containers = Containers(engine, worker_image, world)
    yield containers
    containers.close()
