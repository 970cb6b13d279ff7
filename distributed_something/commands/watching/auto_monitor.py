"""Watch runs from a Lambda: one look each time that a run's schedule calls, until it is over.

This module and all that it imports must run with the standard library and boto3 alone.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.account.schedules import delete_schedule
from ...aws.session import Aws, make_session
from ...aws.storage import is_missing_bucket
from ...definitions.account import SCHEDULE_GROUP
from ...definitions.auto_monitor import schedule_name
from ...errors import DistributedSomethingError
from ...protocol.ledger.keys import RunKeys
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.ledger.unreadable import check_fields, read_object
from ...run.decisions import LAMBDA_PACE, MonitorState, Pace
from ..removing.tear_down import tear_down
from .failing import stop_if_all_fail_alike
from .notices import tell_if_due
from .step import step, stranded

if TYPE_CHECKING:
    from ...protocol.ledger.keys import RunKeys
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

SPARE_SECONDS = 20.0  # of an invocation's time, in which it waits for nothing any more


def handler(event: Mapping[str, str], context: Any) -> dict[str, Any]:
    """What Lambda calls; the event is the input of a run's schedule."""
    logging.getLogger(__package__.split(".")[0]).setLevel(logging.INFO)
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS
    aws = Aws(make_session(os.environ["AWS_REGION"]))
    ledger = RunLedger(aws.s3, event["bucket"], event["app_name"], event["run_id"])
    return watch_once(aws, ledger, deadline=deadline)


def watch_once(
    aws: Aws,
    ledger: RunLedger,
    *,
    deadline: float,
    pace: Pace | None = None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Look once, and remove the run if it is over; what there is no time for is the next one's.

    `deadline` is in seconds since 1970. Returns what was seen, which Lambda keeps nowhere.
    """
    record = _run(ledger)
    if record is None or not record.is_live:
        return _see_off(aws, ledger.keys, record, now())
    state = _read_state(ledger) or MonitorState(began=now())
    pace = pace or LAMBDA_PACE
    state, progress = step(aws, record, state, pace=pace, now=now)
    if not ledger.has_done() and ledger.count_given_up(pace.alike_failures) >= pace.alike_failures:
        stop_if_all_fail_alike(ledger, ledger.survey(), pace, progress.machines)
    _write_state(ledger, state)
    logger.info("%s", json.dumps(asdict(progress)))
    if state.is_stranded:
        return asdict(progress) | {"stranded": _leave_alone(aws, record)}
    if not state.is_over:
        return asdict(progress)
    failures = tear_down(
        aws,
        record,
        folder=None,
        export_due=True,
        notice_due=True,
        keeps_schedule=bool(record.topic),  # should we be ended before people are told
        sleep=_until(deadline, sleep, now),
        now=now,
    )
    if not failures and record.topic:
        return {"failures": []} | _see_off(aws, ledger.keys, _run(ledger), now())
    return {"over": not failures, "failures": [str(failure) for failure in failures]}


def _see_off(aws: Aws, keys: RunKeys, record: RunRecord | None, now: float) -> dict[str, Any]:
    """Tell of the end of a run if nobody has, and end its calls when that is done."""
    if record is not None and not tell_if_due(aws, record, now):
        return {"over": True, "told": False}
    delete_schedule(aws.scheduler, SCHEDULE_GROUP, schedule_name(keys.app_name, keys.run_id))
    return {"over": True}


def _leave_alone(aws: Aws, record: RunRecord) -> bool:
    """End the calls for a run that has no machines; False if somebody is buying some just now."""
    latest = _run(RunLedger.of(aws.s3, record))
    if (
        latest
        and latest.is_live
        and (latest.fleets != record.fleets or not all(fleet.fleet_id for fleet in latest.fleets))
    ):
        return False
    name = schedule_name(record.app_name, record.run_id)
    delete_schedule(aws.scheduler, SCHEDULE_GROUP, name)
    logger.warning(
        "%s The schedule %s is deleted: startCluster creates it again.", stranded(record), name
    )
    return True


def _run(ledger: RunLedger) -> RunRecord | None:
    """The run's record; None if there is none, or if its bucket is gone with all that it said."""
    try:
        return ledger.read_record()
    except ClientError as error:
        if not is_missing_bucket(error):
            raise
        return None


def _read_state(ledger: RunLedger) -> MonitorState | None:
    """What the last look left for this one; None if it was the first, or of another version."""
    try:
        body = ledger.read_monitor_state()
        if body is None:
            return None
        state = MonitorState.from_values(read_object(body))
        check_fields(state)
        return state
    except (ValueError, TypeError):  # Unreadable is a ValueError
        return None


def _write_state(ledger: RunLedger, state: MonitorState) -> None:
    """Leave what was seen for the next look; no run goes on because that cannot be written."""
    try:
        ledger.write_monitor_state(json.dumps(asdict(state)).encode())
    except (ClientError, BotoCoreError) as error:
        logger.warning(
            "The state of this step is not kept; the next step reads the others': %s", error
        )


def _until(
    deadline: float, sleep: Callable[[float], None], now: Callable[[], float]
) -> Callable[[float], None]:
    """A sleep that raises DistributedSomethingError rather than going beyond the deadline."""

    def sleep_in_time(seconds: float) -> None:
        if now() + seconds > deadline:
            raise DistributedSomethingError("this call's time is over; the next one continues.")
        sleep(seconds)

    return sleep_in_time
