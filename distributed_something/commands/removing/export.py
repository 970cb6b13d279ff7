"""Copy a run's logs to its bucket when all else is done; nothing depends on it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.account.identity import who_calls
from ...aws.faults import error_code
from ...aws.monitoring import exports
from ...command_lines import run_line
from ...definitions.logs import log_groups
from ...definitions.policies.bucket import log_export_policy
from ...definitions.policies.scope import Scope
from ...errors import DistributedSomethingError
from ...protocol.ledger.record import RunRecord, amend_ended
from ...run.decisions import EXPORT_SECONDS as EXPORT_SECONDS
from ..runs.runs import refresh

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

EXPORTS = "exportedlogs"  # where upstream's readers look for them
_LOOK_EVERY = 15.0  # seconds


def export_if_due(
    aws: Aws,
    record: RunRecord,
    limit: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> None:
    """Export the logs of a run that has ended, if its record says that nobody has; never fails.

    The record says so until it is done: who ended the run may have been killed before.
    """
    try:
        record = refresh(aws, record)
        if record.is_live or not record.export_due or limit <= 0:
            return
        if export_logs(aws, record, limit, sleep=sleep, now=now):
            amend_ended(aws.s3, replace(record, export_due=False))
        else:
            logger.warning(f"`{run_line('monitor')}` retries the export.")
    except (ClientError, BotoCoreError, DistributedSomethingError) as error:
        logger.warning("Whether to export the logs cannot be read or written: %s", error)


def export_logs(
    aws: Aws,
    record: RunRecord,
    limit: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> bool:
    """Export both log groups of a run to `exportedlogs/` in its bucket, within `limit` seconds.

    Never fails: what went wrong is said, and the logs stay in CloudWatch. True if CloudWatch has
    exported all or is at it: nobody need ask again.
    """
    if limit <= 0:
        return False
    deadline = now() + limit
    refusals: list[Exception] = []
    failed = under_way = 0
    for group in log_groups(record.log_group_name):
        try:
            trouble = _export(aws, record, group, deadline, sleep, now)
        except _UnderWay as task:
            under_way += 1
            logger.warning(
                "The export of %s takes long; CloudWatch continues with %s.", group, task
            )
            continue
        except (ClientError, BotoCoreError) as error:
            refusals.append(error)
            trouble = f"{error} They stay in CloudWatch."
        if trouble:
            failed += 1
            logger.warning("The logs of %s were not exported: %s", group, trouble)
    if failed:
        _explain(aws, record, refusals)
        return False
    if not under_way:
        logger.info("The logs are also in s3://%s/%s/.", record.bucket, EXPORTS)
    return True


class _UnderWay(Exception):
    """CloudWatch has not finished a task in time, and goes on without us; says which."""


def _export(
    aws: Aws,
    record: RunRecord,
    group: str,
    deadline: float,
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> str:
    """Export one group; returns what went wrong, or nothing. Raises _UnderWay."""
    task = None
    while True:
        if task is None:
            prefix = f"{EXPORTS}/{group}"
            task = exports.start_export(
                aws.logs, group, record.bucket, prefix, record.started, now()
            )
        if task:
            state = exports.export_state(aws.logs, task)
            if state:
                return "" if state == "COMPLETED" else f"the task {task} {state.lower()}."
        if now() >= deadline:
            if task:
                raise _UnderWay(task)
            return "another export of this account is running, and AWS allows one at a time."
        sleep(_LOOK_EVERY)


def _explain(aws: Aws, record: RunRecord, refusals: Sequence[Exception]) -> None:
    """Say once which policy the bucket needs, where that is the likely reason for a refusal."""
    codes = [error_code(error) for error in refusals if isinstance(error, ClientError)]
    if "InvalidParameterException" not in codes:
        return
    try:
        account = who_calls(aws.sts).account
    except (ClientError, BotoCoreError):
        account = "ACCOUNT"
    scope = Scope(account, (aws.region,), (record.bucket,))
    policy = log_export_policy(scope, record.bucket)
    logger.warning(
        "CloudWatch may write to s3://%s if it is in %s and has this bucket policy:\n%s",
        record.bucket,
        aws.region,
        json.dumps(policy, indent=2),
    )
