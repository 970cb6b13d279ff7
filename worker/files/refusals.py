"""Say why an object cannot be read or written, and what to do, where S3 will refuse it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..job.judge import is_refused
from ..job.outcomes import Hopeless

_ABSENT = ("NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed")
_DENIED = ("AccessDenied", "Forbidden", "403", "AllAccessDisabled")


@contextmanager
def readable(
    what: str,
    storage_class: Callable[[], str] = lambda: "",
    absent_hint: Callable[[], str] = lambda: "",
) -> Iterator[None]:
    """Raise Hopeless with the reason and the fix for what is there and cannot be read, or is not.

    `storage_class` asks for that of an archived object, where the refusal does not name it, and
    `absent_hint` for what to write instead of a name that does not exist.
    """
    try:
        yield
    except ClientError as error:
        if not is_refused(error):
            raise
        hint = absent_hint() if _answer(error)[0] in _ABSENT else ""
        raise Hopeless(f"The input {what} {_why_unreadable(error, storage_class, hint)}") from error


@contextmanager
def writable(what: str) -> Iterator[None]:
    """The same for a file that cannot be written."""
    try:
        yield
    except ClientError as error:
        if not is_refused(error):
            raise
        raise Hopeless(f"The output {what} {_why_unwritable(error)}") from error


def _why_unreadable(error: ClientError, storage_class: Callable[[], str], hint: str) -> str:
    code, text = _answer(error)
    if code in _ABSENT:
        return f"does not exist{hint}."
    if code == "NoSuchBucket":
        return "is in a bucket that does not exist."
    if code == "InvalidObjectState":
        where = _named_class(error)
        with suppress(ClientError, BotoCoreError):
            where = where or storage_class()
        return (
            f"is archived{f' in {where}' if where else ''}: restore it first "
            "(https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html), then "
            "`python run.py retry`."
        )
    if "kms" in f"{code} {text}".lower():
        return (
            "is encrypted with a KMS key that the worker's role cannot use: allow it kms:Decrypt, "
            f"or enable the key ({_said(code, text)})."
        )
    if code in _DENIED:
        return (
            "may not be read by the worker's role: allow it s3:GetObject and s3:ListBucket there, "
            "in the bucket's policy too if it is another account's; if its readers pay, set "
            f"REQUESTER_PAYS ({_said(code, text)})."
        )
    return f"cannot be read: {_said(code, text)}."


def _why_unwritable(error: ClientError) -> str:
    code, text = _answer(error)
    if code == "NoSuchBucket":
        return "cannot be written: its bucket does not exist."
    if "kms" in f"{code} {text}".lower():
        return (
            "cannot be written with its KMS key: allow the worker's role kms:GenerateDataKey and "
            f"kms:Decrypt, or enable the key ({_said(code, text)})."
        )
    if code in _DENIED:
        return (
            "may not be written by the worker's role: allow it s3:PutObject there, and "
            f"s3:PutObjectAcl where UPLOAD_FLAGS asks for an ACL ({_said(code, text)})."
        )
    return f"cannot be written: {_said(code, text)}."


def _named_class(error: ClientError) -> str:
    """The class that the refusal names, or the tier of Intelligent-Tiering."""
    named: Any = error.response.get("Error", {})
    return str(named.get("AccessTier") or named.get("StorageClass") or "")


def _answer(error: ClientError) -> tuple[str, str]:
    answer = error.response.get("Error", {})
    return str(answer.get("Code", "")), str(answer.get("Message", ""))


def _said(code: str, text: str) -> str:
    """S3's own words; the answer to a HEAD has none but its status."""
    return f"{code}: {text.rstrip('.')}" if text and text != code else code
