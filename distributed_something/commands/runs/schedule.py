"""Give a run the schedule that has it watched without us, and say so where that cannot be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.account import lambdas, schedules
from ...aws.faults import error_code
from ...command_lines import run_line
from ...definitions.account import ACCOUNT_TAGS, FUNCTION, SCHEDULE_GROUP
from ...definitions.auto_monitor import MINUTES, schedule_name, schedule_request
from ...errors import DistributedSomethingError
from ...protocol.ledger.record import RunRecord, save_record

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

_NO_LAMBDA = (
    f"AUTO_MONITOR is on, but this account has no Lambda {FUNCTION}: run `python setup_AWS.py` "
    "once to create it."
)


def start_schedule(
    aws: Aws,
    settings: Settings,
    record: RunRecord,
    folder: Path | None,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> RunRecord:
    """Make the run's schedule if AUTO_MONITOR is true, and return the record, which names it.

    A run can do without: what is in the way is said, and nothing is raised for it.
    """
    if not settings.auto_monitor:
        return record
    named = record
    try:
        function = lambdas.find_function(aws.lambdas, FUNCTION, ACCOUNT_TAGS)
        if function is None:
            logger.warning("%s %s", _NO_LAMBDA, _otherwise())
            return record
        named = _write_down(aws, record, folder)
        schedules.ensure_schedule(aws.scheduler, schedule_request(named, function), sleep=sleep)
    except (ClientError, BotoCoreError, DistributedSomethingError) as error:
        logger.warning("AUTO_MONITOR cannot watch this run: %s. %s", error, _otherwise())
        if isinstance(error, ClientError) and error_code(error).startswith("AccessDenied"):
            # One who may not make it may not delete it either: the record must not ask for it.
            save_record(aws.s3, record, folder)
            return record
        return named  # it may have been made, and the answer lost
    logger.info("The Lambda %s watches this run every %d minutes.", FUNCTION, MINUTES)
    return named


def _write_down(aws: Aws, record: RunRecord, folder: Path | None) -> RunRecord:
    """The record with the schedule's name in it, saved before there is such a schedule."""
    named = replace(record, schedule=schedule_name(record.app_name, record.run_id))
    if named != record:
        save_record(aws.s3, named, folder)
    return named


def stop_schedule(aws: Aws, record: RunRecord) -> None:
    """Delete the run's schedule, if it has one."""
    if record.schedule:
        schedules.delete_schedule(aws.scheduler, SCHEDULE_GROUP, record.schedule)


def _otherwise() -> str:
    """What to do where the Lambda cannot watch a run."""
    return (
        f"Keep `{run_line('monitor')}` running, on any computer; without it the machines end by "
        "themselves some time after the last job, and after MAX_HOURS at the latest."
    )
