"""A simulated account for the tests of it, and a worker image where an engine is here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import Rules, Simulator


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aws(clock: Clock) -> Iterator[Aws]:
    """An empty simulated account by a clock that stands still until the test sets it."""
    with Simulator(rules=Rules(clock=clock, draining_seconds=10.0)) as simulator:
        yield simulator.aws()


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """A client of this computer's engine."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException:
        pytest.skip("no Docker engine answers")
    yield client
    client.close()


@pytest.fixture
def image(engine: docker.DockerClient) -> str:
    """A worker image, built on a base that is on this computer."""
    name = "distributed-something-test:rehearsal"
    try:
        engine.images.get("debian-python:bookworm")
    except ImageNotFound:
        pytest.skip("the base image debian-python:bookworm is not here")
    engine.images.build(
        path=str(Path(__file__).parents[2]),
        dockerfile="worker/Dockerfile",
        tag=name,
        buildargs={"BASE_IMAGE": "debian-python:bookworm"},
    )
    return name
