"""Take messages out of a queue, many requests at once: first hide them, then delete them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

BATCH_SIZE = 10  # the most messages that one request receives or deletes
LARGEST_TAKE = 1000
HIDDEN_SECONDS = 300  # what is not deleted by then is in the queue again
_READERS = 8  # requests on their way at once
_EMPTY_ANSWERS = 2  # in a row: SQS asks only some of its servers, so one proves nothing


@dataclass(frozen=True)
class Taken:
    """One message that is hidden from others."""

    body: str
    receipt: str


def take_messages(sqs: SQSClient, queue_url: str, most: int) -> list[Taken]:
    """About `most` messages of the queue, hidden from others; fewer only if there are no more."""
    taken: dict[str, Taken] = {}
    empty = 0
    with ThreadPoolExecutor(_READERS) as pool:
        while len(taken) < most and empty < _EMPTY_ANSWERS:
            answers = list(pool.map(lambda _: _receive(sqs, queue_url), range(_READERS)))
            empty = 0 if any(answers) else empty + 1
            for message in (part for answer in answers for part in answer):
                taken[message["MessageId"]] = Taken(message["Body"], message["ReceiptHandle"])
    return list(taken.values())


def delete_taken(sqs: SQSClient, queue_url: str, taken: Sequence[Taken]) -> None:
    """Delete messages that were taken."""
    batches = [taken[start : start + BATCH_SIZE] for start in range(0, len(taken), BATCH_SIZE)]
    with ThreadPoolExecutor(_READERS) as pool:
        list(pool.map(lambda batch: _delete(sqs, queue_url, batch), batches))


def _receive(sqs: SQSClient, queue_url: str) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=BATCH_SIZE, VisibilityTimeout=HIDDEN_SECONDS
    )
    return [*answer.get("Messages", [])]


def _delete(sqs: SQSClient, queue_url: str, batch: Sequence[Taken]) -> None:
    sqs.delete_message_batch(
        QueueUrl=queue_url,
        Entries=[
            {"Id": str(number), "ReceiptHandle": receipt.receipt}
            for number, receipt in enumerate(batch)
        ],
    )
