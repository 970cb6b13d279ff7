"""Find pictures among the newest results of a run, for the thumbnails of its live page."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ....aws import storage
from ....protocol.ledger.attempts import Attempt, AttemptKey, AttemptState
from ....protocol.ledger.keys import parse_attempt
from ....protocol.ledger.run_ledger import RunLedger

if TYPE_CHECKING:
    from ....aws.session import Aws
    from ....protocol.ledger.survey import Survey

MOST_SHOWN = 12  # jobs with a picture
_MOST_BYTES = 4 << 20  # of a picture
_NEW_JOBS = 3  # whose results are listed at a look
_MOST_LISTED = 200  # objects of a job's results
# How files begin that every browser draws, and none runs anything of: SVG is not among them.
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_ENDINGS = (".png", ".jpg", ".jpeg", ".gif")


@dataclass(frozen=True)
class Picture:
    """A picture among a job's results, by a number of its own."""

    number: int
    job: str
    bucket: str
    key: str

    @property
    def file(self) -> str:
        return self.key.rpartition("/")[2]


class Pictures:
    """The first picture of each of the jobs that were done last, as far as they have one."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._of_jobs: dict[str, Picture | None] = {}
        self._bodies: dict[int, tuple[str, bytes] | None] = {}

    def look(self, ledger: RunLedger, survey: Survey, *, is_last: bool) -> list[Picture]:
        """The pictures now, newest first; but for the last look few jobs are looked through."""
        newest = heapq.nlargest(MOST_SHOWN, _done(survey), key=lambda name: name.partition("/")[2])
        keys = [parse_attempt(ledger.keys.attempts + name) for name in newest]
        new = [key for key in keys if key.job_id not in self._of_jobs]
        for attempt in ledger.read_attempts(new if is_last else new[:_NEW_JOBS]):
            self._of_jobs[attempt.job_id] = self._first(attempt)
        self._forget(keys)
        return [picture for key in keys if (picture := self._of_jobs.get(key.job_id))]

    def read(self, number: int) -> tuple[str, bytes] | None:
        """The type and the bytes of one of the pictures; None for what is no picture."""
        if number not in self._bodies:
            shown = (
                candidate
                for candidate in [*self._of_jobs.values()]
                if candidate and candidate.number == number
            )
            picture = next(shown, None)
            if picture is None:
                return None
            self._bodies[number] = self._read(picture)
        return self._bodies[number]

    def _forget(self, shown: Sequence[AttemptKey]) -> None:
        """Let the bodies go of what is shown no longer."""
        ids = {key.job_id for key in shown}
        there = {picture.number for job, picture in self._of_jobs.items() if picture and job in ids}
        for number in [body for body in self._bodies if body not in there]:
            del self._bodies[number]

    def _first(self, attempt: Attempt) -> Picture | None:
        bucket, _, prefix = attempt.output.removeprefix("s3://").partition("/")
        if not attempt.output.startswith("s3://") or not prefix:
            return None
        try:
            listed = storage.list_objects(self._aws.s3, bucket, f"{prefix.rstrip('/')}/")
            for item in islice(listed, _MOST_LISTED):
                if item["Key"].lower().endswith(_ENDINGS) and item["Size"] <= _MOST_BYTES:
                    return Picture(len(self._of_jobs), attempt.name, bucket, item["Key"])
        except (ClientError, BotoCoreError):  # who may read the ledger need not read results
            return None
        return None

    def _read(self, picture: Picture) -> tuple[str, bytes] | None:
        try:
            answer = self._aws.s3.get_object(Bucket=picture.bucket, Key=picture.key)
            body = answer["Body"].read(_MOST_BYTES)
        except (ClientError, BotoCoreError):
            return None
        kind = next((kind for start, kind in _KINDS if body.startswith(start)), "")
        return (kind, body) if kind else None


def _done(survey: Survey) -> Iterable[str]:
    """The names of the attempts that were done."""
    state = f".{AttemptState.DONE.value}."
    return (name for name in survey.attempt_names if state in name)
