"""Make the worker's clients; botocore finds region, credentials and AWS_ENDPOINT_URL by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

from distributed_something.protocol.times import read_times_quickly

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

PARALLEL_TRANSFERS = 16
_PATIENT = Config(
    connect_timeout=5,
    read_timeout=20,  # longer than a long poll; an answer that never comes leaves a stop some time
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=PARALLEL_TRANSFERS + 4,
)
# For leases: a renewal or claim that hangs must fail in time for the next one, so it neither waits
# long nor tries again.
_BRISK = Config(
    connect_timeout=5, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1}
)
# For logs, which no job should wait for: a worker told to stop while they hang must have the time
# left to say what became of its job.
_BRIEF = Config(
    connect_timeout=5, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 5}
)


@dataclass(frozen=True)
class Clients:
    """One loop's clients; boto3's clients may be shared by its threads."""

    sqs: SQSClient
    lease_sqs: SQSClient
    s3: S3Client
    lease_s3: S3Client
    logs: CloudWatchLogsClient
    brisk_logs: CloudWatchLogsClient


def make_clients(region: str) -> Clients:
    """Make them all, for one region."""
    session = _session(region)
    return Clients(
        sqs=session.client("sqs", config=_PATIENT),
        lease_sqs=session.client("sqs", config=_BRISK),
        s3=session.client("s3", config=_PATIENT),
        lease_s3=session.client("s3", config=_BRISK),
        logs=session.client("logs", config=_BRIEF),
        brisk_logs=session.client("logs", config=_BRISK),
    )


def _session(region: str) -> boto3.Session:
    session = botocore.session.Session()
    read_times_quickly(session, parse_timestamp)
    return boto3.Session(region_name=region, botocore_session=session)
