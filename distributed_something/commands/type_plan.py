"""Say which machine types' runs a table of jobs belongs to, and how many machines each needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..definitions.type_runs import type_settings
from ..errors import UsageError
from ..ledger import count_submitted, read_job_lists
from ..protocol.families import FAMILIES
from ..record import RunRecord, find_record
from .job_files import JobFile, open_job_file
from .submit_job import check_groups, make_maker
from .type_runs import tagged_jobs, types_of_jobs

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..settings import Settings

_SHOWN = 5  # tags


def runs_of_jobs(
    aws: Aws | None,
    settings: Settings,
    job_file: Path,
    family: str | None = None,
    tag_offset: int = 0,
) -> tuple[Settings, ...]:
    """The settings of the runs that the jobs of a file belong to, once all of them are right.

    Without RUN_PER_MACHINE_TYPE that is the config's own, and nothing is looked at. With `aws`, no
    tag may be that of another job of a live run. Raises UsageError.
    """
    if not settings.run_per_machine_type:
        return (settings,)
    file = open_job_file(job_file, settings.job_defaults, FAMILIES[family] if family else None)
    types = types_of_jobs(file, settings)
    whole = tagged_jobs(file, settings)
    check_groups(whole, make_maker(whole))
    if aws is not None:
        _refuse_taken_tags(aws, settings, file, tag_offset)
    return tuple(one for one in type_settings(settings) if one.machine_type[0] in types)


def machines_of_type(aws: Aws, settings: Settings) -> Settings:
    """The settings of a type's run, with no more machines than its jobs can keep busy.

    CLUSTER_MACHINES is 0 if no job was submitted to it. Other settings are returned as they are.
    """
    if not settings.run_per_machine_type:
        return settings
    record = _live_run(aws, settings)
    jobs = count_submitted(aws.s3, record.bucket, record.keys) if record else 0
    slots = settings.tasks_per_machine * settings.docker_cores
    useful = -(-jobs // slots)
    return settings.model_copy(update={"cluster_machines": min(settings.cluster_machines, useful)})


def _refuse_taken_tags(aws: Aws, settings: Settings, file: JobFile, tag_offset: int) -> None:
    """Raise UsageError if a live run has other jobs with these tags, naming the next free offset.

    `settings` are those of all types.
    """
    wanted = {
        f"{settings.app_name}{number}" for number, _ in enumerate(file.groups(), start=tag_offset)
    }
    taken: set[str] = set()
    for own in type_settings(settings):
        record = _live_run(aws, own)
        if record is not None:
            taken |= {job.name for job in read_job_lists(aws.s3, record.bucket, record.keys)}
    if wanted & taken:
        numbers = [name.removeprefix(settings.app_name) for name in taken]
        free = 1 + max(int(number) for number in numbers if number.isdigit())
        raise UsageError(
            f"The runs of {settings.app_name} that are live have jobs with the tags "
            f"{', '.join(sorted(wanted & taken)[:_SHOWN])} already. To add jobs to them: "
            f"`python run.py submitJob {file.path} --tag-offset {free}`."
        )


def _live_run(aws: Aws, settings: Settings) -> RunRecord | None:
    record = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    return record if record is not None and record.is_live and record.run_id else None
