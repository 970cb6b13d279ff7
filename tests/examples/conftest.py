"""What the examples are run with: a container engine, or a worker in the simulated account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from distributed_something.local.simulator import Simulator
from distributed_something.local.simulator.rules import Rules
from tests.images import find_engine
from tests.worker.world import World


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = find_engine()
    yield client
    client.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        world = World(simulator, tmp_path)
        yield world
        world.close()
