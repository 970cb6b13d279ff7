"""Make and delete the schedules that call the Lambda, and the group that holds them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..tags import ec2_tags

if TYPE_CHECKING:
    from types_boto3_scheduler import EventBridgeSchedulerClient

logger = logging.getLogger(__name__)

# IAM tells all of AWS of a new role within seconds; until then the scheduler cannot take it.
_SETTLE_SECONDS = 3.0
_SETTLE_TRIES = 10


def ensure_schedule(
    scheduler: EventBridgeSchedulerClient,
    request: Mapping[str, Any],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make the schedule unless it is there already."""
    whole: Any = dict(request)
    for tried in range(_SETTLE_TRIES):
        try:
            scheduler.create_schedule(**whole)
        except scheduler.exceptions.ConflictException:
            return
        except scheduler.exceptions.ValidationException as error:
            is_new_role = "assume" in error.response["Error"].get("Message", "")
            if not is_new_role or tried == _SETTLE_TRIES - 1:
                raise
            sleep(_SETTLE_SECONDS)
        else:
            logger.info("Created the schedule %s.", request["Name"])
            return


def delete_schedule(scheduler: EventBridgeSchedulerClient, group: str, name: str) -> bool:
    """Delete the schedule; False if there is none."""
    try:
        scheduler.delete_schedule(GroupName=group, Name=name)
    except scheduler.exceptions.ResourceNotFoundException:
        return False
    logger.info("Deleted the schedule %s.", name)
    return True


def schedule_names(scheduler: EventBridgeSchedulerClient, group: str) -> Iterator[str]:
    """The names of all schedules of a group; none if there is no such group."""
    with contextlib.suppress(scheduler.exceptions.ResourceNotFoundException):
        for page in scheduler.get_paginator("list_schedules").paginate(GroupName=group):
            yield from (schedule["Name"] for schedule in page["Schedules"])


def ensure_group(scheduler: EventBridgeSchedulerClient, name: str, tags: Mapping[str, str]) -> None:
    """Make the group of schedules unless it is there."""
    request: Any = ec2_tags(tags)
    with contextlib.suppress(scheduler.exceptions.ConflictException):
        scheduler.create_schedule_group(Name=name, Tags=request)
        logger.info("Created the group of schedules %s.", name)


def delete_group(scheduler: EventBridgeSchedulerClient, name: str, tags: Mapping[str, str]) -> bool:
    """Delete the group and the schedules in it; False if there is none or it is not ours."""
    try:
        arn = scheduler.get_schedule_group(Name=name)["Arn"]
        found = scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"]
        if any({"Key": key, "Value": value} not in found for key, value in tags.items()):
            return False
        scheduler.delete_schedule_group(Name=name)
    except scheduler.exceptions.ResourceNotFoundException:
        return False
    logger.info("Deleted the group of schedules %s.", name)
    return True
