"""A simulated account for the tests of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
