"""Look at S3 buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ..errors import DistributedSomethingError, NotFound
from .tags import error_code

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def check_bucket(s3: S3Client, bucket: str, constant: str = "AWS_BUCKET") -> None:
    """Raise unless the bucket is there and ours to use; `constant` is the one that named it."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchBucket"):
            raise NotFound(
                f"No bucket named {bucket}: make it, or mend {constant} in the config file."
            ) from None
        if error_code(error) in ("403", "AccessDenied"):
            raise DistributedSomethingError(
                f"The bucket {bucket} is not open to you: mend {constant} in the config file, "
                "or ask its owner for the right to use it."
            ) from None
        raise
