"""Look at S3 buckets, make them, and say who may use them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..errors import DistributedSomethingError, NotFound
from .clock import is_of_clock
from .faults import error_code
from .tags import ec2_tags

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef, PaginatorConfigTypeDef

logger = logging.getLogger(__name__)


# How S3 answers who does not accept the bill of a bucket whose readers pay, too.
IF_READERS_PAY = "if its readers pay, set REQUESTER_PAYS = 'True'"


def check_bucket(s3: S3Client, bucket: str, constant: str = "AWS_BUCKET") -> None:
    """Raise unless the bucket is there and ours to use; `constant` is the one that named it."""
    bucket_region(s3, bucket, constant)


def bucket_region(s3: S3Client, bucket: str, constant: str = "AWS_BUCKET") -> str:
    """The region of a bucket, '' if S3 does not tell; raises as `check_bucket` does."""
    try:
        answer = s3.head_bucket(Bucket=bucket)
        headers = answer["ResponseMetadata"].get("HTTPHeaders", {})
        return headers.get("x-amz-bucket-region", "")
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchBucket"):
            raise NotFound(
                f"No bucket named {bucket}: create it, or correct {constant} in the config file."
            ) from None
        if error_code(error) in ("403", "AccessDenied"):
            _raise_if_of_clock(s3, bucket)
            raise DistributedSomethingError(
                f"The bucket {bucket} is not accessible to you: correct {constant} in the config "
                "file, "
                f"or ask its owner for the right to use it; {IF_READERS_PAY}."
            ) from None
        raise


def _raise_if_of_clock(s3: S3Client, bucket: str) -> None:
    """Raise what a listing is refused with, if that names the clock: HEAD is told no reason."""
    try:
        s3.list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if is_of_clock(error):
            raise


def list_objects(
    s3: S3Client, bucket: str, prefix: str, most: int | None = None
) -> Iterator[ObjectTypeDef]:
    """The objects of a bucket below a prefix, in the order of their keys; the first `most`."""
    config: PaginatorConfigTypeDef = {} if most is None else {"MaxItems": most, "PageSize": most}
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig=config
    )
    for page in pages:
        yield from page.get("Contents", [])


def size_of(s3: S3Client, bucket: str, key: str) -> int | None:
    """The bytes of an object, or of all below a prefix that ends in a slash; None if not there."""
    if key.endswith("/"):
        sizes = [item["Size"] for item in list_objects(s3, bucket, key)]
        return sum(sizes) if sizes else None
    try:
        return s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    except ClientError as error:
        if error_code(error) != "404":
            raise
        return None


def is_missing_bucket(error: ClientError) -> bool:
    """Whether S3 refuses a request because its bucket does not exist."""
    return error_code(error) == "NoSuchBucket"


def has_policy(s3: S3Client, bucket: str) -> bool:
    """Whether the bucket has a policy of its own, which may give rights that no role has."""
    try:
        s3.get_bucket_policy(Bucket=bucket)
    except ClientError as error:
        if error_code(error) == "NoSuchBucketPolicy":
            return False
        raise
    return True


def ensure_bucket(s3: S3Client, bucket: str, region: str, tags: Mapping[str, str]) -> None:
    """Make the bucket, closed to the public, unless it is there.

    Raises DistributedSomethingError if it is another account's.
    """
    request: dict[str, Any] = {"Bucket": bucket}
    if region != "us-east-1":  # the one region that must not be named
        request["CreateBucketConfiguration"] = {"LocationConstraint": region}
    try:
        check_bucket(s3, bucket, "--bucket")
        return
    except NotFound:
        s3.create_bucket(**request)
    tag_set: Any = ec2_tags(tags)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set})
    logger.info("Created the bucket %s.", bucket)


def find_policy(s3: S3Client, bucket: str) -> dict[str, Any] | None:
    """The bucket's policy; None if it has none, or if there is no such bucket."""
    try:
        policy: dict[str, Any] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error_code(error) in ("NoSuchBucketPolicy", "NoSuchBucket"):
            return None
        raise
    return policy


def put_policy(s3: S3Client, bucket: str, policy: Mapping[str, Any] | None) -> None:
    """Give the bucket a policy; None takes away the one it has."""
    if policy is None:
        s3.delete_bucket_policy(Bucket=bucket)
    else:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
