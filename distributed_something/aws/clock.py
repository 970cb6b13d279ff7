"""Say where AWS refuses a request because this computer's clock is off, and by how much it is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from .faults import error_code

CLOCK_CODE = "RequestTimeTooSkewed"  # what every such refusal becomes
# What a request signed too early or too late is answered with.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
_SURE = frozenset({CLOCK_CODE, "RequestExpired", "RequestInTheFuture"})
_MAYBE = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"})
_SILENT = frozenset({"AccessDenied", "403"})  # HEAD has no body, and says 403
_SAID = re.compile(r"Signature (expired|not yet current)")
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_TOLERATED = 240.0  # seconds: AWS's are 300, and 900 for S3
_BEGINNING = "The clock of this computer is "
_FIX = (
    ", so AWS refuses its requests: set the clock (it is often wrong after sleep), then try again."
)


def tell_clock(session: Any) -> None:
    """Have all clients that a boto3 session makes from now on name the clock where it is off.

    The refusal gets the code CLOCK_CODE and a sentence for people, whoever then reads it: by its
    own code it would be taken for one of a bucket, a key or a login.
    """
    session.events.register("after-call", _rewrite)


def _rewrite(parsed: dict[str, Any], **_: Any) -> None:
    if sentence := _says_off(parsed, time.time):
        parsed["Error"] |= {"Code": CLOCK_CODE, "Message": sentence}


def is_of_clock(error: Exception) -> bool:
    """Whether AWS refused because the clock is off."""
    return isinstance(error, ClientError) and error_code(error) == CLOCK_CODE


def says_off(error: ClientError, now: Callable[[], float] = time.time) -> str:
    """The sentence for a clock that is off; '' where it is not."""
    return _says_off(error.response, now)


def _says_off(answer: Mapping[str, Any], now: Callable[[], float]) -> str:
    error = answer.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    if code not in _SURE | _MAYBE | _SILENT:
        return ""
    if message.startswith(_BEGINNING):
        return message
    ahead = _ahead_by_header(answer, now) or _ahead_by_message(message)
    if abs(ahead) > _TOLERATED:
        which = "fast" if ahead > 0 else "slow"
        return f"{_BEGINNING}{abs(ahead) / 60:.0f} minutes {which}{_FIX}"
    if code == "RequestExpired":  # EC2 says so of a session that ran out, too
        return f"{_BEGINNING}off{_FIX} If it is right, the credentials have expired."
    return f"{_BEGINNING}off{_FIX}" if code in _SURE or _SAID.search(message) else ""


def _ahead_by_header(answer: Mapping[str, Any], now: Callable[[], float]) -> float:
    """Seconds that this computer's clock is ahead of the answer's date; 0 without one."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        ahead = now() - parsedate_to_datetime(date).timestamp() if date else 0.0
    except ValueError:
        return 0.0
    return ahead if abs(ahead) > _TOLERATED else 0.0


def _ahead_by_message(message: str) -> float:
    """The same by what a message gives: the signature's time, and last the time of AWS."""
    stamps = _STAMP.findall(message) if _SAID.search(message) else []
    times = [
        datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc) for stamp in stamps
    ]
    return (times[0] - times[-1]).total_seconds() if times else 0.0
