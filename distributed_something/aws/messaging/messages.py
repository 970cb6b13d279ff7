"""Send jobs to an SQS queue: ten a request, many requests at once, what failed again."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import DistributedSomethingError, NotFound
from ...protocol.jobs import ATTRIBUTE_BYTES, JOB_ID_ATTRIBUTE, MESSAGE_BYTES, RUN_ID_ATTRIBUTE
from ...words import count_of

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
BATCH_SIZE = 10  # the most messages SQS takes in one request

THREADS = 24  # requests on their way at once
_AHEAD = 4 * THREADS  # requests made up before they can be sent: bounds memory
_TRIES = 8  # of one batch; the waits between them add up to about a minute
_LONGEST_WAIT = 20.0  # seconds


class Message(NamedTuple):
    """One job's message; `body` is ASCII, so that its length is its size in bytes."""

    job_id: str
    body: str


def send_messages(
    sqs: SQSClient,
    queue_url: str,
    run_id: str,
    messages: Iterable[Message],
    *,
    on_sent: Callable[[int], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send every message of a run; returns how many. `on_sent` is told how many SQS has so far.

    `messages` is read no further ahead than `THREADS` need. Raises DistributedSomethingError if SQS
    refuses a message or keeps failing; what was sent before stays sent.
    """
    sent = 0
    waiting: deque[Future[int]] = deque()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="send") as pool:
        try:
            for batch in _batches(messages):
                if len(waiting) >= _AHEAD:
                    sent += waiting.popleft().result()
                    on_sent(sent)
                waiting.append(pool.submit(_send, sqs, queue_url, run_id, batch, sleep))
            while waiting:
                sent += waiting.popleft().result()
                on_sent(sent)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sent


def queue_message_limit(sqs: SQSClient, queue_url: str) -> int:
    """The most bytes that this queue takes in one message."""
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["MaximumMessageSize"])
    return int(answer.get("Attributes", {}).get("MaximumMessageSize", MESSAGE_BYTES))


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        bytes_ = len(message.body) + ATTRIBUTE_BYTES
        if batch and (len(batch) == BATCH_SIZE or size + bytes_ > MESSAGE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += bytes_
    if batch:
        yield batch


def _send(
    sqs: SQSClient,
    queue_url: str,
    run_id: str,
    batch: Sequence[Message],
    sleep: Callable[[float], None],
) -> int:
    """Send one batch, its failed entries again until none is left; returns its length."""
    left = [_entry(str(number), message, run_id) for number, message in enumerate(batch)]
    for attempt in range(_TRIES):
        if attempt:
            sleep(min(_LONGEST_WAIT, 0.5 * 2**attempt) * random.uniform(0.5, 1.0))
        try:
            answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=left)
        except sqs.exceptions.QueueDoesNotExist:
            raise NotFound(
                f"The queue {queue_url.rsplit('/', 1)[-1]} was deleted while jobs were being "
                "queued."
            ) from None
        failed = {entry["Id"]: entry for entry in answer.get("Failed", [])}
        for identity, entry in failed.items():
            if entry["SenderFault"]:
                raise DistributedSomethingError(
                    f"SQS refuses job {batch[int(identity)].job_id}: {entry['Code']}: "
                    f"{entry.get('Message', 'without a reason')}. The jobs before it were queued; "
                    "correct this job and submit the file again."
                )
        left = [entry for entry in left if entry["Id"] in failed]
        if not left:
            return len(batch)
    code = next(iter(failed.values()))["Code"]
    raise DistributedSomethingError(
        f"SQS did not take {count_of(len(left), 'job')} in {_TRIES} tries ({code}). Submit the "
        "file again later: jobs that are done by then do not run twice."
    )


def _entry(identity: str, message: Message, run_id: str) -> Any:
    return {
        "Id": identity,
        "MessageBody": message.body,
        "MessageAttributes": {
            RUN_ID_ATTRIBUTE: {"DataType": "String", "StringValue": run_id},
            JOB_ID_ATTRIBUTE: {"DataType": "String", "StringValue": message.job_id},
        },
    }
