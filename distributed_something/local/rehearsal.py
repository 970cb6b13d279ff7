"""Live through a whole run on this computer: a simulated account, real workers, the four verbs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..aws.compute.images import machine_types
from ..commands.buying.start_cluster import start_cluster
from ..commands.reading.report import make_report, to_json, write_page
from ..commands.setting_up.build import refuse_no_something
from ..commands.setting_up.setup import setup
from ..commands.submitting.open_jobs import open_jobs
from ..commands.submitting.submit_job import make_maker, submit_job
from ..commands.submitting.type_runs import jobs_of_type
from ..commands.watching.monitor import MonitorOutcome, RunProgress, monitor
from ..errors import DistributedSomethingError, UsageError
from ..inputs.job_files import JobFile
from ..inputs.job_sample import sample_jobs
from ..protocol.ledger.attempts import AttemptState
from ..protocol.ledger.run_ledger import RunLedger
from ..protocol.sources import place_of
from ..resources.table import take_inventory, what_stays
from ..words import count_of
from .account import buckets
from .data import (
    download,
    find_new,
    keys_of_folders,
    put_data,
    remember,
    remove_last,
    remove_last_logs,
    snapshot,
)
from .machines.spot_machines import Interruptions
from .named_inputs import find_named_inputs
from .pace import PACE
from .programs import refuse_missing_programs
from .report import RehearsalReport, failed_attempts, job_times, suggest
from .stage import Listener, Stage, most_loops, staged

if TYPE_CHECKING:
    from ..inputs.settings import Settings
    from ..protocol.ledger.record import RunRecord

DIRECTORY = Path("rehearsal")
RETRIES = 2  # tries of a failed job: what fails twice in a row here fails for a reason
PAGE = "report.html"  # in a rehearsal's folder; report.json beside it


def rehearse(
    settings: Settings,
    job_file: Path,
    *,
    jobs: int | None = None,
    family: str | None = None,
    data: Path | Mapping[str, Path] | None = None,
    runtime: str = "auto",
    interrupt: float = 0.0,
    retries: int = RETRIES,
    something: Path | None = None,
    directory: Path = DIRECTORY,
    listener: Listener | None = None,
) -> RehearsalReport:
    """Do the whole life of a run with no account, and say how it went.

    `jobs` takes the first so many groups; `family` is as `submit_job` takes it; `data` is the
    folder that becomes every bucket, or folders by bucket (`put_data`); `interrupt` is the
    probability with which each machine is taken away; a failed job is tried `retries` times at
    most; `something` is used instead of worker/something.py. Results land in
    `directory`/<APP_NAME>, in the place of the last rehearsal's once there are any. Main thread
    only. Raises UsageError for what can never work.
    """
    listener = listener or Listener()
    if not 0 <= interrupt <= 1:
        raise UsageError(f"--interrupt {interrupt} is not a probability from 0 to 1.")
    refuse_no_something(something)
    # What is wrong with the file is said before anything is started.
    file = open_jobs(settings, job_file, family, keys_of_folders(settings, data))
    if data is None:
        _refuse_inputs(file)
    folder = directory / settings.app_name
    scaled = scale_down(settings)
    scaled = scaled.model_copy(update={"job_retries": min(scaled.job_retries, retries)})
    interruptions = Interruptions(interrupt, limit=5 * scaled.cluster_machines)
    with staged(
        scaled, folder, runtime, listener, interruptions=interruptions, something=something
    ) as stage:
        refuse_missing_programs(file, stage.has_program, jobs=jobs)
        remove_last_logs(folder, stage.logs)
        if data is not None:
            _put_inputs(stage, scaled, file, jobs, data, listener)
        submit = partial(
            submit_job,
            job_file=job_file,
            limit=jobs,
            family=family,
            has_own_code=something is not None,
        )
        return _play(stage, scaled, submit, folder, listener)


def _refuse_inputs(file: JobFile) -> None:
    """Refuse jobs with inputs where there is no --data: the simulated bucket holds nothing."""
    maker = make_maker(file)
    try:
        first = next(sample_jobs(file, maker, count=1, most=1), None)
    except ValueError:  # a job that is wrong itself: submitJob looks at all, and says why
        return
    if first is None or not first.inputs:
        return
    raise UsageError(
        f"The jobs of {file.path} have inputs, such as {place_of(first.inputs[0])}, and the "
        "simulated bucket is empty: pass --data DIR, the folder that has them under these names. "
        "Nothing was started."
    )


def _put_inputs(
    stage: Stage,
    settings: Settings,
    file: JobFile,
    jobs: int | None,
    data: Path | Mapping[str, Path],
    listener: Listener,
) -> None:
    """Put what the chosen jobs name into the buckets."""
    own = jobs_of_type(file, settings)
    named = None
    if not stage.has_own_code():  # which may bring anything
        named = find_named_inputs(settings, own, make_maker(own), jobs)
    for sentence in put_data(
        stage.simulator, stage.aws, buckets(settings), data, named, listener.on_data
    ):
        listener.on_step(sentence)


def scale_down(settings: Settings) -> Settings:
    """The settings with no more machines and loops than this computer can play."""
    loops = most_loops()
    cores = min(settings.docker_cores, loops)
    machines = max(1, loops // (cores * settings.tasks_per_machine))
    return settings.model_copy(
        update={
            "docker_cores": cores,
            "cluster_machines": min(settings.cluster_machines, machines),
            "seconds_to_start": 0.0,
        }
    )


def _play(
    stage: Stage,
    settings: Settings,
    submit: Callable[..., object],
    folder: Path,
    listener: Listener,
) -> RehearsalReport:
    """The four verbs as they run on AWS, then what there is to say of them."""
    aws = stage.aws
    began = time.monotonic()
    inventory = take_inventory(aws)
    objects = {bucket: snapshot(aws.s3, bucket) for bucket in buckets(settings)}
    listener.on_step("setup")
    setup(aws, settings)
    listener.on_step("submitJob")
    submit(aws, settings, folder=None, on_progress=listener.on_jobs)
    listener.on_step("startCluster")
    record = start_cluster(
        aws, settings, stage.fleet_file, folder=None, on_capacity=listener.on_capacity
    )
    created = take_inventory(aws) - inventory
    listener.on_step("monitor")
    outcome = _watch(stage, record, listener)
    seconds = time.monotonic() - began
    left = take_inventory(aws) - inventory
    results = _bring_results(stage, objects, folder, listener)
    page = _write_page(stage, outcome.record, folder)
    remember(folder, [*results, *stage.logs.glob("*.log"), page, page.with_suffix(".json")])
    return _report(
        stage,
        settings,
        outcome,
        seconds=seconds,
        created=created,
        left=left,
        folder=folder,
        results=results,
        page=page,
    )


def _bring_results(
    stage: Stage, objects: dict[str, dict[str, str]], folder: Path, listener: Listener
) -> list[Path]:
    """Bring what is new in the buckets; only then do the last rehearsal's files go."""
    s3 = stage.aws.s3
    new = {bucket: find_new(s3, bucket, before) for bucket, before in objects.items()}
    if not any(new.values()):
        return []
    if count := remove_last(folder):
        files = count_of(count, "file")
        listener.on_step(f"Removed the last rehearsal's {files} from {folder}/.")
    return [file for bucket, keys in new.items() for file in download(s3, bucket, keys, folder)]


def _write_page(stage: Stage, record: RunRecord, folder: Path) -> Path:
    """The page of the rehearsal, and its numbers beside it, which a dry run reads."""
    report = make_report(stage.aws, record, is_rehearsal=True)
    page = write_page(report, folder / PAGE)
    page.with_suffix(".json").write_text(to_json(report))
    return page


def _watch(stage: Stage, record: RunRecord, listener: Listener) -> MonitorOutcome:
    """Monitor the run; raises what stops its workers for good, or it would wait for ever."""

    def look(progress: RunProgress) -> None:
        if stage.agent.failure:
            raise DistributedSomethingError(stage.agent.failure)
        listener.on_progress(progress)

    return monitor(stage.aws, record, folder=None, pace=PACE, on_progress=look)


def _report(
    stage: Stage,
    settings: Settings,
    outcome: MonitorOutcome,
    *,
    seconds: float,
    created: frozenset[str],
    left: frozenset[str],
    folder: Path,
    results: list[Path],
    page: Path,
) -> RehearsalReport:
    record = outcome.record
    ledger = RunLedger.of(stage.aws.s3, record)
    tried = list(ledger.attempts())
    done = [key for key in tried if key.state is AttemptState.DONE]
    ended = [key for key in tried if key.state in (AttemptState.DONE, AttemptState.FAILED)]
    stays = left & what_stays(record)
    machine = machine_types(stage.aws.ec2, settings.machine_type).get(settings.machine_type[0])
    return RehearsalReport(
        run_id=record.run_id,
        app_name=record.app_name,
        runtime=stage.runtime,
        summary=outcome.summary,
        stopped=outcome.stopped,
        failure_groups=outcome.failures,
        seconds=seconds,
        job_times=job_times(done),
        peak_memory=float(max((key.memory_mib for key in ended), default=0)),
        peak_disk=float(max((key.disk_mib for key in ended), default=0)),
        suggestion=suggest(settings, machine, ended),
        machines=tuple(stage.agent.machines.seen.items()),
        interrupted_machines=stage.agent.machines.interrupted,
        created=tuple(sorted(created)),
        left_over=tuple(sorted(left - stays)),
        stays=tuple(sorted(stays)),
        failures=failed_attempts(ledger, tried),
        directory=folder,
        results=tuple(results),
        page=page,
        logs=stage.logs,
    )
