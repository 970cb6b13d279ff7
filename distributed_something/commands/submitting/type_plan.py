"""Say which machine types' runs a table of jobs belongs to, and how many machines each needs."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...command_lines import run_line
from ...errors import UsageError
from ...inputs.forms.found_files import ListKeys
from ...inputs.job_files import JobFile
from ...inputs.type_runs import type_settings
from ...protocol.ledger.record import RunRecord, find_record
from ...protocol.ledger.run_ledger import RunLedger, list_runs
from .open_jobs import keys_in, open_jobs
from .submit_job import check_groups, make_maker, unique_jobs
from .type_runs import jobs_of_type, tagged_jobs, types_of_jobs

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

_SHOWN = 5  # tags


def runs_of_jobs(
    aws: Aws | None,
    settings: Settings,
    job_file: Path,
    family: str | None = None,
    tag_offset: int = 0,
    list_keys: ListKeys | None = None,
) -> tuple[Settings, ...]:
    """The settings of the runs that the jobs of a file belong to, once all of them are right.

    Without RUN_PER_MACHINE_TYPE that is the config's own, and nothing is looked at. With `aws`, no
    tag may be that of a job of a live run, or have another command's results. `list_keys` lists
    another bucket than that of `aws`. Raises UsageError.
    """
    if not settings.run_per_machine_type:
        return (settings,)
    file = open_jobs(settings, job_file, family, list_keys or keys_in(aws, settings))
    types = types_of_jobs(file, settings)
    whole = tagged_jobs(file, settings)
    check_groups(whole, make_maker(whole))
    if aws is not None:
        _refuse_taken_tags(aws, settings, file, tag_offset)
    return tuple(
        settings_of_type
        for settings_of_type in type_settings(settings)
        if settings_of_type.machine_type[0] in types
    )


def machines_of_type(aws: Aws, settings: Settings) -> Settings:
    """The settings of a type's run, with no more machines than its jobs can keep busy.

    CLUSTER_MACHINES is 0 if no job was submitted to it. Other settings are returned as they are.
    """
    if not settings.run_per_machine_type:
        return settings
    record = _live_run(aws, settings)
    jobs = RunLedger.of(aws.s3, record).count_submitted() if record else 0
    slots = settings.tasks_per_machine * settings.docker_cores
    useful = -(-jobs // slots)
    return settings.model_copy(update={"cluster_machines": min(settings.cluster_machines, useful)})


def _refuse_taken_tags(aws: Aws, settings: Settings, file: JobFile, tag_offset: int) -> None:
    """Raise UsageError for tags that are taken, naming the next free offset.

    In a live run every tag of its jobs is; of the runs that ended, those at which another command
    has its results. `settings` are those of all types.
    """
    wanted = dict(_tags(settings, file, tag_offset))
    live: set[str] = set()
    for own in type_settings(settings):
        record = _live_run(aws, own)
        if record is not None:
            live |= {job.name for job in RunLedger.of(aws.s3, record).submitted_jobs()}
    done = _done_before(aws, settings)
    numbers = [name.removeprefix(settings.app_name) for name in live | done.keys()]
    free = 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)
    words = f"submitJob {shlex.quote(str(file.path))} --tag-offset {free}"
    command = f"`{run_line(words)}`"
    if taken := wanted.keys() & live:
        raise UsageError(
            f"The runs of {settings.app_name} that are live already have jobs with "
            f"the tags {_some(taken)}. To add jobs to them: {command}."
        )
    if taken := {tag for tag in wanted.keys() & done.keys() if wanted[tag] != done[tag]}:
        raise UsageError(
            f"At the tags {_some(taken)}, other commands would overwrite the results of earlier "
            f"runs of {settings.app_name}. To keep both: {command}, or another APP_NAME."
        )


def _tags(settings: Settings, file: JobFile, tag_offset: int) -> Iterator[tuple[str, str]]:
    """The tag of each job of a file, and its id."""
    for own in type_settings(settings):
        jobs = jobs_of_type(file, own, tag_offset)
        yield from ((job.name, job.job_id) for job in unique_jobs(jobs, make_maker(jobs)))


def _done_before(aws: Aws, settings: Settings) -> dict[str, str]:
    """The tags that have results of any run, of any type, each with the id of the last such job."""
    runs = [
        RunLedger(aws.s3, own.aws_bucket, own.app_name, run_id)
        for own in type_settings(settings)
        for run_id in list_runs(aws.s3, own.aws_bucket, own.app_name)
    ]
    tags: dict[str, str] = {}
    for ledger in sorted(runs, key=lambda run: run.keys.run_id):  # which begin with the time
        done, _ = ledger.ended_jobs()
        listed = ledger.submitted_jobs() if done else ()
        tags |= {job.name: job.job_id for job in listed if job.job_id in done}
    return tags


def _some(tags: Collection[str]) -> str:
    return ", ".join(sorted(tags)[:_SHOWN])


def _live_run(aws: Aws, settings: Settings) -> RunRecord | None:
    record = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    return record if record is not None and record.is_live and record.run_id else None
