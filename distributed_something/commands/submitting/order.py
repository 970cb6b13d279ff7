"""Send long jobs first: one that begins last keeps its machine when all others are done."""

from __future__ import annotations

import json
import logging
import tempfile
from array import array
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.storage import size_of
from ...inputs.jobs import JobMessage, fingerprint_of
from ...protocol.buckets import Buckets
from ...protocol.jobs import Job
from ...protocol.ledger.attempts import AttemptState
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.sources import place_of
from ...run.order import longest_first

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.jobs import JobMaker
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_UNKNOWN = -1.0
_PARALLEL = 16  # requests for sizes
_BATCH = 512  # jobs whose inputs are asked for together


@dataclass(frozen=True)
class Order:
    """How jobs are ordered: by the weights of their file, or by what jobs of their name took."""

    source: str  # in words; '' for the job file's own order
    seconds: Mapping[int, float] = field(default_factory=dict)  # by fingerprint of the name
    size_of: Callable[[JobMessage], float | None] | None = None  # bytes of its inputs

    def weight_of(self, job: JobMessage) -> float | None:
        """How long a job takes beside the others, as far as is known."""
        if self.size_of:
            return self.size_of(job)
        return self.seconds.get(fingerprint_of(job.name)) if self.seconds else job.weight


AS_LISTED = Order("")


def find_order(
    aws: Aws | None,
    maker: JobMaker,
    last: RunRecord | None,
    rehearsal: Path | None,
    by_size: Settings | None = None,
) -> Order:
    """The order for the jobs of a maker: the best that is known; `rehearsal` is a report's path.

    `by_size` are the settings where the sizes of inputs are to say it, one request for each input.
    """
    if maker.has_weights:
        return Order("their weight in the job file")
    if aws and by_size:
        return Order("the size of their inputs", size_of=_Sizes(aws, by_size).of)
    try:
        if aws and last and last.run_id and (seconds := _of_last_run(aws, last)):
            return Order("the times of jobs with the same names in the app's last run", seconds)
    except (ClientError, BotoCoreError) as error:
        logger.debug("The last run cannot be read: %s", error)
    if seconds := _of_rehearsal(rehearsal):
        return Order("the times of jobs with the same names in the app's last rehearsal", seconds)
    return AS_LISTED


def in_order(jobs: Iterator[JobMessage], order: Order) -> Iterator[JobMessage]:
    """The jobs, longest first; they wait on disk, for there may be a million of them."""
    if not order.source:
        yield from jobs
        return
    with tempfile.TemporaryFile() as file:
        places, weights = array("Q"), array("d")
        for job, weight in _weighed(jobs, order):
            places.append(file.tell())
            weights.append(_UNKNOWN if weight is None else weight)
            file.write(json.dumps(job).encode() + b"\n")
        known = [None if weight == _UNKNOWN else weight for weight in weights]
        yield from _read_at(file, [places[place] for place in longest_first(known)])


def _weighed(jobs: Iterator[JobMessage], order: Order) -> Iterator[tuple[JobMessage, float | None]]:
    """Each job with its weight; inputs are asked for side by side."""
    if not order.size_of:
        yield from ((job, order.weight_of(job)) for job in jobs)
        return
    with ThreadPoolExecutor(_PARALLEL) as pool:
        while some := list(islice(jobs, _BATCH)):
            yield from zip(some, pool.map(order.weight_of, some), strict=True)


class _Sizes:
    """The sizes of jobs' inputs; an input that several jobs have is asked for once or so."""

    def __init__(self, aws: Aws, settings: Settings) -> None:
        self._aws = aws
        self._buckets = Buckets.of(settings)
        self._known: dict[tuple[str, str], int | None] = {}

    def of(self, job: JobMessage) -> float | None:
        """Bytes of a job's inputs; None if none of them is there to be seen."""
        inputs = Job.from_message(job.body).inputs
        sizes = [self._size(place_of(source)) for source in inputs]
        known = [size for size in sizes if size is not None]
        return float(sum(known)) if known else None

    def _size(self, place: str) -> int | None:
        found = self._buckets.find(place, self._buckets.source)
        if found not in self._known:
            try:
                self._known[found] = size_of(self._aws.s3, *found)
            except (ClientError, BotoCoreError) as error:
                logger.debug("The size of s3://%s/%s cannot be read: %s", *found, error)
                self._known[found] = None
        return self._known[found]


def _read_at(file: IO[bytes], places: list[int]) -> Iterator[JobMessage]:
    for place in places:
        file.seek(place)
        yield JobMessage(*json.loads(file.readline()))


def _of_last_run(aws: Aws, last: RunRecord) -> dict[int, float]:
    """Seconds by the name's fingerprint, of the jobs that were done: two listings tell."""
    ledger = RunLedger.of(aws.s3, last)
    took = {
        int(key.job_id, 16): key.seconds
        for key in ledger.attempts()
        if key.state is AttemptState.DONE and not key.passed_over
    }
    if not took:
        return {}
    return {
        fingerprint_of(job.name): took[number]
        for job in ledger.submitted_jobs()
        if (number := int(job.job_id, 16)) in took
    }


def _of_rehearsal(report: Path | None) -> dict[int, float]:
    """Seconds by the name's fingerprint, of the slowest jobs, which in a rehearsal are all."""
    try:
        values = json.loads(report.read_text()) if report else {}
        return {fingerprint_of(job["name"]): float(job["seconds"]) for job in values["slowest"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
