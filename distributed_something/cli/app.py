"""The verbs and their options; each connects, calls one command and shows what became of it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..aws.images import MachineType
from ..aws.registry import image_digest, image_facts, image_labels
from ..aws.session import Aws
from ..commands.cancel import cancel as end_run
from ..commands.cancel import list_belongings
from ..commands.check import check as check_up
from ..commands.download import download as bring_results
from ..commands.dry_run import dry_run as plan_jobs
from ..commands.image_check import LabelsOf
from ..commands.monitor import MonitorOutcome, find_watched
from ..commands.monitor import monitor as watch_run
from ..commands.retry import retry as queue_again
from ..commands.setup import setup as set_up
from ..commands.start_cluster import start_cluster as buy_machines
from ..commands.submit_job import submit_job as queue_jobs
from ..commands.type_plan import machines_of_type, runs_of_jobs
from ..commands.watch_all import Sleep
from ..protocol.families import FAMILIES
from ..record import read_record_file
from ..settings import Settings, load_settings
from . import check_screen, dry_run_screen, jobs_screen, rehearsal_screen, screens
from .build_verb import build
from .completion_verb import completion
from .connection import connect
from .faults import EXIT_FAILED, explain
from .report_verb import leave_report, report
from .type_runs import for_each_run, monitor_each
from .watching_verbs import logs, status

FILES = Path("files")  # where run records are written, as upstream does
DOWNLOADS = Path("downloads")
REHEARSALS = Path("rehearsal")
_CHEAT_SHEET = "cheat sheet"
_PATH = click.Path(path_type=Path)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_family = click.option(
    "--family",
    type=click.Choice(list(FAMILIES)),
    help="The form of JOB_FILE and its messages, if not the one that its keys show.",
)


def main(cheat_sheet: str) -> int:
    """Run one verb; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    return run_command(verbs, "run.py", {_CHEAT_SHEET: cheat_sheet})


def run_command(command: click.Command, name: str, obj: dict[str, Any] | None = None) -> int:
    """Run a program's command; errors become a message and the exit code."""
    _show_log()
    try:
        # Click hands back the code of an Exit; it raises none here.
        code = command.main(obj=obj, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        screens.say("Stopped.")
        return 130
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        screens.say(explained[0], style="red")
        return explained[1]
    return code if isinstance(code, int) else 0


class _CheatSheet(click.Group):
    """A group whose help is the cheat sheet of `run.py`, in the order in which a run happens."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(ctx.obj[_CHEAT_SHEET])


@click.group(cls=_CheatSheet, no_args_is_help=True)
@click.option("--config", "config", type=_PATH, default=Path("config.py"), show_default=True)
@click.version_option(__version__)
@click.pass_context
def verbs(ctx: click.Context, config: Path) -> None:
    """The group's help is the cheat sheet."""
    ctx.obj["config"] = config


def _image_reader(aws: Aws) -> LabelsOf | None:
    """How an image is looked at; not at all where no machine would ever fetch it."""
    return None if _is_simulated() else partial(image_labels, aws)


def _is_simulated() -> bool:
    """Whether the account is a rehearsal's, in which no machine fetches an image."""
    return bool(os.environ.get("AWS_ENDPOINT_URL"))


@verbs.command()
@click.pass_obj
@for_each_run(goes_on=False)
def setup(obj: dict[str, Any]) -> None:
    """Make the queue, its dead-letter queue, the cluster, the task definition and the service.

    Safe to repeat after a change of config.py.  Example: python run.py setup
    """
    settings = obj["settings"]
    aws = connect(settings)
    set_up(aws, settings, labels_of=_image_reader(aws))
    screens.next_step("submitJob files/exampleJob.json")


@verbs.command()
@click.argument("job_file", type=_PATH, required=False, metavar="[JOBS]")
@click.argument("fleet_file", type=_PATH, required=False, metavar="[FLEET]")
@click.option("--offline", is_flag=True, help="Look only at what needs no account.")
@click.option("--json", "as_json", is_flag=True, help="A JSON line on stdout for each thing.")
@click.pass_obj
def check(
    obj: dict[str, Any],
    job_file: Path | None,
    fleet_file: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Say what a run would lack, and how to mend it: account, network, image, prices, quota, files.

    Changes nothing and costs nothing.  Ends with 1 if something is missing.

    Example: python run.py check files/exampleJob.json files/exampleFleet_us-east-1.json
    """
    settings = load_settings(obj["config"])
    aws = None if offline else connect(settings)
    checkup = check_up(
        aws,
        settings,
        job_file,
        fleet_file,
        facts_of=None if aws is None or _is_simulated() else partial(image_facts, aws),
        types_of=_nominal_types if offline else None,
        on_finding=check_screen.print_finding if as_json else lambda _: None,
    )
    if not as_json:
        check_screen.show_checkup(checkup)
    if not checkup.is_ready:
        raise click.exceptions.Exit(EXIT_FAILED)
    screens.next_step("setup")


def _nominal_types(names: Collection[str]) -> dict[str, MachineType]:
    # The list of all machine types is much to import, and nothing else needs it.
    from ..local.nominal import nominal_types

    return nominal_types(names)


@verbs.command("submitJob")
@click.argument("job_file", type=_PATH)
@_family
@click.option(
    "--tag-offset",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="With RUN_PER_MACHINE_TYPE: the number of the first job.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent and what it could cost.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="With --dry-run: how long a job takes, if not as long as in the last rehearsal or run.",
)
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: all of it as JSON.")
@click.pass_obj
def submit_job(
    obj: dict[str, Any],
    job_file: Path,
    family: str | None,
    tag_offset: int,
    dry_run: bool,
    minutes: float | None,
    as_json: bool,
) -> None:
    """Check every job of JOB_FILE (.json, .jsonl or .csv), then queue one message a group.

    Example: python run.py submitJob files/exampleJob.json --dry-run
    """
    settings = load_settings(obj["config"])
    if dry_run:
        with screens.job_progress() as on_progress:
            planned = plan_jobs(
                connect(settings),
                settings,
                job_file,
                family=family,
                minutes=minutes,
                rehearsal=REHEARSALS / settings.app_name / "report.json",
                on_progress=on_progress,
            )
        dry_run_screen.show_dry_run(planned, as_json)
        screens.next_step(f"submitJob {job_file}")
        return
    if minutes is not None or as_json:
        raise click.UsageError("--minutes and --json go with --dry-run.")
    aws = connect(settings)
    for own in runs_of_jobs(aws, settings, job_file, family, tag_offset):
        with screens.job_progress() as on_progress:
            submitted = queue_jobs(
                aws,
                own,
                job_file,
                folder=FILES,
                family=family,
                tag_offset=tag_offset,
                on_progress=on_progress,
            )
        screens.show_submitted(submitted)
    screens.next_step("startCluster files/exampleFleet_us-east-1.json")


@verbs.command("startCluster")
@click.argument("fleet_file", type=_PATH)
@click.option("--yes", is_flag=True, help="Do not ask before buying.")
@click.option(
    "--keep-ami", is_flag=True, help="Keep the file's images and disks, whatever they are."
)
@click.pass_obj
@for_each_run(goes_on=False)
def start_cluster(obj: dict[str, Any], fleet_file: Path, yes: bool, keep_ami: bool) -> None:
    """Show what FLEET_FILE and config.py ask for, then request the machines and wait for them.

    Example: python run.py startCluster files/exampleFleet_us-east-1.json
    """
    aws = connect(obj["settings"])
    settings = machines_of_type(aws, obj["settings"])
    if not settings.cluster_machines:
        screens.say(f"No job was submitted to {settings.app_name}: no machine is bought.")
        return
    asks = sys.stdin.isatty() and not yes
    record = buy_machines(
        aws,
        settings,
        fleet_file,
        folder=FILES,
        confirm=screens.ask_to_buy if asks else screens.show_purchase,
        on_capacity=screens.show_capacity,
        keep_ami=keep_ami,
        digest_of=None if _is_simulated() else partial(image_digest, aws),
    )
    screens.show_console_links(settings)
    screens.next_step(f"monitor {FILES}/{record.app_name}SpotFleetRequestId.json")


@verbs.command()
@click.argument("record_file", type=_PATH, required=False)
@click.argument("cheapest_word", required=False, metavar="[True]")
@click.option("--cheapest", is_flag=True, help="After 15 minutes keep one machine only.")
@click.option("--json", "as_json", is_flag=True, help="A JSON line on stdout for each look.")
@click.pass_obj
def monitor(
    obj: dict[str, Any],
    record_file: Path | None,
    cheapest_word: str | None,
    cheapest: bool,
    as_json: bool,
) -> None:
    """Watch the run until all is done, give idle machines back, then remove everything.

    Can be stopped and started again at any time, on any computer.  RECORD_FILE is the monitor
    file that startCluster wrote; without it the app's run is found in the bucket.

    Example: python run.py monitor files/MyAppSpotFleetRequestId.json
    """
    settings = load_settings(obj["config"])
    cheapest = cheapest or _is_true(cheapest_word)
    if settings.run_per_machine_type and record_file is None:
        watch = partial(_watch, cheapest=cheapest, as_json=as_json)
        monitor_each(settings, watch, as_json, lambda own, end: _leave(connect(own), end))
        return
    aws = connect(settings)
    again = partial(connect, settings)
    found = read_record_file(record_file) if record_file else None
    outcome = watch_run(
        aws,
        found or find_watched(aws, settings, reconnect=again),
        folder=FILES,
        cheapest=cheapest,
        on_progress=screens.progress_printer(as_json),
        reconnect=again,
    )
    screens.show_outcome(outcome, as_json)
    _leave(aws, outcome)
    if not outcome.is_complete:
        raise click.exceptions.Exit(EXIT_FAILED)


def _leave(aws: Aws, outcome: MonitorOutcome) -> None:
    """What comes after the end of a run: its page, and the next verb."""
    leave_report(aws, outcome.record)
    if outcome.summary.done:
        screens.next_step("download")


def _watch(settings: Settings, sleep: Sleep, *, cheapest: bool, as_json: bool) -> MonitorOutcome:
    """Watch the run of one machine type, among those of others."""
    aws = connect(settings)
    again = partial(connect, settings)
    return watch_run(
        aws,
        find_watched(aws, settings, reconnect=again, sleep=sleep),
        folder=FILES,
        cheapest=cheapest,
        on_progress=screens.progress_printer(as_json, settings.app_name),
        reconnect=again,
        sleep=sleep,
    )


@verbs.command()
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@click.option("--list", "only_list", is_flag=True, help="Show what there is, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --list: a JSON line for each thing.")
@click.pass_obj
@for_each_run(goes_on=True)
def cancel(obj: dict[str, Any], yes: bool, only_list: bool, as_json: bool) -> None:
    """Stop the app's run now, machines first, and remove everything that any of its runs made.

    What exists is found by tags and names, with or without a monitor file.  The jobs that were not
    done are written to a job file.

    Example: python run.py cancel --list
    """
    settings = obj["settings"]
    aws = connect(settings)
    if only_list:
        screens.show_belongings(settings.app_name, list_belongings(aws, settings), as_json)
        return
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask: give --yes to remove everything.")
    ask = screens.show_due if yes else screens.ask_to_cancel
    cancelled = end_run(aws, settings, folder=FILES, confirm=ask)
    screens.show_cancelled(settings.app_name, cancelled)
    screens.next_step("report")


@verbs.command()
@click.argument("names", nargs=-1)
@click.option(
    "--reason", metavar="TEXT", help="Only jobs that were given up for a reason with TEXT in it."
)
@click.option("--run", "run_id", metavar="ID", help="Another run than the app's last one.")
@click.option("--yes", is_flag=True, help="Do not ask before queueing.")
@click.option("--json", "as_json", is_flag=True, help="What was queued as JSON on stdout.")
@click.pass_obj
@for_each_run(goes_on=True)
def retry(
    obj: dict[str, Any],
    names: tuple[str, ...],
    reason: str | None,
    run_id: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Queue the run's jobs again, in the same run: all that are neither done nor running, or NAMES.

    Names are those of the job file's jobs, or their ids.  What is queued again leaves the
    dead-letter queue.  Jobs that still wait in the queue are left alone unless they are named.

    Example: python run.py retry --reason "exit code 137"
    """
    settings = obj["settings"]
    aws = connect(settings)
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask: give --yes to queue the jobs again.")
    with jobs_screen.sending_progress() as on_progress:
        retried = queue_again(
            aws,
            settings,
            folder=FILES,
            names=names,
            reason=reason,
            run_id=run_id,
            confirm=jobs_screen.show_plan if yes else jobs_screen.ask_to_retry,
            on_progress=on_progress,
        )
    jobs_screen.show_retried(retried)
    if as_json:
        jobs_screen.print_retried(retried)
    if retried.sent:
        words = "startCluster files/exampleFleet_us-east-1.json"
        screens.next_step(words if retried.needs_machines else "monitor")


@verbs.command()
@click.argument("folder", type=_PATH, default=DOWNLOADS, metavar="[DIR]")
@click.option("--only", metavar="GLOB", help="Only files with such a name or key, as '*.csv'.")
@click.option("--run", "run_id", metavar="ID", help="Another run than the app's last one.")
@click.option("--json", "as_json", is_flag=True, help="What came as JSON on stdout.")
@click.pass_obj
@for_each_run(goes_on=True)
def download(
    obj: dict[str, Any], folder: Path, only: str | None, run_id: str | None, as_json: bool
) -> None:
    """Bring the results of the run's done jobs to DIR (downloads), as they lie in the bucket.

    What is there and whole is passed over; what broke off goes on.  Can be run while jobs run.

    Example: python run.py download results --only "*.csv"
    """
    settings = obj["settings"]
    with jobs_screen.byte_progress() as on_progress:
        downloaded = bring_results(
            connect(settings),
            settings,
            folder,
            only=only,
            run_id=run_id,
            on_progress=on_progress,
        )
    if as_json:
        jobs_screen.print_downloaded(downloaded)
    else:
        jobs_screen.show_downloaded(downloaded)
    screens.next_step("report")


verbs.add_command(build)
verbs.add_command(report)
verbs.add_command(completion)
verbs.add_command(status)
verbs.add_command(logs)


@verbs.command()
@click.argument("job_file", type=_PATH, required=False)
@click.option("--jobs", type=click.IntRange(min=1), help="Only the first so many jobs.")
@_family
@click.option("--data", type=_FOLDER, help="The folder that plays the bucket.")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process"]),
    default="auto",
    show_default=True,
    help="Workers as containers or as processes; auto says which and why.",
)
@click.option(
    "--interrupt",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Take each machine away during its life with this probability, from 0 to 1.",
)
@click.option("--serve", is_flag=True, help="Serve the simulated AWS until Ctrl-C instead.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="With --serve.")
@click.pass_obj
def rehearse(
    obj: dict[str, Any],
    job_file: Path | None,
    jobs: int | None,
    family: str | None,
    data: Path | None,
    runtime: str,
    interrupt: float,
    serve: bool,
    port: int,
) -> None:
    """Live through a whole run of JOB_FILE on this computer: a simulated AWS, real workers.

    No account is needed and none is touched.  Results land in rehearsal/<APP_NAME>/.

    Example: python run.py rehearse files/exampleJob.json --jobs 5 --data my_images
    """
    # The simulator is much to import, and no other verb needs it.
    from ..local import rehearsal, serving

    settings = load_settings(obj["config"])
    if serve:
        serving.serve(
            settings,
            port=port,
            data=data,
            runtime=runtime,
            on_ready=rehearsal_screen.show_served,
            listener=rehearsal_screen.rehearsal_listener(lambda _done, _total: None),
        )
        return
    if job_file is None:
        raise click.UsageError("Name the job file to rehearse, or give --serve.")
    succeeded = True
    for own in runs_of_jobs(None, settings, job_file, family):
        with screens.job_progress() as on_jobs:
            report = rehearsal.rehearse(
                own,
                job_file,
                jobs=jobs,
                family=family,
                data=data,
                runtime=runtime,
                interrupt=interrupt,
                listener=rehearsal_screen.rehearsal_listener(on_jobs),
            )
        rehearsal_screen.show_rehearsal(report)
        succeeded = succeeded and report.succeeded
    if not succeeded:
        raise click.exceptions.Exit(EXIT_FAILED)


def _is_true(word: str | None) -> bool:
    """Upstream's fourth word: True starts the cheapest mode; only True and False are taken."""
    if word is None or word.lower() in ("true", "false"):
        return word is not None and word.lower() == "true"
    raise click.UsageError(f"The word after the monitor file is True or False, not {word}.")


class _SentenceHandler(logging.Handler):
    """The package's log as plain sentences on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        screens.say(record.getMessage(), style)


def _show_log() -> None:
    package = logging.getLogger(__package__.split(".")[0])
    package.setLevel(logging.INFO)
    package.handlers = [_SentenceHandler()]
