"""See how far a run is from one listing of its ledger, however many jobs it has.

Every fact is in a key, a thousand to a request. The first page tells about how many there are;
the rest is cut at job ids, which are spread evenly, and listed side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from .keys import AttemptState, RunKeys, job_list_count
from .ledger import LedgerSummary

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

PARALLEL_LISTINGS = 16
# A cut costs half a page, since pages do not end at it: so many parts for each page of all.
_PARTS_A_PAGE = 0.2
_DIGITS = 8  # of a job id, enough to say where to cut


@dataclass(frozen=True)
class LastAttempt:
    """How a job's last attempt stands; `attempts` is how many it has had, `failed` of them did."""

    attempt_id: str
    state: AttemptState
    attempts: int
    failed: int = 0
    last_failed: str = ""  # the id of the last of these, or empty

    @property
    def started(self) -> float:
        """Seconds since 1970, by the worker's clock."""
        return int(self.attempt_id.split("-", 1)[0]) / 1000


@dataclass
class Survey:
    """What a run's keys say; times are seconds since 1970 by the bucket's clock."""

    looked: float = 0.0
    submitted: int = 0
    done: list[str] = field(default_factory=list)  # job ids
    # Jobs that were given up and are not done after all; None for one that was never tried.
    dead: dict[str, LastAttempt | None] = field(default_factory=dict)
    # Jobs that were tried and are neither done nor dead, with how their last attempt stands.
    open: dict[str, LastAttempt] = field(default_factory=dict)
    attempts: Counter[AttemptState] = field(default_factory=Counter)
    done_at: Counter[int] = field(default_factory=Counter)  # jobs by the minute of their mark
    heartbeats: dict[str, float] = field(default_factory=dict)  # keys, and when each was written
    broken: set[str] = field(default_factory=set)  # ids of machines that could not work
    watched: float | None = None  # when whoever watches the run last looked
    is_stopped: bool = False

    def beats_since(self, time: float) -> list[str]:
        """The keys of the heartbeats that were written after a time."""
        return [key for key, written in self.heartbeats.items() if written > time]

    def done_between(self, since: float, until: float) -> int:
        """How many jobs were done in some minutes, to the minute."""
        first, last = since // 60, until // 60
        return sum(count for minute, count in self.done_at.items() if first < minute <= last)


def survey_run(s3: S3Client, bucket: str, keys: RunKeys) -> Survey:
    """List the whole ledger of a run, in parallel where it is long."""
    first = s3.list_objects_v2(Bucket=bucket, Prefix=keys.prefix)
    parts = [_Part(keys)]
    if not first.get("IsTruncated"):
        parts[0].take(first, until=None)
    else:
        after, until = first_cut(keys, first["Contents"][-1]["Key"])
        parts[0].take(first, until)
        ranges = cut_ranges(keys.prefix, after)
        with ThreadPoolExecutor(PARALLEL_LISTINGS) as pool:
            parts += pool.map(lambda cut: _list_part(s3, bucket, keys, *cut), ranges)
    looked = parsedate_to_datetime(first["ResponseMetadata"]["HTTPHeaders"]["date"])
    return _together(parts, looked.timestamp())


def summarise(s3: S3Client, bucket: str, keys: RunKeys) -> LedgerSummary:
    """How far a run is, in numbers; raises what listing its ledger does."""
    seen = survey_run(s3, bucket, keys)
    return LedgerSummary(
        submitted=seen.submitted,
        done=len(seen.done),
        dead=len(seen.dead),
        attempts=seen.attempts.total(),
        failed=seen.attempts[AttemptState.FAILED],
        interrupted=seen.attempts[AttemptState.INTERRUPTED],
        open=seen.attempts[AttemptState.STARTED],
    )


def first_cut(keys: RunKeys, last: str) -> tuple[str, str | None]:
    """Where the rest begins after a first page, and what of that page is the rest's, if any.

    A job's attempts are read together: the page's last job is left to the rest.
    """
    if not last.startswith(keys.attempts):
        return last, None
    job = keys.attempts + last.removeprefix(keys.attempts).split("/", 1)[0]
    return job, job


def cut_ranges(prefix: str, last: str) -> list[tuple[str, str | None]]:
    """Where to cut what comes after a key of the first page: from where and until before what.

    Attempts come first and are two thirds of a usual ledger's keys, done marks the last third.
    """
    attempts = f"{prefix}attempts/"
    digits = last.removeprefix(attempts)[:_DIGITS]
    begun = _fraction(digits) if last.startswith(attempts) else 0.0
    pages = 1.5 / begun if begun else 1
    count = max(1, min(PARALLEL_LISTINGS, int(pages * _PARTS_A_PAGE)))
    of_attempts, of_marks = count - count // 3, count // 3
    cuts = [last]
    cuts += [attempts + cut for cut in _even_cuts(begun, of_attempts)]
    if of_marks:
        cuts.append(f"{prefix}attempts0")  # what comes after the last attempt
        kinds = ("dead/", "done/") if of_marks > 2 else ("done/",)
        cuts += [prefix + kind + cut for kind in kinds for cut in _even_cuts(0.0, of_marks)]
    ends: list[str | None] = [*cuts[1:], None]
    return list(zip(cuts, ends, strict=True))


def _even_cuts(begun: float, count: int) -> list[str]:
    """The first digits of job ids at which what is left of them falls into `count` equal parts."""
    step = (1 - begun) / count
    return [_digits(begun + step * part) for part in range(1, count)]


def _fraction(digits: str) -> float:
    try:
        return int(digits, 16) / float(16 ** len(digits))
    except ValueError:  # no job id of ours: there is nothing to reckon with
        return 0.0


def _digits(fraction: float) -> str:
    return format(int(fraction * 16**_DIGITS), f"0{_DIGITS}x")


class _Part:
    """What a part of the listing says, key by key in order; a job's attempts are all in one."""

    def __init__(self, keys: RunKeys) -> None:
        self.survey = Survey()
        self._keys = keys
        self._skip = len(keys.prefix)
        self._job = ""
        self._attempt = ""
        self._state = AttemptState.STARTED
        self._attempts = 0
        self._failed = 0
        self._last_failed = ""

    def take(self, page: ListObjectsV2OutputTypeDef, until: str | None) -> bool:
        """Read a page; False once the part's end is reached."""
        for item in page.get("Contents", []):
            if until is not None and item["Key"] >= until:
                return False
            self._take_key(item["Key"], item["LastModified"])
        return True

    def end(self) -> None:
        """Settle the last job."""
        if self._job:
            self.survey.attempts[self._state] += 1
            if self._state is not AttemptState.DONE:
                self.survey.open[self._job] = LastAttempt(
                    self._attempt, self._state, self._attempts, self._failed, self._last_failed
                )
        self._job = self._attempt = self._last_failed = ""
        self._attempts = self._failed = 0

    def _take_key(self, key: str, written: datetime) -> None:
        kind, _, name = key[self._skip :].partition("/")
        if kind == "attempts":
            self._take_attempt(name)
        elif kind == "done":
            self.survey.done.append(name)
            self.survey.done_at[int(written.timestamp()) // 60] += 1
        elif kind == "dead":
            self.survey.dead[name] = None
        elif kind == "heartbeats":
            self.survey.heartbeats[key] = written.timestamp()
        elif kind == "broken":
            self.survey.broken.add(name)
        elif kind == "jobs":
            self.survey.submitted += job_list_count(key)
        elif key == self._keys.machine_book:
            self.survey.watched = written.timestamp()
        elif key == self._keys.stopped:
            self.survey.is_stopped = True

    def _take_attempt(self, name: str) -> None:
        """The key of an attempt's end comes right before that of its start."""
        job, _, rest = name.partition("/")
        attempt, _, state = rest.rpartition(".")
        if job != self._job:
            self.end()
            self._job = job
        elif attempt == self._attempt:
            return
        else:
            self.survey.attempts[self._state] += 1
        self._attempt, self._state = attempt, AttemptState(state)
        self._attempts += 1
        if self._state is AttemptState.FAILED:
            self._failed += 1
            self._last_failed = attempt


def _list_part(s3: S3Client, bucket: str, keys: RunKeys, after: str, until: str | None) -> _Part:
    part = _Part(keys)
    for page in _pages(s3, bucket, keys.prefix, after):
        if not part.take(page, until):
            break
    return part


def _pages(
    s3: S3Client, bucket: str, prefix: str, after: str
) -> Iterator[ListObjectsV2OutputTypeDef]:
    paginator = s3.get_paginator("list_objects_v2")
    yield from paginator.paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)


def _together(parts: Sequence[_Part], looked: float) -> Survey:
    """One survey of all parts; a done mark outweighs all else that is said of its job."""
    whole = Survey(looked=looked)
    for part in parts:
        part.end()
        one = part.survey
        whole.submitted += one.submitted
        whole.done += one.done
        whole.dead |= one.dead
        whole.open |= one.open
        whole.attempts += one.attempts
        whole.done_at += one.done_at
        whole.heartbeats |= one.heartbeats
        whole.broken |= one.broken
        whole.watched = one.watched if whole.watched is None else whole.watched
        whole.is_stopped |= one.is_stopped
    for job_id in whole.done:
        whole.open.pop(job_id, None)
        whole.dead.pop(job_id, None)
    for job_id in whole.dead:
        whole.dead[job_id] = whole.open.pop(job_id, None)
    return whole
