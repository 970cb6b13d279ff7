"""Note the machines of a run that is cancelled, whose cost nobody could tell when EC2 forgets them.

Nothing here may keep a fleet from being cancelled: what AWS refuses is logged, and that is all.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...protocol.ledger.run_ledger import RunLedger
from ...run.machine_book import read_machine_book, write_machine_book
from ...snapshot import RunSnapshot
from ..runs.spending import with_machines

if TYPE_CHECKING:
    from ...aws.compute.instances import Instance
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)


def see_machines(aws: Aws, record: RunRecord, now: float) -> tuple[Instance, ...] | None:
    """The machines of a live run that bought some, those that have ended too; None if unseen."""
    if not _is_due(record):
        return None
    try:
        return RunSnapshot(aws, record, now).instances
    except (ClientError, BotoCoreError) as error:
        logger.warning("Could not list the run's machines: %s", error)
        return None


def note_machines(
    aws: Aws, record: RunRecord, before: Sequence[Instance] | None, now: float
) -> None:
    """Write the machine book of a run whose fleets are cancelled.

    `before` is what was seen until then: EC2 forgets a machine's address as the machine ends.
    """
    if not _is_due(record):
        return
    try:
        looks = [seen for seen in (before, see_machines(aws, record, now)) if seen is not None]
        if not looks:
            return
        book = read_machine_book(RunLedger.of(aws.s3, record))
        for seen in looks:
            book = with_machines(book, record, seen, now)
        write_machine_book(RunLedger.of(aws.s3, record), book)
    except (ClientError, BotoCoreError) as error:
        logger.warning("Could not record the run's machines: %s", error)


def _is_due(record: RunRecord) -> bool:
    return bool(record.is_live and record.run_id and record.fleets)
