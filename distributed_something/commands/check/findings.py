"""What one look found out, and what is to be done about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.faults import error_code
from ...errors import DistributedSomethingError

# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_ACTION = re.compile(r"perform: ([a-z0-9-]+:\w+)")
_MADE = "(`python setup_AWS.py` makes one)"
_LAST_SENTENCE = re.compile(r"\. (?=[A-Z`])")
_FORBIDDEN = re.compile(r"Denied|Unauthorized|AuthFailure|^403$|^Forbidden$")


class State(str, Enum):
    """How one thing is; `UNSEEN` is what nobody could look at."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"
    UNSEEN = "not seen"


@dataclass(frozen=True)
class Finding:
    """One line of a check; `fix` is what to do, empty where nothing is to be done."""

    subject: str
    state: State
    text: str
    fix: str = ""


Look = Callable[[], Iterator[Finding]]


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, State.OK, text)


def warning(subject: str, text: str, fix: str = "") -> Finding:
    return Finding(subject, State.WARNING, text, fix)


def missing(subject: str, text: str, fix: str) -> Finding:
    return Finding(subject, State.MISSING, text, fix)


def unseen(subject: str, text: str, fix: str = "") -> Finding:
    return Finding(subject, State.UNSEEN, text, fix)


def looked(subject: str, look: Look) -> Iterator[Finding]:
    """What a look finds; where it is not allowed or gets no answer, a line that says so."""
    try:
        yield from look()
    except ClientError as error:
        yield _refused(subject, error)
    except BotoCoreError as error:
        yield unseen(subject, f"not seen: no answer came ({error})")
    except DistributedSomethingError as error:
        yield missing(subject, *apart(str(error)))


def is_forbidden(error: ClientError) -> bool:
    """Whether AWS refused to say because these credentials may not ask."""
    return bool(_FORBIDDEN.search(error_code(error)))


def _refused(subject: str, error: ClientError) -> Finding:
    message = str(error.response.get("Error", {}).get("Message", ""))
    if is_forbidden(error):
        action = _ACTION.search(message)
        needed = action[1] if action else error.operation_name
        return unseen(subject, f"not seen: needs the right {needed}")
    return unseen(subject, f"not seen: AWS refused {error.operation_name}: {message}")


def apart(sentence: str) -> tuple[str, str]:
    """A sentence of an error, as what is wrong and what to do about it."""
    text = sentence.strip().rstrip(".")
    if text.endswith(_MADE):
        return text.removesuffix(_MADE).rstrip(), "run `python setup_AWS.py`, which makes one"
    ends = list(_LAST_SENTENCE.finditer(text))
    if ends:
        return text[: ends[-1].start()], text[ends[-1].end() :]
    what, colon, fix = text.rpartition(": ")
    return (what, fix) if colon else (fix, "")
