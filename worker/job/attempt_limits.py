"""Whether an attempt may go on, and how much time is left to it when it may not."""

from __future__ import annotations

import math

from ..environment import Pace
from ..queue.lease import Lease
from ..stopping import Stopping
from .outcomes import Ended, Ending, Failure, Interruption, LostLease

# Of the time from TERM to KILL. The rest is for the ledger and the queue: an attempt that is killed
# before it has told of its interruption counts as a failed one.
_SAVE_SHARE = 0.7


class AttemptLimits:
    """What ends an attempt from outside: a lost lease, or a worker that is asked to stop."""

    def __init__(self, lease: Lease, stopping: Stopping, pace: Pace) -> None:
        self._lease = lease
        self._stopping = stopping
        self._pace = pace

    def why_end(self) -> str:
        return self._lease.lost or (self._stopping.reason if self._stopping.asked else "")

    def check(self) -> None:
        """Raise if the attempt should not go on."""
        if self._lease.lost:
            raise LostLease(self._lease.lost)
        if self._stopping.asked:
            raise self._stopped(self._stopping.reason)

    def _stopped(self, reason: str) -> Ended:
        """How an attempt ends that may not go on; a crash, for all we know, is the job's doing."""
        return Failure(reason) if self._stopping.is_crash else Interruption(reason)

    def check_upload(self) -> None:
        """The same while outputs are on their way: a stop lets them arrive if there is time."""
        if self._lease.lost:
            raise LostLease(self._lease.lost)
        if self._stopping.asked and self.grace() <= 0:
            raise self._stopped(f"{self._stopping.reason}; there was no time to upload the outputs")

    def grace(self) -> float:
        """How many seconds are left to a tool that is told to end."""
        if self._lease.lost:  # another worker may begin the job when our time is over
            return min(self._pace.grace_seconds, self._lease.seconds_left())
        return max(0.0, self._pace.grace_seconds - self._stopping.seconds_since())

    def time_to_save(self) -> float:
        """How many seconds a checkpoint may take, so that this loop still tells how it ended."""
        if self._lease.lost:
            return 0.0
        if not self._stopping.asked:
            return math.inf
        return _SAVE_SHARE * self._pace.stop_seconds - self._stopping.seconds_since()

    def ending_of_error(self) -> Ending:
        """A machine that is going away may lose its network first, which is no failure."""
        if self._lease.lost:
            return Ending.LOST
        told_to_end = self._stopping.asked and not self._stopping.is_crash
        return Ending.INTERRUPTED if told_to_end else Ending.FAILED
