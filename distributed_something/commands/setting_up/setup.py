"""The verb `setup`: make the queues, the cluster, the log groups, the task and its service."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws import storage
from ...aws.account import roles as account
from ...aws.compute import cluster
from ...aws.faults import error_code
from ...aws.messaging import queues
from ...aws.monitoring import logs
from ...aws.session import profile_role
from ...definitions.account import TASK_ROLE
from ...definitions.logs import RETENTION_DAYS, log_groups
from ...definitions.queue import dead_letter_attributes, queue_attributes
from ...definitions.tags import app_tags
from ...definitions.task import service, task_definition
from ...errors import NotFound
from ...protocol.ledger.record import find_record
from ...protocol.upload_flags import UploadFlags
from ..watching.notices import ready_topic
from .image_check import LabelsOf, check_image
from .secret_rights import find_execution_role

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)


def setup(
    aws: Aws,
    settings: Settings,
    *,
    labels_of: LabelsOf | None = None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> None:
    """Make or bring up to date all that costs nothing while it waits; safe to repeat at any time.

    With `labels_of` it refuses at once an image that does not hold our worker (UsageError), and
    always secrets that ECS may not fetch.

    Sleeps only for what is left of the 60 s for which SQS keeps a deleted queue's name, and while
    the service of an earlier run drains.
    """
    storage.check_bucket(aws.s3, settings.aws_bucket)
    if labels_of is not None:
        check_image(settings.dockerhub_tag, labels_of)
    _say_what_is_not_taken(settings)
    execution_role = find_execution_role(aws, settings)
    dead_letter_url = _ensure_dead_letter_queue(aws, settings, sleep)
    queue_url = _ensure_queue(aws, settings, dead_letter_url, sleep, now)
    ensure_log_groups(aws, settings)
    cluster.ensure_cluster(aws.ecs, settings.ecs_cluster, app_tags(settings.app_name))
    role = _task_role(aws, settings)
    definition = task_definition(settings, queue_url, dead_letter_url, role, execution_role)
    revision = cluster.register_task_definition(aws.ecs, definition)
    tags = app_tags(settings.app_name)
    cluster.ensure_service(aws.ecs, service(settings, revision), tags, sleep=sleep)
    ready_topic(aws, settings)  # now, so that its mail can be answered before the run ends


def _say_what_is_not_taken(settings: Settings) -> None:
    """Warn of what Distributed-CellProfiler took from a profile, and of flags without a meaning."""
    role = profile_role(settings.aws_profile)
    if role and not settings.task_role_arn:
        logger.warning(
            "The profile %s names role_arn = %s. Distributed-CellProfiler gave that role to its "
            "workers; here they have TASK_ROLE_ARN, or the role %s. If they need its rights, for "
            "example for other people's buckets, put TASK_ROLE_ARN = %r into the config file.",
            settings.aws_profile,
            role,
            TASK_ROLE,
            role,
        )
    for flag in UploadFlags.read(settings.upload_flags).ignored:
        logger.warning("UPLOAD_FLAGS: %s has no meaning for an upload and is ignored.", flag)


def _task_role(aws: Aws, settings: Settings) -> str:
    """The role of workers: TASK_ROLE_ARN, or the one that `setup_AWS.py` made; '' without it."""
    if settings.task_role_arn:
        return settings.task_role_arn
    try:
        if account.has_role(aws.iam, TASK_ROLE):
            return TASK_ROLE
    except ClientError as error:
        if error_code(error) != "AccessDenied":
            raise
        return TASK_ROLE  # who may not look may still hand it on; ECS says if it does not exist
    logger.warning(
        "This account has no role %s: workers have only the rights of their "
        "machines. Run `python setup_AWS.py` once, then setup again.",
        TASK_ROLE,
    )
    return ""


def ensure_log_groups(aws: Aws, settings: Settings) -> None:
    """Make both log groups; `startCluster` does it again, in case they were deleted since."""
    for name in log_groups(settings.log_group_name):
        logs.ensure_log_group(aws.logs, name, RETENTION_DAYS, app_tags(settings.app_name))


def _ensure_dead_letter_queue(aws: Aws, settings: Settings, sleep: Callable[[float], None]) -> str:
    with suppress(NotFound):  # one that is there is left as it is: others may use it
        return queues.find_queue(aws.sqs, settings.sqs_dead_letter_queue)
    return queues.ensure_queue(
        aws.sqs,
        settings.sqs_dead_letter_queue,
        dead_letter_attributes(),
        app_tags(settings.app_name),
        sleep=sleep,
    )


def _ensure_queue(
    aws: Aws,
    settings: Settings,
    dead_letter_url: str,
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> str:
    _wait_for_the_name(aws, settings, sleep, now)
    return queues.ensure_queue(
        aws.sqs,
        settings.sqs_queue_name,
        queue_attributes(settings, queues.queue_arn(aws.sqs, dead_letter_url)),
        app_tags(settings.app_name),
        sleep=sleep,
    )


def _wait_for_the_name(
    aws: Aws, settings: Settings, sleep: Callable[[float], None], now: Callable[[], float]
) -> None:
    """Wait until SQS has let go of the queue that the last teardown deleted.

    Made too early, the queue would be there and swallow messages:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
    """
    last = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    if last is None or last.queue_deleted is None or last.queue_name != settings.sqs_queue_name:
        return
    # Another machine's clock wrote the time, so that it may lie in our future.
    left = min(last.queue_deleted + queues.NAME_FREE_AFTER - now(), queues.NAME_FREE_AFTER)
    if left > 0:
        logger.info(
            "The last run's queue was just deleted; SQS allows a new one in %.0f seconds.",
            left,
        )
        sleep(left)
