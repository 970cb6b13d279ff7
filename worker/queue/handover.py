"""Pass a lease on to an attempt that outlives the longest lease of SQS, so that its job runs once.

SQS lets no one hold a message for more than 12 hours, and gives a new receipt to whoever receives
it next. So a long attempt writes, before its lease ends, that it is alive (a claim), and goes on
writing so. Whoever then receives the message finds the claim and leaves the new receipt beside
it, instead of running the job; the attempt takes the receipt and has a lease of 12 hours again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from distributed_something.protocol.ledger.keys import RunKeys

from .job_queue import Message

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@dataclass(frozen=True)
class Claim:
    """The claim of one attempt at one job."""

    s3: S3Client
    bucket: str
    keys: RunKeys
    job_id: str
    attempt_id: str

    def write(self) -> None:
        """Say, again, that the attempt is alive."""
        self.s3.put_object(
            Bucket=self.bucket,
            Key=self.keys.lease_claim(self.job_id),
            Body=self.attempt_id.encode(),
        )

    def take(self, message: Message) -> Message | None:
        """The message with the receipt that someone left for this attempt, if someone did."""
        try:
            response = self.s3.get_object(
                Bucket=self.bucket, Key=self.keys.lease_receipt(self.job_id)
            )
        except self.s3.exceptions.NoSuchKey:
            return None
        left = json.loads(response["Body"].read())
        if left["attempt_id"] != self.attempt_id or left["receipt"] == message.receipt:
            return None
        return replace(message, receipt=left["receipt"], received=left["received"])

    def withdraw(self) -> None:
        """Take the claim back, and what was left for it."""
        for key in (self.keys.lease_claim(self.job_id), self.keys.lease_receipt(self.job_id)):
            self.s3.delete_object(Bucket=self.bucket, Key=key)


def living_claimant(
    s3: S3Client, bucket: str, keys: RunKeys, job_id: str, fresh_seconds: float
) -> str | None:
    """The attempt that has claimed a job in the last `fresh_seconds`, by the clock of S3."""
    try:
        response = s3.get_object(Bucket=bucket, Key=keys.lease_claim(job_id))
    except s3.exceptions.NoSuchKey:
        return None
    asked: datetime = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
    if (asked - response["LastModified"]).total_seconds() > fresh_seconds:
        return None
    return response["Body"].read().decode()


def leave_receipt(
    s3: S3Client, bucket: str, keys: RunKeys, job_id: str, attempt_id: str, message: Message
) -> None:
    """Leave a message's receipt for the attempt that has claimed the job."""
    body = {
        "attempt_id": attempt_id,
        "receipt": message.receipt,
        "received": message.received,
    }
    s3.put_object(Bucket=bucket, Key=keys.lease_receipt(job_id), Body=json.dumps(body).encode())
