"""The waiting times of the simulated AWS, and its clock: a test shrinks them, nothing else may."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """How long the simulated AWS takes over what AWS takes time for; all times in seconds."""

    deleted_queue_seconds: float = 60.0  # a deleted queue's name cannot be used again so soon
    draining_seconds: float = 0.0  # a deleted service drains this long after its last task stopped
    refill_seconds: float = 0.0  # from a machine's end until its fleet has bought another
    clock: Callable[[], float] = time.time


_current = Rules()


def current() -> Rules:
    """The rules of the simulator that runs in this process."""
    return _current


def use(rules: Rules) -> None:
    """Set the rules; the simulator does so when it starts."""
    global _current
    _current = rules
