"""Make, find and delete CloudWatch dashboards by their exact names."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..faults import error_code

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

logger = logging.getLogger(__name__)

_NOT_FOUND = ("DashboardNotFoundError", "ResourceNotFound")  # which of them, the protocol decides


def ensure_dashboard(cloudwatch: CloudWatchClient, name: str, body: Mapping[str, Any]) -> None:
    """Make the dashboard; one of the same name is replaced."""
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))


def delete_dashboard(cloudwatch: CloudWatchClient, name: str) -> bool:
    """Delete the dashboard of this exact name; False if there is none."""
    if not dashboard_exists(cloudwatch, name):
        return False
    try:
        cloudwatch.delete_dashboards(DashboardNames=[name])
    except ClientError as error:
        # A request that was sent twice since its answer was lost finds it gone.
        if error_code(error) not in _NOT_FOUND:
            raise
    logger.info("Deleted the dashboard %s.", name)
    return True


def list_dashboards(cloudwatch: CloudWatchClient) -> Iterator[str]:
    """The names of all dashboards of the account."""
    for page in cloudwatch.get_paginator("list_dashboards").paginate():
        yield from (dashboard["DashboardName"] for dashboard in page["DashboardEntries"])


def dashboard_exists(cloudwatch: CloudWatchClient, name: str) -> bool:
    """Whether there is a dashboard of this exact name."""
    pages = cloudwatch.get_paginator("list_dashboards").paginate(DashboardNamePrefix=name)
    return any(
        dashboard["DashboardName"] == name
        for page in pages
        for dashboard in page["DashboardEntries"]
    )
