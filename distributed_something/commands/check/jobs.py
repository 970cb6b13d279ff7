"""Check a job file: whether every group of it is right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...inputs.forms.found_files import NotListed
from ...inputs.forms.programs import FIX, NoProgram
from ...inputs.job_files import JobFile
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
    findings += _programs(checked.no_programs)
    return RightJobs(file, maker, checked.groups), findings


def _programs(found: tuple[NoProgram, ...]) -> list[Finding]:
    """What commands begin with that is no program, the first of each degree of sureness."""
    findings = []
    for is_sure, make in ((True, missing), (False, warning)):
        words = [item for item in found if item.is_sure is is_sure]
        if words:
            more = f" and {len(words) - 1:,} more like it" if len(words) > 1 else ""
            findings.append(make("programs", f"{words[0].sentence}{more}", FIX))
    return findings
