"""Make the worker's clients; botocore finds region, credentials and AWS_ENDPOINT_URL by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

from distributed_something.protocol.sessions import let_requester_pay, read_quickly

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


def make_clients(region: str, *, requester_pays: bool = False) -> Clients:
    """Make them all, for one region; `requester_pays` accepts the bill of others' buckets."""
    session = _session(region, requester_pays=requester_pays)
    return Clients(
        sqs=session.client("sqs", config=_PATIENT),
        lease_sqs=session.client("sqs", config=_BRISK),
        s3=session.client("s3", config=_PATIENT),
        lease_s3=session.client("s3", config=_BRISK),
        logs=session.client("logs", config=_BRIEF),
        brisk_logs=session.client("logs", config=_BRISK),
    )


@lru_cache(maxsize=1)
def paying_s3(region: str) -> S3Client:
    """A client for the jobs whose own flags say that the requester pays."""
    return _session(region, requester_pays=True).client("s3", config=_PATIENT)


def _session(region: str, *, requester_pays: bool) -> boto3.Session:
    session = botocore.session.Session()
    read_quickly(session, parse_timestamp)
    made = boto3.Session(region_name=region, botocore_session=session)
    if requester_pays:
        let_requester_pay(made)
    return made
