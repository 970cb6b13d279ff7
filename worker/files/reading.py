"""Read an object, or a range of it, as blocks; what breaks off is taken up where it ended."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError

from .transfers import Crew

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_BLOCK = 2**20  # bytes
_TRIES = 5
_BROKEN_OFF = (IncompleteReadError, HTTPClientError, ResponseStreamingError)
_MD5 = re.compile(r"[0-9a-f]{32}")


class Damaged(OSError):
    """What came is not what is in the bucket."""


def blocks(
    s3: S3Client,
    bucket: str,
    key: str,
    etag: str,
    start: int,
    end: int,
    crew: Crew,
    body: Any = None,
) -> Iterator[bytes]:
    """The bytes from `start` up to `end` of one version of an object.

    `body` is a response's that begins at `start`, if one was asked for before.
    """
    place, tries = start, 0
    while place < end:
        if body is None:
            wanted = f"bytes={place}-{end - 1}"
            body = s3.get_object(Bucket=bucket, Key=key, Range=wanted, IfMatch=etag)["Body"]
        try:
            for block in body.iter_chunks(_BLOCK):
                crew.check()
                place += len(block)
                yield block
            if place >= end:
                break
            raise IncompleteReadError(actual_bytes=place - start, expected_bytes=end - start)
        except _BROKEN_OFF as error:
            tries += 1
            if tries == _TRIES:
                raise
            logger.info("s3://%s/%s was interrupted (%s); continuing.", bucket, key, error)
            crew.pause(tries - 1)
        finally:
            body.close()
        body = None
    if place != end:
        raise Damaged(f"s3://{bucket}/{key} gave {place - start} bytes, not {end - start}.")


def is_md5(digest: str, response: Mapping[str, Any], bucket: str) -> bool:
    """Whether an ETag is an MD5 digest, or one of such digests.

    It is not with a KMS key or one's own, nor in a directory bucket:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    return (
        _MD5.fullmatch(digest) is not None
        and not str(response.get("ServerSideEncryption", "")).startswith("aws:kms")
        and "SSECustomerAlgorithm" not in response
        and not bucket.endswith("--x-s3")
    )
