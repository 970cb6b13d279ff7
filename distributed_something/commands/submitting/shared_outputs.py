"""Refuse jobs that CHECK_IF_DONE_BOOL would take for done because of another job's results."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING

from ...command_lines import run_line
from ...errors import UsageError
from ...inputs.jobs import add_if_new, fingerprint_of
from ...protocol.families import CELLPROFILER
from ...protocol.jobs import Job
from .again import hash_of

if TYPE_CHECKING:
    from ...inputs.job_files import JobFile
    from ...inputs.jobs import JobMaker
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)


def refuse_shared_outputs(
    settings: Settings, file: JobFile, maker: JobMaker, limit: int | None = None
) -> None:
    """Raise UsageError if jobs would surely be passed over, and warn if they may be.

    The worker sees only how many files a place holds. With more jobs than EXPECTED_NUMBER_FILES
    for each place the count is reached before all of them ran; else it may be meant as that of all
    jobs together. The groups of the file must be free of problems.
    """
    if not settings.check_if_done_bool:
        return
    jobs, places, shared = set[int](), set[int](), ""
    for group in islice(file.groups(), limit):
        job = maker.job(group)
        is_new = add_if_new(jobs, hash_of(job.job_id))
        if is_new and not add_if_new(places, fingerprint_of(_place(job))):
            shared = shared or _place(job)
    if len(jobs) == len(places):
        return
    said = (
        f"The {len(jobs):,} jobs of {file.path} have {len(places):,} "
        f"{'place' if len(places) == 1 else 'places'} for their results (several have {shared}), "
        f"and CHECK_IF_DONE_BOOL skips a job when its place has EXPECTED_NUMBER_FILES = "
        f"{settings.expected_number_files} files, whichever job wrote them"
    )
    if len(jobs) > len(places) * max(1, settings.expected_number_files):
        raise UsageError(
            f"{said}: some would never run. Nothing was queued. Give each job its own place, "
            f"{_how(maker)}; or set CHECK_IF_DONE_BOOL = 'False' and run `{run_line('setup')}` "
            "again."
        )
    logger.warning("%s: that must be the total number of all of them.", said)


def _place(job: Job) -> str:
    """Where the worker looks for a job's results; without an output it is told by the name."""
    place = job.name if job.output is None else job.output
    return f"{place}/{job.own_results}".rstrip("/")


def _how(maker: JobMaker) -> str:
    if maker.family is CELLPROFILER:
        return "with an `output_structure` that uses all of the Metadata"
    return 'with a field of the group in `output`, such as "output": "results/{plate}"'
