"""Tell whether a job's results are in its destination already (CHECK_IF_DONE_BOOL)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import Job
from distributed_something.protocol.ledger.keys import UPLOADS, app_prefix

from ..files.results import Destination

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def own_results(job: Job, target: Destination) -> Destination:
    """Where below its destination a job's results are told from those of other jobs."""
    parts = [part for part in (target.prefix, job.own_results) if part]
    return Destination(target.bucket, "/".join(parts))


def results_are_there(s3: S3Client, settings: WorkerEnvironment, target: Destination) -> bool:
    """Whether enough objects, large enough and of the right name, are there and are complete."""
    count = 0
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=target.bucket, Prefix=f"{target.prefix}/" if target.prefix else ""
    )
    for page in pages:
        for item in page.get("Contents", []):
            name = item["Key"].rsplit("/", 1)[-1]
            if (
                item["Size"] >= settings.min_file_size_bytes
                and settings.necessary_string in name
                and name
            ):
                count += 1
        if count >= settings.expected_number_files:
            return count > 0 and not _is_unfinished(s3, settings, target)
    return False


def begin_upload(s3: S3Client, settings: WorkerEnvironment, target: Destination) -> None:
    """Note that results are on their way: until `end_upload` they may be there in part."""
    s3.put_object(Bucket=settings.aws_bucket, Key=_key(settings, target), Body=str(target).encode())


def end_upload(s3: S3Client, settings: WorkerEnvironment, target: Destination) -> None:
    """Note that all results are there."""
    s3.delete_object(Bucket=settings.aws_bucket, Key=_key(settings, target))


def _is_unfinished(s3: S3Client, settings: WorkerEnvironment, target: Destination) -> bool:
    try:
        s3.head_object(Bucket=settings.aws_bucket, Key=_key(settings, target))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return False
        raise
    return True


def _key(settings: WorkerEnvironment, target: Destination) -> str:
    """Beside the app's runs, not in one: the next run must see it too."""
    place = hashlib.sha256(str(target).encode()).hexdigest()[:20]
    return f"{app_prefix(settings.app_name)}{UPLOADS}/{place}"
