"""Read S3's listings an order of magnitude sooner than botocore does, with the same result.

botocore takes a tenth of a second of this computer for a thousand keys, and a run of 100,000 jobs
has three hundred thousand. What a listing has that is not expected here is left to botocore.
"""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_CONTENTS = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
# An object as S3 writes it, https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
_OBJECT = re.compile(
    r"<Contents>\s*<Key>([^<]+)</Key>"
    r"\s*<LastModified>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}|\.\d{6})?)Z</LastModified>"
    r"\s*<ETag>([^<]+)</ETag>"
    r"(?:\s*<ChecksumAlgorithm>(\w+)</ChecksumAlgorithm>)?"
    r"(?:\s*<ChecksumType>(\w+)</ChecksumType>)?"
    r"\s*<Size>(\d+)</Size>\s*<StorageClass>(\w+)</StorageClass>\s*</Contents>"
)


def read_listings_quickly(s3: S3Client) -> None:
    """Have a client read the answers of ListObjectsV2 this way from now on."""
    s3.meta.events.register("before-parse.s3.ListObjectsV2", _before_parse)


def _before_parse(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Take the objects out of the answer before botocore reads the rest of it."""
    body = response_dict["body"]
    if response_dict["status_code"] != 200 or not isinstance(body, bytes):
        return
    objects = read_objects(body)
    if objects:
        response_dict["body"] = _without_objects(body)
        customized_response_dict["Contents"] = objects


def _without_objects(body: bytes) -> bytes:
    """The rest of a listing; its objects stand together unless prefixes do besides."""
    if b"<CommonPrefixes>" in body:
        return _CONTENTS.sub(b"", body)
    end = b"</Contents>"
    return body[: body.index(b"<Contents>")] + body[body.rindex(end) + len(end) :]


def read_objects(body: bytes) -> list[dict[str, Any]] | None:
    """The objects of a listing as botocore gives them; None where one is of another form."""
    text = body.decode()
    found = _OBJECT.findall(text)
    if len(found) != text.count("<Contents>"):
        return None
    objects = []
    for key, moment, tag, algorithm, kind, size, storage in found:
        one = {
            "Key": unescape(key) if "&" in key else key,
            "LastModified": datetime.fromisoformat(f"{moment}+00:00"),
            "ETag": unescape(tag.replace("&quot;", '"')),
            "Size": int(size),
            "StorageClass": storage,
        }
        if algorithm:
            one["ChecksumAlgorithm"] = [algorithm]
        if kind:
            one["ChecksumType"] = kind
        objects.append(one)
    return objects
