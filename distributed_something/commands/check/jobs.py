"""Check a job file: every group, and whether the inputs of its jobs are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ...aws.presence import find_absent
from ...errors import UsageError
from ...inputs.forms.found_files import NotListed
from ...inputs.job_files import JobFile
from ...protocol.buckets import Buckets
from ...protocol.sources import place_of
from ...words import count_of
from ..submitting.open_jobs import keys_in, open_jobs
from ..submitting.shared_outputs import refuse_shared_outputs
from ..submitting.submit_job import check_groups, make_maker
from ..submitting.type_runs import tagged_jobs
from .findings import Finding, missing, ok, unseen, warning

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.jobs import JobMaker
    from ...inputs.settings import Settings

MOST_JOBS = 100_000  # whose inputs are looked for; a million would take minutes
_SHOWN = 3  # inputs that are not there

Place = tuple[str, str]  # bucket and key


@dataclass(frozen=True)
class RightJobs:
    """A job file in which every group is right."""

    file: JobFile
    maker: JobMaker
    count: int


def job_file(
    aws: Aws | None, settings: Settings, path: Path
) -> tuple[RightJobs | None, list[Finding]]:
    """The file's jobs, if every group of it is right, and what there is to say of it."""
    subject = "job file"
    try:
        file = tagged_jobs(open_jobs(settings, path, None, keys_in(aws, settings)), settings)
        maker = make_maker(file)
        checked = check_groups(file, maker)
        refuse_shared_outputs(settings, file, maker)
    except NotListed as error:
        what, _, fix = str(error).rstrip(".").rpartition(": ")
        return None, [unseen(subject, what, fix)]
    except UsageError as error:
        lines = str(error).splitlines()
        told = [line.strip() for line in lines[1:]] or lines
        return None, [missing(subject, line.rstrip("."), f"correct {path}") for line in told]
    jobs = count_of(checked.groups, "job")
    findings = [ok(subject, f"{path}: {jobs} of a {file.family.title} file")]
    if file.dropped:
        findings.append(warning(subject, f"not queued: {', '.join(file.dropped)}"))
    return RightJobs(file, maker, checked.groups), findings


def inputs(aws: Aws, settings: Settings, jobs: RightJobs) -> Iterator[Finding]:
    """Whether each input of the jobs is there, as their workers would look for it."""
    places = _places(settings, jobs)
    absent = list(_absent(aws, places))
    subject, looked_at = "inputs", min(jobs.count, MOST_JOBS)
    of_all = f"{len(places):,} inputs of {count_of(looked_at, 'job')}"
    if looked_at < jobs.count:
        of_all = f"{len(places):,} inputs of the first {looked_at:,} of {jobs.count:,} jobs"
    if absent:
        shown = [f"s3://{bucket}/{key}" for bucket, key in absent[:_SHOWN]]
        more = f" and {len(absent) - _SHOWN:,} more" if len(absent) > _SHOWN else ""
        text = f"nothing at {', '.join(shown)}{more} ({len(absent):,} of {of_all})"
        yield missing(subject, text, "upload them, or fix `inputs` in the job file")
    elif places:
        yield ok(subject, f"{of_all}: all are there")
    else:
        yield ok(subject, "the jobs name no inputs")


def _places(settings: Settings, jobs: RightJobs) -> dict[Place, None]:
    """Bucket and key of each input, in the order of the jobs."""
    named = Buckets.of(settings)
    return dict.fromkeys(
        named.find(place_of(source), named.source)
        for group in islice(jobs.file.groups(), MOST_JOBS)
        for source in jobs.maker.job(group).inputs
    )


def _absent(aws: Aws, places: dict[Place, None]) -> Iterator[Place]:
    """Those that are not there, bucket by bucket."""
    keys: dict[str, list[str]] = defaultdict(list)
    for bucket, key in places:
        keys[bucket].append(key)
    for bucket, wanted in keys.items():
        yield from ((bucket, key) for key in find_absent(aws.s3, bucket, wanted))
