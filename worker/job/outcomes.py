"""The ways in which an attempt at a job can end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from distributed_something.protocol.ledger.attempts import Attempt, AttemptState


class Ending(Enum):
    """What the loop does with the message afterwards depends on this alone."""

    DONE = "done"
    FAILED = "failed"  # may succeed on a retry
    HOPELESS = "hopeless"  # cannot succeed on a retry
    SUSPECT = "not started"  # this machine cannot start the command; another one may
    INTERRUPTED = "interrupted"  # the worker was asked to stop
    LOST = "lost"  # the lease was lost: the message is somebody else's
    BROKEN = "broken"  # this machine cannot work; the job is not to blame
    ELSEWHERE = "elsewhere"  # another attempt has finished the job


# What the ledger says of an attempt that ended so.
STATES = {
    Ending.DONE: AttemptState.DONE,
    Ending.FAILED: AttemptState.FAILED,
    Ending.HOPELESS: AttemptState.FAILED,
    Ending.INTERRUPTED: AttemptState.INTERRUPTED,
    Ending.SUSPECT: AttemptState.INTERRUPTED,
    Ending.BROKEN: AttemptState.INTERRUPTED,
    Ending.LOST: AttemptState.INTERRUPTED,
    Ending.ELSEWHERE: AttemptState.INTERRUPTED,
}


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, with why if it is not done."""

    ending: Ending
    attempt: Attempt
    reason: str = ""


class Ended(Exception):
    """Raised to end an attempt at any point."""

    ending = Ending.FAILED


class Failure(Ended):
    """The attempt failed; another one may succeed."""


class Trouble(Ended):
    """AWS, the network or this machine was unwell; how that ends depends on whether it goes on."""


class Hopeless(Ended):
    """No attempt at this job can succeed."""

    ending = Ending.HOPELESS


class Suspicion(Ended):
    """This machine cannot start the command, and is not known to be able to start others."""

    ending = Ending.SUSPECT


class Interruption(Ended):
    """The worker was asked to stop."""

    ending = Ending.INTERRUPTED


class MachineFault(Ended):
    """This machine cannot work, whatever the job."""

    ending = Ending.BROKEN


class NoRoom(MachineFault):
    """The disk is too full for a job; one that is under way may be why."""


class LostLease(Ended):
    """The message is no longer this worker's."""

    ending = Ending.LOST


class DoneElsewhere(Ended):
    """Another attempt has finished the job."""

    ending = Ending.ELSEWHERE
