"""Remove everything that a run made, what costs most first, however many steps fail on the way.

What there is to remove, in which order, is in `resources.table`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws.compute.instances import Instance
from ...aws.faults import FAULTS, Failure
from ...aws.messaging import queues
from ...aws.storage import is_missing_bucket
from ...errors import NotFound
from ...protocol.ledger.record import RunRecord, save_record
from ...resources.kinds import Owner
from ...resources.table import RESOURCE_KINDS
from ...words import sentence
from ..runs.runs import refresh
from .last_look import note_machines, see_machines
from .waiting_jobs import list_waiting

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Teardown:
    """One teardown: whose resources, and what its record says at the end."""

    aws: Aws
    owner: Owner
    folder: Path | None
    now: Callable[[], float]
    export_due: bool = False  # the logs are to be exported when all is done
    notice_due: bool = False  # the topic is to be told when all is done
    seen: tuple[Instance, ...] | None = None  # of a run that is cancelled, before it was

    @property
    def record(self) -> RunRecord:
        return self.owner.record


def tear_down(
    aws: Aws,
    record: RunRecord,
    *,
    folder: Path | None,
    export_due: bool = False,
    notice_due: bool = False,
    keeps_schedule: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> list[Failure]:
    """Take every step, then mark the run's record as ended; returns what failed.

    With a failure the run stays live, and calling this again goes on. A run that has ended already
    is left alone: its names may be in use by the next one. `folder` is this machine's records. With
    `export_due` the record then says that somebody has to export the logs, with `notice_due` that
    its topic, if it has one, has to be told. Who `keeps_schedule` has to delete it.
    """
    record = _latest(aws, record)
    if not record.is_live:
        logger.info("%s was already removed.", sentence(record.title))
        return []
    teardown = Teardown(
        aws,
        Owner(record, keeps_schedule=keeps_schedule, sleep=sleep),
        folder,
        now,
        export_due=export_due,
        notice_due=notice_due and bool(record.topic),
    )
    return _take_steps(teardown) or _end(teardown)


def tear_down_app(
    aws: Aws,
    record: RunRecord,
    *,
    folder: Path | None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> list[Failure]:
    """Take every step for all that there is of the record's app, its live run included.

    What no record tells of is found by tags and names. Returns what failed.
    """
    seen = see_machines(aws, record, now())
    owner = Owner(record, whole_app=True, sleep=sleep)
    teardown = Teardown(aws, owner, folder, now, seen=seen)
    failures = _take_steps(teardown)
    if failures or record.is_live:
        return failures or _end(teardown)
    logger.info("Removed everything of %s.", record.app_name)
    return []


def _take_steps(teardown: Teardown) -> list[Failure]:
    """Delete every kind, in the table's order; returns what failed."""
    failures: list[Failure] = []
    for kind in RESOURCE_KINDS:
        if kind.delete is None or (kind.is_last and failures):
            continue
        try:
            _BEFORE.get(kind.name, _nothing)(teardown)
            kind.delete(teardown.aws, teardown.owner)
        except FAULTS as error:
            failures.append(Failure.of(f"Could not {kind.step}: {error}", error))
            logger.warning("%s", failures[-1])
    return failures


def _latest(aws: Aws, record: RunRecord) -> RunRecord:
    """The record as the bucket has it; if the bucket does not answer, what we have will do."""
    try:
        return refresh(aws, record)
    except FAULTS as error:
        logger.warning("Cannot read the bucket's monitor file, using the local one: %s", error)
        return record


def _end(teardown: Teardown) -> list[Failure]:
    """Mark the run as ended, unless somebody added a fleet to it while it was taken down."""
    try:
        latest = refresh(teardown.aws, teardown.record)
        if {f.client_token for f in latest.fleets} != {
            f.client_token for f in teardown.record.fleets
        }:
            return [Failure("A fleet was added to the run during its removal: remove it again.")]
        ended = replace(latest, ended=teardown.now())
        ended = replace(ended, export_due=teardown.export_due, notice_due=teardown.notice_due)
        save_record(teardown.aws.s3, ended, teardown.folder)
    except FAULTS as error:
        said = f"Could not mark the run as ended in its monitor file: {error}"
        return [Failure.of(said, error)]
    logger.info("Removed everything of %s.", ended.title)
    return []


def _note_queue_deletion(teardown: Teardown) -> None:
    """Save when the queue is deleted, before it is: the next `setup` has to wait from then on.

    The machines of a run that is cancelled are noted first, now that all are ended, and the jobs
    of a run that has no list of them.
    """
    aws, record = teardown.aws, teardown.record
    if teardown.owner.whole_app:
        note_machines(aws, record, teardown.seen, teardown.now())
    try:
        queues.find_queue(aws.sqs, record.queue_name)
    except NotFound:
        return
    if not record.run_id:
        record = replace(record, ledger=_list_waiting(teardown))
    try:
        latest = refresh(aws, record)
        save_record(aws.s3, replace(latest, queue_deleted=teardown.now()), teardown.folder)
    except FAULTS as error:
        if not teardown.owner.whole_app:
            raise
        logger.warning("The next `setup` cannot know when the queue was deleted: %s", error)


def _list_waiting(teardown: Teardown) -> str:
    """List the jobs that wait in the queue, in a ledger that is returned."""
    aws, record = teardown.aws, teardown.record
    try:
        return list_waiting(aws, record, sleep=teardown.owner.sleep, now=teardown.now)
    except ClientError as error:
        if not is_missing_bucket(error):
            raise
        logger.warning("The jobs that wait in the queue cannot be listed: %s", error)
        return record.ledger


def _nothing(_: Teardown) -> None:
    pass


_BEFORE: dict[str, Callable[[Teardown], None]] = {"queue": _note_queue_deletion}
