"""Claims in the bucket: whose it is to tell people of something, and which attempt still lives."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import Enum

from .keys import RunKeys, upload_mark
from .objects import Objects
from .unreadable import build, read_object

CLAIM_SECONDS = 300.0  # in which whoever has claimed a notice has sent it, or was ended
_TOLD = b"told"


class Notice(Enum):
    """How something stands that people are to be told of."""

    OURS = "ours to report"
    ANOTHERS = "another's, who is about to"
    TOLD = "told"


class NoticeClaims:
    """What people are told of a run, each once."""

    def __init__(self, objects: Objects, keys: RunKeys) -> None:
        self._objects = objects
        self._keys = keys

    def claim(self, what: str) -> Notice:
        """Whether it is ours to tell people of something in this run.

        Who claims it first does. One who was ended before it was told has lost it after
        CLAIM_SECONDS: rather twice than never.
        """
        key = self._keys.notice(what)
        if self._objects.put_first(key, b""):
            return Notice.OURS
        found = self._objects.fetch_dated(key)
        if found and found.body == _TOLD:
            return Notice.TOLD
        if found and found.age < CLAIM_SECONDS:
            return Notice.ANOTHERS
        self._objects.put(key, b"")
        return Notice.OURS

    def note_told(self, what: str) -> None:
        """Say that people were told of something: they are not told again."""
        self._objects.put(self._keys.notice(what), _TOLD)


@dataclass(frozen=True)
class Receipt:
    """The receipt of a job's message, left for the attempt that has claimed the job."""

    attempt_id: str
    receipt: str
    received: float  # seconds since 1970


class LeaseClaims:
    """One job's lease on its way from whoever received its message to the attempt that runs."""

    def __init__(self, objects: Objects, keys: RunKeys, job_id: str) -> None:
        self._objects = objects
        self._claim = keys.lease_claim(job_id)
        self._receipt = keys.lease_receipt(job_id)

    def write(self, attempt_id: str) -> None:
        """Say, again, that an attempt is alive."""
        self._objects.put(self._claim, attempt_id.encode())

    def claimant(self, fresh_seconds: float) -> str | None:
        """The attempt that has claimed the job in the last `fresh_seconds`, if one has."""
        found = self._objects.fetch_dated(self._claim)
        if found is None or found.age > fresh_seconds:
            return None
        return found.body.decode()

    def leave(self, receipt: Receipt) -> None:
        """Leave the message's receipt for the attempt that has claimed the job."""
        self._objects.put(self._receipt, json.dumps(asdict(receipt)).encode())

    def receipt(self) -> Receipt | None:
        """The receipt that was left, if one was; raises Unreadable."""
        body = self._objects.fetch(self._receipt)
        return None if body is None else build(Receipt, read_object(body))

    def withdraw(self) -> None:
        """Take the claim back, and what was left for it."""
        for key in (self._claim, self._receipt):
            self._objects.delete(key)


class UploadMark:
    """The mark that an app's results at one address may be there in part."""

    def __init__(self, objects: Objects, app_name: str, address: str) -> None:
        self._objects = objects
        self._key = upload_mark(app_name, address)
        self._address = address

    def begin(self) -> None:
        """Note that results are on their way: until `end` they may be there in part."""
        self._objects.put(self._key, self._address.encode())

    def end(self) -> None:
        """Note that all results are there."""
        self._objects.delete(self._key)

    @property
    def is_there(self) -> bool:
        return self._objects.exists(self._key)
