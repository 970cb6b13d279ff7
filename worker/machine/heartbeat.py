"""Write what a worker slot is doing to the ledger: once a minute, and when it turns busy or idle.

The monitor gives back machines whose slots are all idle. So a slot that takes a job after it wrote
that it is idle writes at once that it is busy, and one that has had no job for GAP seconds writes
that it is idle. A slot that goes from job to job writes once a minute: it was busy, and still is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.ledger.facts import Heartbeat

from ..environment import Place

if TYPE_CHECKING:
    from distributed_something.protocol.ledger.run_ledger import RunLedger

logger = logging.getLogger(__name__)

GAP = 2.0  # seconds, the least between two beats; so long a slot without a job may get another


class Heart:
    """The heartbeat of one slot; beats go to the ledger of the run whose job it last had."""

    def __init__(
        self,
        place: Place,
        *,
        gap: float = GAP,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._gap = gap
        self._place = place
        self._now = now
        self._ledger: RunLedger | None = None
        self._job: Heartbeat | None = None
        self._turned = 0.0  # when it took its job or ended its last, by the monotonic clock
        self._wrote_at = -place.pace.heartbeat_seconds  # likewise
        self._wrote_busy: bool | None = None
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.run_is_stopped = ""  # why, once a worker has said so
        self.looked_at = 0.0  # when that was read, seconds since 1970
        self._thread = threading.Thread(target=self._keep, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def busy(self, ledger: RunLedger, job_id: str, name: str, attempt_id: str) -> None:
        """Say that the slot works on an attempt."""
        self._ledger = ledger
        self._turn(Heartbeat(job_id, name, attempt_id, since=self._now()))

    def idle(self) -> None:
        """Say that the slot waits for a job."""
        self._turn(None)

    def begin(self, ledger: RunLedger) -> None:
        """Say that the slot waits for a job of this run."""
        self._ledger = ledger
        self.idle()

    def end(self) -> None:
        """Write that the slot is idle, and stop."""
        self._ended.set()
        self.idle()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        if self._wrote_busy is not False:
            self.write()

    def look_at_run(self, ledger: RunLedger) -> None:
        """See whether the run is stopped, not waiting for what the supervisor reads."""
        try:
            self.run_is_stopped, self.looked_at = ledger.why_stopped(), self._now()
        except (ClientError, BotoCoreError) as error:
            logger.warning("Whether the run is stopped could not be read: %s", error)

    def write(self) -> None:
        """Write the heartbeat as it is now; a failure is logged, the next beat comes anyway."""
        with self._lock:
            ledger, job = self._ledger, self._job
            self._wrote_at = time.monotonic()
            if ledger is None:
                return
            try:
                ledger.machines.write_heartbeat(self._place.instance_id, self._place.slot, job)
                self._wrote_busy = job is not None
            except (ClientError, BotoCoreError) as error:
                logger.warning("The heartbeat could not be written: %s", error)

    def seconds_until_due(self) -> float:
        """In how many seconds the next beat is to be written; 0 for now."""
        due = self._wrote_at + self._place.pace.heartbeat_seconds
        is_busy = self._job is not None
        if is_busy is not self._wrote_busy:
            begun = self._wrote_at if is_busy else max(self._wrote_at, self._turned)
            due = min(due, begun + self._gap)
        return max(0.0, due - time.monotonic())

    def _turn(self, job: Heartbeat | None) -> None:
        self._job = job
        self._turned = time.monotonic()
        self._changed.set()

    def _keep(self) -> None:
        while not self._ended.is_set():
            self._changed.wait(self.seconds_until_due())
            self._changed.clear()
            if self._ended.is_set():
                return
            if self.seconds_until_due() > 0:
                continue
            try:
                self.write()
            except Exception:  # a slot that falls silent looks idle, and its machine is given back
                logger.exception("The heartbeat failed; the next one comes anyway.")
