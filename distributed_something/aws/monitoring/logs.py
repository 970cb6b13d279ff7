"""Make and delete CloudWatch log groups."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)


def ensure_log_group(
    logs: CloudWatchLogsClient, name: str, retention_days: int, tags: Mapping[str, str]
) -> None:
    """Make the log group if it does not exist; a retention that somebody chose for it is kept."""
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=name, tags=dict(tags))
        logger.info("Created the log group %s.", name)
    if _retention(logs, name) is None:
        logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)


def delete_log_group(logs: CloudWatchLogsClient, name: str, tags: Mapping[str, str]) -> bool:
    """Delete the log group with all its lines; False if there is none or it is not ours."""
    try:
        found = logs.list_tags_log_group(logGroupName=name)["tags"]
        if any(found.get(key) != value for key, value in tags.items()):
            return False
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        return False
    logger.info("Deleted the log group %s.", name)
    return True


def list_log_groups(logs: CloudWatchLogsClient) -> Iterator[str]:
    """The names of all log groups of the account."""
    for page in logs.get_paginator("describe_log_groups").paginate():
        yield from (group["logGroupName"] for group in page["logGroups"])


def log_group_exists(logs: CloudWatchLogsClient, name: str) -> bool:
    """Whether there is a log group of this exact name."""
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    return any(group["logGroupName"] == name for page in pages for group in page["logGroups"])


def _retention(logs: CloudWatchLogsClient, name: str) -> int | None:
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    for page in pages:
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return group.get("retentionInDays")
    return None
