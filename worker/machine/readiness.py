"""Whether a loop may take a job now: there is room, the run goes on, and the bucket is mounted."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..environment import Place
from ..job.directories import has_attempt
from ..job.outcomes import NoRoom
from ..stopping import Stopping
from .faults import check_disk
from .heartbeat import Heart
from .run_state import read_run_state

logger = logging.getLogger(__name__)


class Readiness:
    """What one slot waits for before it takes a job."""

    def __init__(
        self, place: Place, stopping: Stopping, heart: Heart, now: Callable[[], float]
    ) -> None:
        self._place = place
        self._stopping = stopping
        self._heart = heart
        self._now = now
        self._full_since = 0.0  # when the disk was found full; 0: it was not
        self._is_closed = False  # as this loop has said in its log

    def must_wait(self) -> bool:
        """Whether no job may be taken, after waiting a while if so; raises MachineFault."""
        return self._wait_for_room() or self._wait_while_closed() or self._wait_for_mount()

    def _wait_for_room(self) -> bool:
        """Whether the disk is too full for another job, after waiting a while if it is.

        A job that fills it ends, and its files go: the machine is at fault, and MachineFault is
        raised, only if the disk stays full though no job of this container is there to fill it.
        """
        folder = self._place.directory.parent
        try:
            check_disk(folder)
        except NoRoom as fault:
            self._place.cache.empty()
            if has_attempt(folder) or not self._full_since:
                self._full_since = self._now()
                logger.warning("%s No job is taken until there is room.", fault)
            elif self._now() - self._full_since >= self._place.pace.room_seconds:
                raise
            self._stopping.wait(self._place.pace.poll_seconds)
            return True
        self._full_since = 0.0
        return False

    def _wait_while_closed(self) -> bool:
        """Whether the run is stopped or this machine closed, after waiting a while if so."""
        if not (why_not := self._why_no_jobs()):
            self._is_closed = False
            return False
        if not self._is_closed:
            logger.info("%s No more jobs are taken.", why_not)
            self._is_closed = True
        self._stopping.wait(min(self._place.pace.heartbeat_seconds, self._place.pace.poll_seconds))
        return True

    def _why_no_jobs(self) -> str:
        """As the supervisor read it last, or this loop itself since then."""
        found = read_run_state(self._place.directory.parent)
        if found and (found.is_closed or found.asked > self._heart.looked_at):
            return found.why_not
        stopped = self._heart.run_is_stopped
        return f"The run is stopped: {stopped}" if stopped else ""

    def _wait_for_mount(self) -> bool:
        """Whether the bucket should be mounted and is not, after waiting a while if so."""
        mounted = self._place.mounted
        if mounted is None or mounted.is_mounted():
            return False
        self._stopping.wait(0.5)
        return True
