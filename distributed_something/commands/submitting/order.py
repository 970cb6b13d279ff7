"""Send long jobs first: one that begins last keeps its machine when all others are done."""

from __future__ import annotations

import json
import logging
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...inputs.jobs import JobMessage, fingerprint_of
from ...protocol.ledger.attempts import AttemptState
from ...protocol.ledger.run_ledger import RunLedger
from ...run.order import longest_first

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.jobs import JobMaker
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_UNKNOWN = -1.0


@dataclass(frozen=True)
class Order:
    """How jobs are ordered: by the weights of their file, or by what jobs of their name took."""

    source: str  # in words; '' for the job file's own order
    seconds: Mapping[int, float] = field(default_factory=dict)  # by fingerprint of the name

    def weight_of(self, job: JobMessage) -> float | None:
        """How long a job takes beside the others, as far as is known."""
        return self.seconds.get(fingerprint_of(job.name)) if self.seconds else job.weight


AS_LISTED = Order("")


def find_order(
    aws: Aws | None, maker: JobMaker, last: RunRecord | None, rehearsal: Path | None
) -> Order:
    """The order for the jobs of a maker: the best that is known; `rehearsal` is a report's path."""
    if maker.has_weights:
        return Order("their weight in the job file")
    try:
        if aws and last and last.run_id and (seconds := _of_last_run(aws, last)):
            return Order("what jobs of the same names took in the app's last run", seconds)
    except (ClientError, BotoCoreError) as error:
        logger.debug("The last run cannot be read: %s", error)
    if seconds := _of_rehearsal(rehearsal):
        return Order("what jobs of the same names took in the app's last rehearsal", seconds)
    return AS_LISTED


def in_order(jobs: Iterator[JobMessage], order: Order) -> Iterator[JobMessage]:
    """The jobs, longest first; they wait on disk, for there may be a million of them."""
    if not order.source:
        yield from jobs
        return
    with tempfile.TemporaryFile() as file:
        places, weights = array("Q"), array("d")
        for job in jobs:
            weight = order.weight_of(job)
            places.append(file.tell())
            weights.append(_UNKNOWN if weight is None else weight)
            file.write(json.dumps(job).encode() + b"\n")
        known = [None if weight == _UNKNOWN else weight for weight in weights]
        yield from _read_at(file, [places[place] for place in longest_first(known)])


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
        return {fingerprint_of(one["name"]): float(one["seconds"]) for one in values["slowest"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
