"""Make CloudWatch log groups."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)


def ensure_log_group(
    logs: CloudWatchLogsClient, name: str, retention_days: int, tags: Mapping[str, str]
) -> None:
    """Make the log group if it is not there; a retention that somebody chose for it is kept."""
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=name, tags=dict(tags))
        logger.info("Made the log group %s.", name)
    if _retention(logs, name) is None:
        logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)


def _retention(logs: CloudWatchLogsClient, name: str) -> int | None:
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    for page in pages:
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return group.get("retentionInDays")
    return None
