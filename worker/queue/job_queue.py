"""Take one message from a queue, and settle it: delete it, give it back, or dead-letter it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from distributed_something.protocol.jobs import (
    JOB_ID_ATTRIBUTE,
    REASON_ATTRIBUTE,
    REASON_BYTES,
    RUN_ID_ATTRIBUTE,
)
from distributed_something.protocol.ledger.keys import queue_ledger

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

LONGEST_POLL = 20  # seconds, the most that SQS waits
LONGEST_VISIBILITY = 43200  # seconds
MOST_ATTRIBUTES = 10  # of a message
# SQS has said each of these, in its time, of a receipt whose lease is over.
_NOT_OURS = {"MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"}
# And each of these of a message that is too large, or has too many attributes.
_REFUSED = {"InvalidParameterValue", "InvalidMessageContents"}
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_NOT_ALLOWED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Message:
    """One received message; times are seconds since 1970."""

    body: str
    receipt: str
    received: float
    sent: float = 0.0
    receive_count: int = 1
    message_id: str = ""  # the same at each receipt
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The run it was sent in; empty if it was sent by hand."""
        return self.attributes.get(RUN_ID_ATTRIBUTE, "")

    @property
    def job_id(self) -> str:
        """What its sender said the job's id is; empty if it was sent by hand."""
        return self.attributes.get(JOB_ID_ATTRIBUTE, "")


def receive(
    sqs: SQSClient,
    queue_url: str,
    visibility: int,
    wait: float,
    *,
    now: Callable[[], float] = time.time,
) -> Message | None:
    """Wait up to `wait` seconds for one message, which is then hidden for `visibility` seconds."""
    asked = now()  # the lease began no earlier than this
    response = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=1,
        WaitTimeSeconds=min(LONGEST_POLL, round(wait)),
        VisibilityTimeout=visibility,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
    )
    messages = response.get("Messages", [])
    return _read(messages[0], max(asked, now() - 1)) if messages else None


def ledger_of(sqs: SQSClient, queue_url: str) -> str:
    """The ledger of this queue's messages that no run was begun for: upstream's, or by hand."""
    try:
        answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["CreatedTimestamp"])
    except sqs.exceptions.QueueDoesNotExist:
        return queue_ledger("gone")
    return queue_ledger(answer["Attributes"]["CreatedTimestamp"])


def _read(message: Mapping[str, Any], received: float) -> Message:
    system = message.get("Attributes", {})
    given = message.get("MessageAttributes", {})
    return Message(
        body=message["Body"],
        receipt=message["ReceiptHandle"],
        received=received,
        sent=int(system.get("SentTimestamp", 0)) / 1000,
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        message_id=message.get("MessageId", ""),
        attributes={
            name: value["StringValue"] for name, value in given.items() if "StringValue" in value
        },
    )


def delete(sqs: SQSClient, queue_url: str, message: Message) -> None:
    """Take a message out of the queue for good; one that is already out is fine."""
    try:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message.receipt)
    except ClientError as error:
        if not is_no_longer_ours(error):
            raise
        logger.info("The message was already deleted from the queue, or given to another worker.")


def give_back(sqs: SQSClient, queue_url: str, message: Message, delay: float) -> None:
    """Make a message visible again after `delay` seconds; one no longer ours is left alone."""
    seconds = max(0, min(LONGEST_VISIBILITY, round(delay)))
    try:
        sqs.change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
        )
    except ClientError as error:
        if not is_no_longer_ours(error):
            raise
        logger.info("The message is no longer held by this worker; nothing to give back.")


def send_to_dead_letters(
    sqs: SQSClient, dead_letter_url: str, message: Message, reason: str
) -> None:
    """Copy a message to the dead-letter queue with the reason as an attribute.

    A message that was sent by hand may leave no room for it: then other attributes, and at last the
    reason, which the ledger has too, are left out.
    """
    said = {REASON_ATTRIBUTE: _cut(legal_text(reason), REASON_BYTES)}
    given = message.attributes
    ours = {name: given[name] for name in (RUN_ID_ATTRIBUTE, JOB_ID_ATTRIBUTE) if name in given}
    for attributes in ({**given, **said}, {**ours, **said}):
        if len(attributes) > MOST_ATTRIBUTES:
            continue
        try:
            _send(sqs, dead_letter_url, message.body, attributes)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _REFUSED:
                raise
            logger.warning("The dead-letter message is written with fewer attributes: %s", error)
        else:
            return
    _send(sqs, dead_letter_url, message.body, ours)


def _send(sqs: SQSClient, url: str, body: str, attributes: Mapping[str, str]) -> None:
    sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in attributes.items()
            if value
        },
    )


def _cut(text: str, most: int) -> str:
    """As much of a text as fits into so many bytes."""
    return text.encode()[:most].decode(errors="ignore")


def is_no_longer_ours(error: ClientError) -> bool:
    """Whether SQS says that a message is visible again, deleted, or another receiver's."""
    return str(error.response["Error"]["Code"]).rsplit(".", 1)[-1] in _NOT_OURS


def is_beyond_limit(error: ClientError) -> bool:
    """Whether SQS says that it lets nobody hold a message for so long; it is still ours then."""
    refusal = error.response["Error"]
    return refusal["Code"] == "InvalidParameterValue" and "VisibilityTimeout" in refusal["Message"]


def legal_text(text: str) -> str:
    """The text with each character that SQS refuses replaced by a question mark."""
    return _NOT_ALLOWED.sub("?", text)
