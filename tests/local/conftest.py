"""A simulated account for the tests of it, and a worker image where an engine is here."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import Rules, Simulator
from tests.clock import Clock
from tests.images import find_engine, worker_on


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000.0)


@pytest.fixture
def aws(clock: Clock) -> Iterator[Aws]:
    """An empty simulated account by a clock that stands still until the test sets it."""
    with Simulator(rules=Rules(clock=clock.now, draining_seconds=10.0, unseen_uses=0)) as simulator:
        yield simulator.aws()


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """A client of this computer's engine."""
    client = find_engine()
    yield client
    client.close()


@pytest.fixture
def image(engine: docker.DockerClient) -> str:
    """A worker image, built on a base that is on this computer."""
    return worker_on(engine, "rehearsal")
