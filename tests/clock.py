"""The tests' clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Time in seconds since 1970, which passes only while somebody sleeps or a test sets it.

    It begins now, as the simulator has some times of its own. `during` happens at the end of each
    sleep.
    """

    time: float = field(default_factory=time.time)
    during: Callable[[], None] = lambda: None
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        self.during()
