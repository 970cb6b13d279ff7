"""Take a few jobs out of a job file: the first, the last, and some between them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from ..protocol.jobs import Job

if TYPE_CHECKING:
    from .job_files import JobFile
    from .jobs import JobMaker, JobMessage

SAMPLE = 3


def sample_messages(
    file: JobFile, maker: JobMaker, count: int, most: int = SAMPLE
) -> Iterator[JobMessage]:
    """`most` of a file's first `count` jobs, as far apart as can be; every group must be right."""
    last = count - 1
    places = {round(last * number / max(1, most - 1)) for number in range(most)}
    for place, group in enumerate(islice(file.groups(), count)):
        if place in places:
            yield maker.make(group)


def sample_jobs(file: JobFile, maker: JobMaker, count: int, most: int = SAMPLE) -> Iterator[Job]:
    """The same, as their workers will read them."""
    for message in sample_messages(file, maker, count, most):
        yield Job.from_message(message.body)
