"""Tell whether a job's results are in its destination already (CHECK_IF_DONE_BOOL)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import Job
from distributed_something.protocol.ledger.claims import UploadMark
from distributed_something.protocol.ledger.objects import Objects

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
            return count > 0 and not upload_mark(s3, settings, target).is_there
    return False


def upload_mark(s3: S3Client, settings: WorkerEnvironment, target: Destination) -> UploadMark:
    """The mark that says while results are on their way: they may be there in part."""
    return UploadMark(Objects(s3, settings.aws_bucket), settings.app_name, str(target))
