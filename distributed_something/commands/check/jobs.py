"""Check a job file: every group, and whether the inputs of a few jobs are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...aws import storage
from ...errors import UsageError
from ...inputs.job_files import open_job_file
from ...inputs.job_sample import sample_jobs
from ...protocol.buckets import Buckets
from ...protocol.sources import place_of
from ...words import count_of
from ..submitting.shared_outputs import refuse_shared_outputs
from ..submitting.submit_job import check_groups, make_maker
from ..submitting.type_runs import tagged_jobs
from .findings import Finding, missing, ok, warning

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings
    from ...protocol.jobs import Job


def job_file(settings: Settings, path: Path) -> tuple[list[Job], list[Finding]]:
    """A few of the file's jobs, if every group of it is right, and what there is to say of it."""
    subject = "job file"
    try:
        file = tagged_jobs(open_job_file(path, settings.job_defaults), settings)
        maker = make_maker(file)
        checked = check_groups(file, maker)
        refuse_shared_outputs(settings, file, maker)
    except UsageError as error:
        lines = str(error).splitlines()
        told = [line.strip() for line in lines[1:]] or lines
        return [], [missing(subject, line.rstrip("."), f"mend {path}") for line in told]
    jobs = count_of(checked.groups, "job")
    findings = [ok(subject, f"{path}: {jobs} of a {file.family.title} file")]
    if file.dropped:
        findings.append(warning(subject, f"not sent: {', '.join(file.dropped)}"))
    return list(sample_jobs(file, maker, checked.groups)), findings


def inputs(aws: Aws, settings: Settings, sample: list[Job]) -> Iterator[Finding]:
    """Whether each input of these jobs is there, as their workers would look for it."""
    named = Buckets.of(settings)
    places = dict.fromkeys(
        named.find(place_of(source), named.source) for job in sample for source in job.inputs
    )
    gone = [f"s3://{bucket}/{key}" for bucket, key in places if not _is_there(aws, bucket, key)]
    subject = "inputs"
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        text = f"nothing at {gone[0]}{more} (of {len(places)} places of {len(sample)} jobs)"
        yield missing(subject, text, "copy them there, or mend `inputs` in the job file")
    elif places:
        yield ok(subject, f"all {len(places)} places of {len(sample)} jobs hold something")
    else:
        yield ok(subject, "the jobs name no inputs")


def _is_there(aws: Aws, bucket: str, key: str) -> bool:
    found = [item["Key"] for item in storage.list_objects(aws.s3, bucket, key, most=2)]
    if key.endswith("/") or not key:
        return any(name != key for name in found)
    return key in found
