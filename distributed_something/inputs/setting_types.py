"""The forms that values of `config.py` may have, and what they are read as.

Upstream's configs write everything as text: 'True' and 'False', '' or False for what is not set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from ..protocol.upload_flags import UploadFlags

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
_ZONE = re.compile(r"(?P<region>[a-z]{2,4}(-[a-z]+)+-\d+)(-[a-z0-9]+-\d+)?[a-z]")
APP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,66}")  # + `_DeadMessages` names a queue
_QUEUE = re.compile(r"[A-Za-z0-9_-]{1,80}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MACHINE_TYPE = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TOPIC = re.compile(r"(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:)?[A-Za-z0-9_-]{1,256}")


def _flag(value: object) -> object:
    """Upstream writes booleans as 'True' and 'False' in any case, and '' for unset."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false", ""):
        return value.strip().lower() == "true"
    if isinstance(value, bool):
        return value
    raise ValueError("must be 'True' or 'False'")


def _unset(value: object) -> object:
    """Upstream writes '', False or 'False' (in any case) for a text that is not set."""
    if value is None or value is False:
        return ""
    return "" if isinstance(value, str) and value.strip().lower() == "false" else value


def _no_truth(value: object) -> object:
    """True and False are numbers to Python, and never meant as such here."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _profile(value: object) -> object:
    return _unset(value) or "default"


def _region(value: str) -> str:
    if zone := _ZONE.fullmatch(value):
        raise ValueError(f"is an availability zone; its region is {zone['region']!r}")
    if not _REGION.fullmatch(value):
        raise ValueError("must be a region, such as 'us-east-1'")
    return value


def _price(value: object) -> object:
    """0, None and '' mean no cap of our own."""
    if (
        value is None
        or value is False
        or (isinstance(value, str) and value.strip() in ("", "None"))
    ):
        return None
    try:
        return None if float(str(value)) == 0 else value
    except ValueError:
        return value


def _unset_amount(value: object) -> object:
    return 0 if value in (None, "") else value


def _one_or_many(value: object) -> object:
    if value in ([], ()):
        raise ValueError("must name at least one instance type")
    return [value] if isinstance(value, str) else value


def _queue_name(value: str) -> str:
    """A queue's name or its ARN, of which the text after the last colon is the name."""
    return _matching(_QUEUE, "must be a queue name of 1 to 80 letters, digits, - and _")(
        value.rsplit(":", 1)[-1]
    )


def _optional_bucket(value: str) -> str:
    return _bucket(value) if value else ""


def _matching(pattern: re.Pattern[str], rule: str) -> Callable[[str], str]:
    """A check that a text has a form; the rule says which, for people."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(rule)
        return value

    return check


def _optional(pattern: re.Pattern[str], rule: str) -> Callable[[str], str]:
    """The same for a text that may be left out."""
    check = _matching(pattern, rule)
    return lambda value: check(value) if value else ""


_bucket = _matching(
    _BUCKET,
    "must be a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens, no s3://",
)


def _upload_flags(value: str) -> str:
    UploadFlags.read(value)
    return value


# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Ulimit.html
_ULIMITS = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc"),
    *("rss", "rtprio", "rttime", "sigpending", "stack"),
)


def _ulimits(value: object) -> object:
    """Limits by name: a number for both, or a soft and a hard one; -1 is no limit."""
    if value in (None, "", False):
        return {}
    if not isinstance(value, dict):
        raise ValueError("must be limits by their names, such as {'nofile': 65536}")
    return {str(name): _limits(str(name), given) for name, given in value.items()}


def _limits(name: str, given: object) -> tuple[int, int]:
    if name not in _ULIMITS:
        raise ValueError(f"{name!r} is no limit of a container; these are: {', '.join(_ULIMITS)}")
    pair = list(given) if isinstance(given, (list, tuple)) else str(given).split(":")
    pair = pair * 2 if len(pair) == 1 else pair
    try:
        soft, hard = (int(str(number)) for number in pair)
    except ValueError:
        raise ValueError(
            f"{name!r} must be a whole number, or a soft and a hard limit, such as [1024, 65536]"
        ) from None
    if min(soft, hard) < -1 or (hard != -1 and (soft == -1 or soft > hard)):
        raise ValueError(f"{name!r} is {given!r}; the soft limit must not be above the hard one")
    return soft, hard


Flag = Annotated[bool, BeforeValidator(_flag)]
OptionalText = Annotated[str, BeforeValidator(_unset)]
OptionalBucket = Annotated[str, AfterValidator(_optional_bucket), BeforeValidator(_unset)]
QueueName = Annotated[str, AfterValidator(_queue_name)]
Count = Annotated[int, BeforeValidator(_no_truth)]
Amount = Annotated[float, BeforeValidator(_no_truth)]
MachineType = Annotated[
    str, AfterValidator(_matching(_MACHINE_TYPE, "must be an instance type, such as 'm5.xlarge'"))
]
AppName = Annotated[
    str,
    AfterValidator(
        _matching(
            APP_NAME, "must be 1 to 67 letters, digits, - and _, starting with a letter or digit"
        )
    ),
]
LogGroup = Annotated[
    str,
    AfterValidator(
        _matching(re.compile(r"[A-Za-z0-9_./#-]{1,400}"), "must be only letters, digits and _-/.#")
    ),
]
Image = Annotated[
    str, AfterValidator(_matching(re.compile(r"\S+"), "must be an image, such as 'user/tool:1.0'"))
]
Finish = Annotated[
    Literal["fast", "cheap"], BeforeValidator(lambda v: v.lower() if isinstance(v, str) else v)
]
MountDriver = Annotated[
    str,
    AfterValidator(
        _matching(re.compile("(auto|s3fs|mount-s3)?"), "must be 'auto', 's3fs' or 'mount-s3'")
    ),
    BeforeValidator(_unset),
]
Cluster = Annotated[
    str,
    AfterValidator(
        _matching(re.compile(r"[A-Za-z0-9_-]{1,255}"), "must be only letters, digits, - and _")
    ),
]
Region = Annotated[str, AfterValidator(_region)]
Profile = Annotated[str, BeforeValidator(_profile)]
BucketName = Annotated[str, AfterValidator(_bucket)]
UploadFlagsText = Annotated[str, AfterValidator(_upload_flags), BeforeValidator(_unset)]
Ulimits = Annotated[dict[str, tuple[int, int]], BeforeValidator(_ulimits)]
MachineTypes = Annotated[tuple[MachineType, ...], BeforeValidator(_one_or_many)]
Price = Annotated[float | None, Field(gt=0), BeforeValidator(_price)]
OptionalAmount = Annotated[Amount, Field(ge=0), BeforeValidator(_unset_amount)]
OptionalAddress = Annotated[
    str, AfterValidator(_optional(_ADDRESS, "must be a mail address")), BeforeValidator(_unset)
]
OptionalTopic = Annotated[
    str,
    AfterValidator(_optional(_TOPIC, "must be an SNS topic's ARN or name")),
    BeforeValidator(_unset),
]
