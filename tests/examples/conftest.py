"""The container engine that the examples' images are built and run with."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
from docker.errors import DockerException


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    """The Docker engine; left out on a computer without one, never where CI has promised one."""
    try:
        client = docker.from_env(timeout=300)
        client.ping()
    except DockerException as error:
        if os.environ.get("TEST_BASE_IMAGE") or os.environ.get("CI"):
            raise
        pytest.skip(f"No Docker engine answers: {error}")
    yield client
    client.close()
