"""Hold a message's lease: renew its visibility from a thread, and notice when it is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .handover import Claim
from .job_queue import Message, is_beyond_limit, is_no_longer_ours

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

RENEWALS_PER_VISIBILITY = 4
TOLERATED_FAILURES = 2  # a third one in a row leaves less than a renewal's time
# Of SQS's limit, 43 s: when exactly a message was received is known to SQS alone.
_MARGIN = 0.001


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
        on_lost: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`visibility` and `limit` (how long SQS lets anyone hold a message) are in seconds.

        `on_lost` is called once, in whichever thread notices.
        """
        self._sqs = sqs
        self._url = queue_url
        self._visibility = visibility
        self._limit = limit
        self._on_lost = on_lost
        self._now = now
        self._failures = 0
        self._held_until = message.received + visibility  # by our own clock
        self._claim: Claim | None = None
        self._claiming = False
        self._released = threading.Event()
        self._lock = threading.Lock()
        self.message = message  # with the receipt that counts now
        self.lost = ""  # why, once it is

    def __enter__(self) -> Lease:
        threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def claim_with(self, claim: Claim) -> None:
        """Use this claim when SQS's longest lease ends; without one the lease is lost then."""
        self._claim = claim

    def release(self) -> None:
        """Stop renewing; when this returns none is under way, and the message can be settled."""
        self._released.set()
        with self._lock:
            if self._claiming and self._claim is not None:
                self._claiming = False
                try:
                    self._claim.withdraw()
                except (ClientError, BotoCoreError) as error:  # it soon looks dead by itself
                    logger.warning("The claim could not be withdrawn: %s", error)

    def renew(self) -> bool:
        """Renew now; False if the lease is lost."""
        with self._lock:
            if not self.lost and not self._released.is_set():
                self._attempt()
            return not self.lost

    def _keep(self) -> None:
        try:
            every = self._visibility / RENEWALS_PER_VISIBILITY
            due = time.monotonic() + every
            # A renewal that hangs does not put off the next one.
            while not self._released.wait(max(0.0, due - time.monotonic())):
                due += every
                if not self.renew():
                    return
        except Exception as error:
            logger.exception("Renewing the lease failed.")
            self._lose(f"of an error that was not expected ({error})")

    def _attempt(self) -> None:
        """Renew, or claim, or count a failure to do so."""
        try:
            if self._claiming or self._now() + self._visibility > self._ends:
                self._hold_without_sqs()
            else:
                self._extend_or_claim()
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and is_no_longer_ours(error):
                self._lose(f"it ran out, and another worker may have the job ({error})")
                return
            self._failures += 1
            logger.warning(
                "The lease could not be renewed (%d in a row): %s", self._failures, error
            )
            if self._failures > TOLERATED_FAILURES or self.seconds_left() <= 0:
                self._lose(f"it could not be renewed {self._failures} times in a row ({error})")
        else:
            self._failures = 0

    def seconds_left(self) -> float:
        """For how long the job is surely nobody else's."""
        return max(0.0, self._held_until - self._now())

    @property
    def _ends(self) -> float:
        """When SQS gives the message to somebody else, whatever we ask."""
        return self.message.received + self._limit * (1 - _MARGIN)

    def _extend_or_claim(self) -> None:
        """Renew, or claim if SQS says that its longest lease ends, whatever our clock says."""
        try:
            self._extend()
        except ClientError as error:
            if not is_beyond_limit(error):
                raise
            self._hold_without_sqs()

    def _extend(self) -> None:
        asked = self._now()
        self._sqs.change_message_visibility(
            QueueUrl=self._url,
            ReceiptHandle=self.message.receipt,
            VisibilityTimeout=self._visibility,
        )
        self._held_until = asked + self._visibility

    def _hold_without_sqs(self) -> None:
        """Say that we are alive, and go on with the receipt that another worker left for us."""
        if self._claim is None:
            self._lose(f"SQS allows no lease of more than {self._limit:g} s")
            return
        asked = self._now()
        if asked > self._held_until:  # a machine that hung: SQS cannot tell us any more
            self._lose("it ran out, and another worker may have the job")
            return
        if not self._claiming:
            logger.info("SQS's longest lease is ending; another worker will pass on a new one.")
        self._claiming = True
        self._claim.write()
        self._held_until = asked + self._visibility
        received_anew = self._claim.take(self.message)
        if received_anew is None:
            return
        self.message = received_anew
        try:
            self._extend()
        except ClientError as error:
            if not is_no_longer_ours(error):
                raise
            return  # we were too slow; whoever has the message now will leave its receipt too
        self._claiming = False
        self._claim.withdraw()
        logger.info("The lease goes on with a new receipt.")

    def _lose(self, reason: str) -> None:
        self.lost = f"the lease is lost: {reason}"
        logger.error("The lease is lost: %s.", reason)
        self._on_lost()
