"""Pass a lease on to an attempt that outlives the longest lease of SQS, so that its job runs once.

SQS allows no lease of more than 12 hours, and gives a new receipt to whoever receives
it next. So a long attempt writes, before its lease ends, that it is alive (a claim), and goes on
writing so. Whoever then receives the message finds the claim and leaves the new receipt beside
it, instead of running the job; the attempt takes the receipt and has a lease of 12 hours again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributed_something.protocol.ledger.claims import LeaseClaims

from .job_queue import Message


@dataclass(frozen=True)
class Claim:
    """The claim of one attempt at one job."""

    claims: LeaseClaims
    attempt_id: str

    def write(self) -> None:
        """Say, again, that the attempt is alive."""
        self.claims.write(self.attempt_id)

    def take(self, message: Message) -> Message | None:
        """The message with the receipt that someone left for this attempt, if someone did."""
        left = self.claims.receipt()
        if left is None or left.attempt_id != self.attempt_id or left.receipt == message.receipt:
            return None
        return replace(message, receipt=left.receipt, received=left.received)

    def withdraw(self) -> None:
        """Take the claim back, and what was left for it."""
        self.claims.withdraw()
