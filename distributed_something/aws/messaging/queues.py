"""Make, find, measure and delete SQS queues."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ...command_lines import run_line
from ...errors import DistributedSomethingError, NotFound
from ..faults import error_code
from ..patience import until_known

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

NAME_FREE_AFTER = 60.0  # seconds; a deleted queue's name cannot be used for as long
_NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_RETRY_SECONDS = 5.0
_RETRIES = int(NAME_FREE_AFTER / _RETRY_SECONDS) + 3


@dataclass(frozen=True)
class QueueCounts:
    """How many jobs a queue holds; SQS's numbers are approximate."""

    waiting: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        return self.waiting + self.in_flight + self.delayed


def find_queue(sqs: SQSClient, name: str) -> str:
    """The queue's URL; raises NotFound."""
    try:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        raise NotFound(f"No queue named {name}: run `{run_line('setup')}` first.") from None


def list_queues(sqs: SQSClient) -> Iterator[str]:
    """The names of all queues of the account."""
    # A page size has to be asked for, or SQS answers with the first 1,000 and no more.
    pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1000})
    for page in pages:
        yield from (url.rsplit("/", 1)[-1] for url in page.get("QueueUrls", []))


def count_queue(sqs: SQSClient, name: str) -> QueueCounts | None:
    """How many jobs the queue of this name holds; None if there is no such queue."""
    try:
        return count_jobs(sqs, find_queue(sqs, name))
    except (NotFound, sqs.exceptions.QueueDoesNotExist):
        return None


def ensure_queue(
    sqs: SQSClient,
    name: str,
    attributes: Mapping[str, str],
    tags: Mapping[str, str],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """The URL of the queue, made or brought up to date with these attributes.

    A name whose queue was deleted less than 60 s ago is tried again until SQS lets go of it.
    """
    try:
        url = find_queue(sqs, name)
    except NotFound:
        return _create_queue(sqs, name, attributes, tags, sleep)
    request: Any = dict(attributes)
    until_known(
        lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=request),
        _is_unknown,
        sleep=sleep,
        what=f"the queue {name}",
    )
    logger.info("The queue %s already exists; its attributes are up to date.", name)
    if tags and not tags.keys() & sqs.list_queue_tags(QueueUrl=url).get("Tags", {}).keys():
        sqs.tag_queue(QueueUrl=url, Tags=dict(tags))  # a queue that says whose it is
    return url


def _is_unknown(error: ClientError) -> bool:
    """Whether a queue, or the target of its dead letters, was made too short a while ago.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    """
    no_target = "Dead letter target does not exist" in str(error)
    return no_target or error_code(error) in _NO_QUEUE


def delete_queue(sqs: SQSClient, name: str) -> bool:
    """Delete the queue and the messages in it; False if there is none."""
    try:
        sqs.delete_queue(QueueUrl=find_queue(sqs, name))
    except (NotFound, sqs.exceptions.QueueDoesNotExist):
        return False
    logger.info("Deleted the queue %s.", name)
    return True


def describe_queue(sqs: SQSClient, name: str) -> dict[str, str]:
    """All attributes of a queue; raises NotFound."""
    try:
        answer = sqs.get_queue_attributes(QueueUrl=find_queue(sqs, name), AttributeNames=["All"])
    except sqs.exceptions.QueueDoesNotExist:  # it was deleted just now
        raise NotFound(f"No queue named {name}.") from None
    return {str(key): value for key, value in answer["Attributes"].items()}


def queue_tags(sqs: SQSClient, name: str) -> dict[str, str]:
    """The tags of the queue of this name; none if there is no such queue."""
    try:
        return sqs.list_queue_tags(QueueUrl=find_queue(sqs, name)).get("Tags", {})
    except (NotFound, sqs.exceptions.QueueDoesNotExist):
        return {}


def queue_arn(sqs: SQSClient, url: str) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def count_jobs(sqs: SQSClient, url: str) -> QueueCounts:
    """How many jobs wait, are in flight and are delayed, approximately."""
    answer = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return QueueCounts(
        waiting=int(answer["ApproximateNumberOfMessages"]),
        in_flight=int(answer["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(answer["ApproximateNumberOfMessagesDelayed"]),
    )


def _create_queue(
    sqs: SQSClient,
    name: str,
    attributes: Mapping[str, str],
    tags: Mapping[str, str],
    sleep: Callable[[float], None],
) -> str:
    request: Any = dict(attributes)

    def create() -> str:
        return sqs.create_queue(QueueName=name, Attributes=request, tags=tags)["QueueUrl"]

    def find() -> str:
        return queue_arn(sqs, url)

    for _ in range(_RETRIES):
        try:
            url = until_known(create, _is_unknown, sleep=sleep, what="the dead-letter queue")
        except sqs.exceptions.QueueDeletedRecently:
            logger.info("SQS does not allow a new queue %s yet; waiting.", name)
            sleep(_RETRY_SECONDS)
        else:
            until_known(find, _is_unknown, sleep=sleep, what=f"the queue {name}")
            logger.info("Created the queue %s.", name)
            return url
    raise DistributedSomethingError(
        f"SQS reports the queue {name} as recently deleted, even after "
        f"{_RETRIES * _RETRY_SECONDS:.0f} "
        "seconds: try again in a minute, or change its name in the config file."
    )
