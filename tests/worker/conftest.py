"""The simulated account, one for all tests of a process, and a run of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.local.simulator import Simulator

from .world import World


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path) -> Iterator[World]:
    world = World(simulator, tmp_path)
    yield world
    world.close()
