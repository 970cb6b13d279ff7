"""Set up botocore's sessions for both sides: answers read quickly, requests that may be billed.

A page of 1,000 keys takes botocore 47 ms of CPU: 33 for times, of which it parses any format, and
12 to walk through their XML. A ledger of 100,000 jobs has 300 pages:
`python -m tests.benchmarks.listing`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html
_HEADER = "x-amz-request-payer"


# An object of a listing, in the order in which S3 writes its parts.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
_OBJECT = re.compile(
    rb"<Contents><Key>([^<]*)</Key><LastModified>([^<]*)</LastModified><ETag>([^<]*)</ETag>"
    rb"(?:<ChecksumAlgorithm>[^<]*</ChecksumAlgorithm>)*"
    rb"(?:<ChecksumType>[^<]*</ChecksumType>)?"
    rb"<Size>([0-9]+)</Size>(?:<StorageClass>([^<]*)</StorageClass>)?</Contents>"
)

_Parse = Callable[[Any, Any], Any]


def read_quickly(botocore_session: Any, otherwise: Callable[[str], datetime]) -> None:
    """Have the clients of a botocore session read times and listings so.

    `otherwise` reads other formats of a time. What a listing says of checksums is left out.
    """
    factory = botocore_session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=lambda text: read_time(text, otherwise))
    make = factory.create_parser

    def create_parser(protocol: str) -> Any:
        parser = make(protocol)
        parse: _Parse = parser.parse
        parser.parse = lambda answer, shape: _parse(answer, shape, parse, otherwise)
        return parser

    factory.create_parser = create_parser


def _parse(answer: Any, shape: Any, parse: _Parse, otherwise: Callable[[str], datetime]) -> Any:
    """Read an answer by botocore's `parse`, but the objects of a listing by ourselves."""
    if getattr(shape, "name", "") != "ListObjectsV2Output" or answer["status_code"] != 200:
        return parse(answer, shape)
    found = _OBJECT.findall(answer["body"])
    if not found or len(found) != answer["body"].count(b"<Contents"):
        return parse(answer, shape)  # written in another way
    parsed = parse({**answer, "body": _OBJECT.sub(b"", answer["body"])}, shape)
    parsed["Contents"] = [_object(parts, otherwise) for parts in found]
    return parsed


def _object(parts: tuple[bytes, ...], otherwise: Callable[[str], datetime]) -> dict[str, Any]:
    key, written, etag, size, storage = map(bytes.decode, parts)
    listed = {
        "Key": unescape(key) if "&" in key else key,
        "LastModified": read_time(written, otherwise),
        "ETag": unescape(etag),
        "Size": int(size),
    }
    return {**listed, "StorageClass": storage} if storage else listed


def read_time(text: str | float, otherwise: Callable[[str], datetime]) -> datetime:
    """A time as AWS writes it in headers and in XML; `otherwise` reads all others."""
    written = str(text)
    try:
        if written.endswith("Z"):
            return datetime.fromisoformat(f"{written[:-1]}+00:00")
        if written.endswith(" GMT"):
            return parsedate_to_datetime(written)
    except ValueError:
        pass
    return otherwise(written)


def let_requester_pay(session: Any) -> None:
    """Have all S3 clients that a boto3 session makes from now on accept the bill.

    Every request says so, listings and HEAD too: a bucket that bills its owner takes no notice.
    """
    session.events.register("before-sign.s3", _accept)


def _accept(request: Any, **_: Any) -> None:
    if _HEADER not in request.headers:  # an upload may say it itself
        request.headers[_HEADER] = "requester"
