"""Count the jobs of a run that upstream began by its queue: upstream lists none and marks none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...aws.messaging import queues
from ...protocol.ledger.facts import LedgerSummary
from ...protocol.ledger.record import RunRecord
from .step import RunProgress

if TYPE_CHECKING:
    from ...aws.session import Aws


class QueueCount:
    """How many jobs were seen in the queue, and how many dead-letter messages there were before."""

    def __init__(self, aws: Aws, record: RunRecord) -> None:
        self._seen = 0
        self._dead_before = _count_dead(aws, record)

    def watch(self, tell: Callable[[RunProgress], None]) -> Callable[[RunProgress], None]:
        """What is called with every look, which passes it on."""

        def see(look: RunProgress) -> None:
            self._seen = max(self._seen, look.submitted)
            tell(look)

        return see

    def amend(self, aws: Aws, record: RunRecord, summary: LedgerSummary) -> LedgerSummary:
        """The counts of a run that is over; of one of ours the ledger's, which has them all.

        A worker deletes the message of a job that is done: what left the queue and is not in the
        dead-letter queue is done. Workers of ours have marked their jobs in the ledger, and jobs
        that were left over are listed there.
        """
        if record.run_id:
            return summary
        dead = summary.dead
        if not summary.attempts:
            dead = max(0, _count_dead(aws, record) - self._dead_before)
        left = max(0, summary.submitted - summary.done)
        done = max(summary.done, self._seen - left - dead)
        return replace(summary, submitted=max(self._seen, done + dead + left), done=done, dead=dead)


def _count_dead(aws: Aws, record: RunRecord) -> int:
    """How many messages the dead-letter queue holds; 0 where there is none."""
    if not record.dead_letter_queue_name:
        return 0
    counts = queues.count_queue(aws.sqs, record.dead_letter_queue_name)
    return counts.total if counts else 0
