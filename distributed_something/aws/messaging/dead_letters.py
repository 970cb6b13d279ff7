"""Find the letters of certain jobs in a dead-letter queue that many apps share, and remove them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ...protocol.jobs import JOB_ID_ATTRIBUTE, RUN_ID_ATTRIBUTE

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

BATCH_SIZE = 10  # the most messages that one request receives or deletes
HELD_SECONDS = 3600  # how long letters stay hidden: longer than their jobs take to be sent
_READERS = 8  # requests on their way at once
_EMPTY_ANSWERS = 3  # in a row: SQS asks only some of its servers, so one proves nothing


@dataclass(frozen=True)
class Letter:
    """One dead letter that is held, hidden from others."""

    job_id: str
    receipt: str


def hold_letters(sqs: SQSClient, queue_url: str, run_id: str, job_ids: set[str]) -> list[Letter]:
    """Hold the letters of these jobs of a run, and give all others back untouched.

    A letter is a job's only if both its attributes say so. What is not deleted within
    `HELD_SECONDS`, or after `release_letters`, is in the queue as before.
    """
    ours: list[Letter] = []
    others: list[str] = []
    missing = set(job_ids)
    try:
        with ThreadPoolExecutor(_READERS) as pool:
            empty = 0
            while missing and empty < _EMPTY_ANSWERS:
                answers = list(pool.map(lambda _: _receive(sqs, queue_url), range(_READERS)))
                empty = 0 if any(answers) else empty + 1
                for message in (part for answer in answers for part in answer):
                    job_id = _job_of(message, run_id)
                    if job_id in job_ids:
                        ours.append(Letter(job_id, message["ReceiptHandle"]))
                        missing.discard(job_id)
                    else:
                        others.append(message["ReceiptHandle"])
    except sqs.exceptions.OverLimit:
        logger.warning(
            "SQS hands out no more dead-letter messages at the same time: not all were read."
        )
    except BaseException:
        release_letters(sqs, queue_url, [letter.receipt for letter in ours])
        raise
    finally:
        release_letters(sqs, queue_url, others)
    return ours


def release_letters(sqs: SQSClient, queue_url: str, receipts: Sequence[str]) -> None:
    """Show letters that were held to everybody again."""
    batches = (
        [
            {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for n, receipt in enumerate(some)
        ]
        for some in _batches(receipts)
    )
    _each(partial(sqs.change_message_visibility_batch, QueueUrl=queue_url), batches)


def delete_letters(sqs: SQSClient, queue_url: str, letters: Sequence[Letter]) -> int:
    """Remove letters that are held; returns how many went."""
    batches = (
        [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)]
        for some in _batches([letter.receipt for letter in letters])
    )
    answers = _each(partial(sqs.delete_message_batch, QueueUrl=queue_url), batches)
    return sum(len(answer.get("Successful", [])) for answer in answers)


def _receive(sqs: SQSClient, queue_url: str) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=BATCH_SIZE,
        VisibilityTimeout=HELD_SECONDS,
        MessageAttributeNames=[RUN_ID_ATTRIBUTE, JOB_ID_ATTRIBUTE],
    )
    return [*answer.get("Messages", [])]


def _job_of(message: Any, run_id: str) -> str:
    """The job of a letter of this run; empty for another run's, or a letter that does not say."""
    given = message.get("MessageAttributes", {})
    if given.get(RUN_ID_ATTRIBUTE, {}).get("StringValue") != run_id:
        return ""
    return str(given.get(JOB_ID_ATTRIBUTE, {}).get("StringValue", ""))


def _batches(receipts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(receipts), BATCH_SIZE):
        yield receipts[start : start + BATCH_SIZE]


def _each(call: Callable[..., Any], batches: Iterator[list[dict[str, Any]]]) -> list[Any]:
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda entries: call(Entries=entries), batches))
