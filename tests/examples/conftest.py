"""The container engine that the examples' images are built and run with."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.images import find_engine


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = find_engine()
    yield client
    client.close()
