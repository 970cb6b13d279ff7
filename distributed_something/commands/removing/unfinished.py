"""Write the jobs of a run that were left over as a job file, to be submitted again as it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

_NAMED = 5  # names that are said; the file holds them all


@dataclass(frozen=True)
class Unfinished:
    """The jobs that are neither done nor given up; `path` is their job file, if one was written."""

    count: int = 0
    names: tuple[str, ...] = ()  # of the first few
    path: Path | None = None
    may_retry: bool = True  # `retry` goes on with their run; upstream's has no list of all its jobs


def write_unfinished(aws: Aws, record: RunRecord, folder: Path | None) -> Unfinished:
    """Find the jobs that were left over and write them to `folder`, one message a line.

    A file that cannot be written costs no job: they are in the ledger.
    """
    if not (record.run_id or record.ledger):
        return Unfinished()
    names: list[str] = []
    count = 0
    name = f"{record.app_name}_unfinished_{record.run_id or record.ledger}.jsonl"
    path = folder / name if folder else None
    file = None
    try:
        for job in RunLedger.of(aws.s3, record).unfinished_jobs():
            count += 1
            if path and file is None:
                file = path.open("w", encoding="utf-8")
            if file:
                file.write(job.body + "\n")
            if len(names) < _NAMED:
                names.append(job.name)
    except (ClientError, BotoCoreError, OSError) as error:
        logger.warning("The list of remaining jobs is not complete: %s", error)
    finally:
        if file:
            file.close()
    return Unfinished(count, tuple(names), path if file else None, bool(record.run_id))
