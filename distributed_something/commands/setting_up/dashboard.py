"""Give a run its dashboard, on the names that are really in use."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.monitoring import dashboards
from ...definitions.dashboard import dashboard
from ...protocol.ledger.record import RunRecord, save_record

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)


def name_dashboard(
    aws: Aws, settings: Settings, record: RunRecord, folder: Path | None
) -> RunRecord:
    """The record with its dashboard's name, if CREATE_DASHBOARD asks for one.

    The name is saved before there is such a dashboard, so that teardown finds it.
    """
    if not settings.create_dashboard or record.dashboard:
        return record
    named = replace(record, dashboard=settings.app_name)
    save_record(aws.s3, named, folder)
    return named


def draw_dashboard(aws: Aws, settings: Settings, record: RunRecord) -> None:
    """Make the record's dashboard, or bring it up to date with the fleets that there are now.

    A run can do without: what is in the way is said, and nothing is raised for it.
    """
    if not record.dashboard:
        return
    body = dashboard(record, aws.region, settings.machine_price)
    try:
        dashboards.ensure_dashboard(aws.cloudwatch, record.dashboard, body)
    except (ClientError, BotoCoreError) as error:
        logger.warning("The dashboard %s could not be created: %s", record.dashboard, error)
    else:
        logger.info("The dashboard %s shows this run.", record.dashboard)
