"""Write what a worker slot is doing to the ledger, once a minute and at every change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.ledger.attempts import Heartbeat
from distributed_something.protocol.ledger.keys import RunKeys

from ..environment import Place
from ..ledger import why_stopped

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

SHORTEST_GAP = 2.0  # seconds; a worker of very short jobs need not write one for each


class Heart:
    """The heartbeat of one slot; beats go to the ledger of the run whose job it last had."""

    def __init__(
        self,
        s3: S3Client,
        place: Place,
        *,
        gap: float = SHORTEST_GAP,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`gap` is the least time between two beats, in seconds."""
        self._s3 = s3
        self._gap = gap
        self._look_at = 0.0
        self._place = place
        self._now = now
        self._keys: RunKeys | None = None
        self._beat = Heartbeat(
            instance_id=place.instance_id,
            slot=place.slot,
            written=0.0,
            instance_type=place.instance_type,
            zone=place.zone,
        )
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.run_is_stopped = ""  # why, once a worker has said so
        self._thread = threading.Thread(target=self._keep, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def busy(self, keys: RunKeys, job_id: str, name: str, attempt_id: str) -> None:
        """Say that the slot works on an attempt."""
        self._keys = keys
        self._beat = replace(
            self._beat, job_id=job_id, name=name, attempt_id=attempt_id, since=self._now()
        )
        self._changed.set()

    def idle(self) -> None:
        """Say that the slot waits for a job."""
        self._beat = replace(self._beat, job_id="", name="", attempt_id="", since=self._now())
        self._changed.set()

    def begin(self, keys: RunKeys) -> None:
        """Say that the slot waits for a job of this run."""
        self._keys = keys
        self.idle()

    def end(self) -> None:
        """Write that the slot is idle, and stop."""
        self.idle()
        self._ended.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.write()

    def look_at_run(self, keys: RunKeys) -> None:
        """See whether the run is stopped."""
        try:
            self.run_is_stopped = why_stopped(self._s3, self._place.settings.aws_bucket, keys)
        except (ClientError, BotoCoreError) as error:
            logger.warning("Whether the run is stopped could not be read: %s", error)

    def write(self) -> None:
        """Write the heartbeat as it is now; a failure is logged, the next beat comes anyway."""
        with self._lock:
            if self._keys is None:
                return
            beat = replace(self._beat, written=self._now())
            try:
                self._s3.put_object(
                    Bucket=self._place.settings.aws_bucket,
                    Key=self._keys.heartbeat(beat.instance_id, beat.slot),
                    Body=beat.to_json(),
                )
            except (ClientError, BotoCoreError) as error:
                logger.warning("The heartbeat could not be written: %s", error)

    def _keep(self) -> None:
        while not self._ended.is_set():
            self._changed.wait(self._place.pace.heartbeat_seconds)
            self._changed.clear()
            if self._ended.is_set():
                return
            try:
                self._beat_now()
            except Exception:  # a slot that falls silent looks idle, and its machine is given back
                logger.exception("The heartbeat failed; the next one comes anyway.")
            self._ended.wait(self._gap)

    def _beat_now(self) -> None:
        self.write()
        if self._keys is not None and self._now() >= self._look_at:
            self._look_at = self._now() + self._place.pace.heartbeat_seconds
            self.look_at_run(self._keys)
