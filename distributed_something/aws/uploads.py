"""Upload files to S3, large ones in parts, with the bytes as they go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PART = 8 * 2**20  # bytes; larger files go in parts of this, unless S3's 10,000 parts are too few
_MOST_PARTS = 10_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_BLOCK = 2**20


def upload_file(
    s3: S3Client, path: Path, bucket: str, key: str, on_bytes: Callable[[int], None]
) -> None:
    """Upload a file; `on_bytes` gets how many bytes went since the last call.

    Raises OSError if it fails.
    """
    part = part_size(path.stat().st_size)
    config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=4)
    try:
        s3.upload_file(str(path), bucket, key, Callback=on_bytes, Config=config)
    except S3UploadFailedError as error:
        raise OSError(str(error)) from None


def part_size(size: int) -> int:
    """The size of the parts in which a file of `size` bytes goes."""
    return max(PART, -(-size // _MOST_PARTS))


def etag_of_file(path: Path) -> str:
    """The ETag, without quotes, that a file gets when it is uploaded here."""
    size = path.stat().st_size
    part = part_size(size)
    digests: list[hashlib._Hash] = []
    with path.open("rb") as file:
        while True:
            digest, left = hashlib.md5(usedforsecurity=False), part
            while left and (block := file.read(min(_BLOCK, left))):
                digest.update(block)
                left -= len(block)
            if left == part and digests:
                break
            digests.append(digest)
            if left:
                break
    if size < part:
        return digests[0].hexdigest()
    whole = hashlib.md5(b"".join(item.digest() for item in digests), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(digests)}"
