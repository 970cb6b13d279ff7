"""Hold a message's lease: renew its visibility from a thread, and notice when it is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .job_queue import Message

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

RENEWALS_PER_VISIBILITY = 4
TOLERATED_FAILURES = 2  # a third one in a row leaves less than a renewal's time


class Lease:
    """The right to work on one job; used as a context manager around the work."""

    def __init__(
        self,
        sqs: SQSClient,
        queue_url: str,
        message: Message,
        visibility: int,
        *,
        limit: float,
        on_change: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`visibility` and `limit` (how long SQS lets anyone hold a message) are in seconds.

        `on_change` is called, in the lease's thread, when the lease is lost.
        """
        self._sqs = sqs
        self._url = queue_url
        self._message = message
        self._visibility = visibility
        self._ends = message.received + limit
        self._on_change = on_change
        self._now = now
        self._failures = 0
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self.lost = ""  # why, once it is

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Stop renewing; when this returns none is under way, and the message can be settled."""
        self._released.set()
        with self._lock:
            pass

    def renew(self) -> bool:
        """Renew now; False if the lease is lost."""
        with self._lock:
            if self.lost or self._released.is_set():
                return not self.lost
            self._renew()
        if self.lost:
            self._on_change()
        return not self.lost

    def _keep(self) -> None:
        while not self._released.wait(self._visibility / RENEWALS_PER_VISIBILITY):
            if not self.renew():
                return

    def _renew(self) -> None:
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=self._message.receipt,
                VisibilityTimeout=self._visibility,
            )
        except (
            self._sqs.exceptions.MessageNotInflight,
            self._sqs.exceptions.ReceiptHandleIsInvalid,
        ) as error:
            self._lose(f"the lease ran out and another worker may have the job ({error})")
        except (ClientError, BotoCoreError) as error:
            self._failures += 1
            logger.warning(
                "The lease could not be renewed (%d in a row): %s", self._failures, error
            )
            if self._failures > TOLERATED_FAILURES:
                self._lose(f"it could not be renewed {self._failures} times in a row ({error})")
        else:
            self._failures = 0

    def _lose(self, reason: str) -> None:
        self.lost = reason
        logger.error("The lease is lost: %s.", reason)
