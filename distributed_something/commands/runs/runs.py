"""Find an app's run, or begin one; a run has an id, a record and a ledger of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...command_lines import run_line
from ...errors import NotFound, UsageError
from ...protocol.ledger.keys import new_run_id, record_name
from ...protocol.ledger.record import (
    RunRecord,
    find_record,
    read_record_file,
    save_record,
)
from ...protocol.ledger.run_ledger import RunLedger
from ...words import sentence
from .upstream import with_target

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)


def ensure_run(
    aws: Aws, settings: Settings, *, folder: Path | None, now: Callable[[], float] = time.time
) -> RunRecord:
    """The app's live run, or a new one whose record is saved before this returns.

    `folder` is where this machine keeps records (None: nowhere). Raises UsageError if the live run
    was started with another bucket, queue or cluster than `settings` name: it must end first.
    """
    last = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    live = last if last and last.is_live else live_elsewhere(aws, settings, folder)
    if live is not None:
        _check_same_places(live, settings)
        if live.run_id:
            return live
    record = _new_record(aws, settings, last, now())
    if live is not None:
        # Upstream wrote no run id; its fleet becomes this run's, so that one teardown ends both.
        record = replace(record, fleets=tuple(with_target(aws, fleet) for fleet in live.fleets))
    save_record(aws.s3, record, folder)
    logger.info("Started run %s of %s.", record.run_id, record.app_name)
    return record


def find_run(aws: Aws, settings: Settings, *, folder: Path | None = None) -> RunRecord:
    """The app's live run, or else its last one; raises NotFound if it never had one.

    With `folder` a live run counts that only this machine's record tells of: upstream's
    `startCluster` leaves its record in the bucket only with AUTO_MONITOR.
    """
    record = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    if record is None or not record.is_live:
        record = live_elsewhere(aws, settings, folder) or record
    if record is None:
        raise NotFound(
            f"No run of {settings.app_name} in s3://{settings.aws_bucket}: "
            f"run `{run_line('submitJob JOBS.json')}` first."
        )
    return record


def choose_run(
    aws: Aws, settings: Settings, run_id: str | None = None, *, folder: Path | None = None
) -> RunRecord:
    """One run of the app by its id, else the live or last one; raises NotFound.

    `folder` is as for `find_run`.
    """
    if not run_id:
        return find_run(aws, settings, folder=folder)
    record = RunLedger(aws.s3, settings.aws_bucket, settings.app_name, run_id).read_record()
    if record is None:
        raise NotFound(
            f"No run {run_id} of {settings.app_name} in s3://{settings.aws_bucket}: leave --run "
            f"out for the last one, or list the ids there, below runs/{settings.app_name}/."
        )
    return record


def refresh(aws: Aws, record: RunRecord) -> RunRecord:
    """The same run's record as the bucket has it: another machine may have changed or ended it.

    A record of upstream's has no id; if the bucket tells of a live run of its app or of its end,
    that is the record now. What was looked up since for one that the bucket has as it was written
    is kept.
    """
    try:
        if record.run_id:
            same = RunLedger.of(aws.s3, record).read_record()
            return record if same is None else record.updated(same)
        found = find_record(aws.s3, record.bucket, record.app_name)
    except UsageError as error:  # somebody has spoilt it; what is known goes on
        logger.warning("%s The last known state of the run is used.", error)
        return record
    if found and not found.ledger and found.fleet_ids == record.fleet_ids and not found.run_id:
        return replace(record, ended=found.ended, queue_deleted=found.queue_deleted)
    if found and (found.fleet_ids == record.fleet_ids or (found.run_id and found.is_live)):
        return found
    return record


def stand_in(aws: Aws, settings: Settings, last: RunRecord | None, now: float) -> RunRecord:
    """A record with the config's names, for what is left of an app that has no live run.

    It has ended already and tells of the last run's fleets, if there was one: it begins no run.
    """
    return replace(
        _new_record(aws, settings, last, now),
        run_id=last.run_id if last else "",
        started=last.started if last else 0.0,
        fleets=last.fleets if last else (),
        launch_templates=last.launch_templates if last else (),
        schedule=last.schedule if last else "",
        dashboard=settings.app_name if settings.create_dashboard else "",
        topic=last.topic if last else "",
        ended=now,
    )


def find_local(settings: Settings, folder: Path | None) -> RunRecord | None:
    """The record of the app's live or last run that this machine has, if any."""
    path = folder / record_name(settings.app_name) if folder else None
    return read_record_file(path) if path and path.is_file() else None


def live_elsewhere(aws: Aws, settings: Settings, folder: Path | None) -> RunRecord | None:
    """The live run that this machine's record tells of though the bucket of `settings` does not."""
    record = find_local(settings, folder)
    if record is None or (record.bucket == settings.aws_bucket and record.run_id):
        return None
    record = refresh(aws, record)
    return record if record.is_live else None


def _check_same_places(record: RunRecord, settings: Settings) -> None:
    pairs = {
        "AWS_BUCKET": (record.bucket, settings.aws_bucket),
        "SQS_QUEUE_NAME": (record.queue_name, settings.sqs_queue_name),
        "ECS_CLUSTER": (record.cluster, settings.ecs_cluster),
    }
    for constant, (begun, wanted) in pairs.items():
        if begun != wanted:
            raise UsageError(
                f"{sentence(record.title)} is live and was started "
                f"with {constant} = {begun!r}; the config now says {wanted!r}. Restore it, or end "
                f"that run first with `{run_line('monitor')}`."
            )


def _new_record(aws: Aws, settings: Settings, last: RunRecord | None, now: float) -> RunRecord:
    same_queue = last is not None and last.queue_name == settings.sqs_queue_name
    return RunRecord(
        app_name=settings.app_name,
        cluster=settings.ecs_cluster,
        queue_name=settings.sqs_queue_name,
        bucket=settings.aws_bucket,
        log_group_name=settings.log_group_name,
        run_id=new_run_id(now),
        region=aws.region,
        dead_letter_queue_name=settings.sqs_dead_letter_queue,
        started=round(now, 3),  # as exactly as a monitor file can say it
        clean_dashboard=settings.clean_dashboard,
        tasks_per_machine=settings.tasks_per_machine,
        docker_cores=settings.docker_cores,
        queue_deleted=last.queue_deleted if last is not None and same_queue else None,
    )
