"""Tell by AWS's answers how far this computer's clock is off, for which AWS refuses requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from .faults import error_code

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# What a request signed too early or too late is answered with; HEAD has no body, and says 403.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
_CODES = (
    "RequestTimeTooSkewed",
    "RequestExpired",
    "RequestInTheFuture",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "AccessDenied",
    "403",
)
_TOLERATED = 240.0  # seconds: AWS's are 300, and 900 for S3


def off_by(error: ClientError, now: Callable[[], float] = time.time) -> float:
    """Seconds that this computer's clock is ahead, if AWS may have refused for it; else 0."""
    date = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    if error_code(error) not in _CODES or not date:
        return 0.0
    try:
        ahead = now() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return 0.0
    return ahead if abs(ahead) > _TOLERATED else 0.0


def says_off(error: ClientError, now: Callable[[], float] = time.time) -> str:
    """The sentence for a clock that is off; '' where it is not."""
    ahead = off_by(error, now)
    if not ahead:
        return ""
    which = "fast" if ahead > 0 else "slow"
    return (
        f"The clock of this computer is {abs(ahead) / 60:.0f} minutes {which}, so AWS refuses its "
        "requests: set the clock (it is often wrong after sleep), then try again."
    )
