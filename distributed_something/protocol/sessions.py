"""Set up botocore's sessions for both sides: times read quickly, and requests that may be billed.

A page of 1,000 keys takes botocore, which parses any format of a time, 47 ms of CPU, 33 of them for
its times; a ledger of 100,000 jobs has 300 pages: `python -m tests.benchmarks.listing`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html
_HEADER = "x-amz-request-payer"


def read_times_quickly(botocore_session: Any, otherwise: Callable[[str], datetime]) -> None:
    """Have the clients of a botocore session read times so; `otherwise` reads other formats."""
    factory = botocore_session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=lambda text: read_time(text, otherwise))


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
