"""What the queue and its dead-letter queue are made with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..inputs.settings import Settings

RETENTION_SECONDS = 14 * 24 * 3600  # the longest that SQS keeps a message
LARGEST_MESSAGE = 1024 * 1024  # bytes, SQS's own limit

# A safety net only: an interruption counts as a receive too, so that the ledger and JOB_RETRIES
# say when a job has failed for good.
MAX_RECEIVES = 1000


def dead_letter_attributes() -> dict[str, str]:
    """The dead-letter queue's attributes.

    A dead letter's age counts from when its job was first sent, so it is kept as long as can be.
    """
    return {
        "MaximumMessageSize": str(LARGEST_MESSAGE),
        "MessageRetentionPeriod": str(RETENTION_SECONDS),
    }


def queue_attributes(settings: Settings, dead_letter_arn: str) -> dict[str, str]:
    """The queue's attributes."""
    redrive = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": str(MAX_RECEIVES)}
    return {
        "DelaySeconds": "0",
        "MaximumMessageSize": str(LARGEST_MESSAGE),
        "MessageRetentionPeriod": str(RETENTION_SECONDS),
        "ReceiveMessageWaitTimeSeconds": "0",
        "RedrivePolicy": json.dumps(redrive),
        "VisibilityTimeout": str(settings.sqs_message_visibility),
    }
