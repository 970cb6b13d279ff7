"""The verbs that make a run, fill it, buy its machines and end it."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..aws.compute.registry import image_digest, image_labels
from ..aws.session import Aws
from ..commands.buying.start_cluster import Purchase
from ..commands.buying.start_cluster import start_cluster as buy_machines
from ..commands.cancelling.cancel import cancel as end_run
from ..commands.cancelling.cancel import list_resources
from ..commands.setting_up.image_check import LabelsOf
from ..commands.setting_up.setup import setup as set_up
from ..commands.submitting.dry_run import dry_run as plan_jobs
from ..commands.submitting.submit_job import submit_job as queue_jobs
from ..commands.submitting.type_plan import machines_of_type, runs_of_jobs
from ..inputs.settings import load_settings
from . import again_screen, cancel_screen, dry_run_screen, purchase_screen, screens, submit_screen
from .connection import account_words, connect, is_served, is_simulated
from .fleet_hint import start_words
from .options import FILES, PATH, REHEARSALS, family_option
from .stopping import told_if_stopped
from .type_runs import for_each_run


@click.command()
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


def _image_reader(aws: Aws) -> LabelsOf | None:
    """How an image is looked at; not at all where no machine would ever fetch it."""
    return None if is_simulated() else partial(image_labels, aws)


@click.command("submitJob")
@click.argument("job_file", type=PATH)
@family_option
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
@click.option("--yes", is_flag=True, help="Do not ask before jobs are queued a second time.")
@click.pass_obj
def submit_job(
    obj: dict[str, Any],
    job_file: Path,
    family: str | None,
    tag_offset: int,
    dry_run: bool,
    minutes: float | None,
    as_json: bool,
    yes: bool,
) -> None:
    """Check every job of JOB_FILE (.json, .jsonl or .csv), then queue one message a group.

    Jobs that the app's last run has already are told; on a terminal, a run that is live is asked
    about before they are queued a second time.

    Example: python run.py submitJob files/exampleJob.json --dry-run
    """
    settings = load_settings(obj["config"])
    if dry_run:
        with submit_screen.job_progress() as on_progress:
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
        first = ("setup",) if planned.setup_is_due else ()
        screens.next_steps(*first, f"submitJob {job_file}")
        return
    if minutes is not None or as_json:
        raise click.UsageError("--minutes and --json go with --dry-run.")
    aws = connect(settings)
    asks = sys.stdin.isatty() and not yes
    for own in runs_of_jobs(aws, settings, job_file, family, tag_offset):
        with submit_screen.job_progress() as bar:
            submitted = queue_jobs(
                aws,
                own,
                job_file,
                folder=FILES,
                family=family,
                tag_offset=tag_offset,
                on_progress=bar,
                confirm=partial(again_screen.ask_again, bar) if asks else again_screen.show_again,
            )
        submit_screen.show_submitted(submitted)
    screens.next_step(start_words(settings.aws_region))


@click.command("startCluster")
@click.argument("fleet_file", type=PATH)
@click.option("--yes", is_flag=True, help="Do not ask before buying.")
@click.option(
    "--keep-ami", is_flag=True, help="Keep the file's images and disks, whatever they are."
)
@click.option("--json", "as_json", is_flag=True, help="What was bought as JSON on stdout.")
@click.pass_obj
@for_each_run(goes_on=False)
def start_cluster(
    obj: dict[str, Any], fleet_file: Path, yes: bool, keep_ami: bool, as_json: bool
) -> None:
    """Show what FLEET_FILE and config.py ask for, then request the machines and wait for them.

    On a terminal it asks first.  Without one, as in a script, it tells the price and buys.

    Example: python run.py startCluster files/exampleFleet_us-east-1.json
    """
    aws = connect(obj["settings"])
    settings = machines_of_type(aws, obj["settings"])
    if not settings.cluster_machines:
        screens.say(f"No job was submitted to {settings.app_name}: no machine is bought.")
        return
    ask = purchase_screen.ask_to_buy if sys.stdin.isatty() else purchase_screen.buy_unasked
    agreed: list[Purchase] = []

    def confirm(purchase: Purchase) -> bool:
        purchase = replace(purchase, account=account_words(aws))
        agrees = (purchase_screen.show_purchase if yes else ask)(purchase)
        agreed.extend([purchase] if agrees else [])
        return agrees

    with told_if_stopped("monitor", settings.auto_monitor, may_cost=lambda: bool(agreed)):
        record = buy_machines(
            aws,
            settings,
            fleet_file,
            folder=FILES,
            confirm=confirm,
            on_capacity=purchase_screen.show_capacity,
            keep_ami=keep_ami,
            digest_of=None if is_simulated() else partial(image_digest, aws),
        )
    if as_json:
        purchase_screen.print_bought(agreed[-1], record)
    if not is_served():  # a simulated AWS has no console
        purchase_screen.show_console_links(settings)
    screens.next_step(f"monitor {FILES}/{record.app_name}SpotFleetRequestId.json")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@click.option("--list", "only_list", is_flag=True, help="Show what there is, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --list: a JSON line for each thing.")
@click.pass_obj
@for_each_run(goes_on=True)
def cancel(obj: dict[str, Any], yes: bool, only_list: bool, as_json: bool) -> None:
    """Stop the app's run now, machines first, and remove everything that any of its runs made.

    On a terminal it asks first.  Without one, as in a script, it wants --yes.

    What exists is found by tags and names, with or without a monitor file.  The jobs that were not
    done are written to a job file.

    Example: python run.py cancel --list
    """
    settings = obj["settings"]
    aws = connect(settings)
    if only_list:
        cancel_screen.show_resources(settings.app_name, list_resources(aws, settings), as_json)
        return
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask: give --yes to remove everything.")
    ask = cancel_screen.show_due if yes else cancel_screen.ask_to_cancel
    cancelled = end_run(aws, settings, folder=FILES, confirm=ask)
    cancel_screen.show_cancelled(settings.app_name, settings.aws_region, cancelled)
    if cancelled.unfinished.path:
        screens.besides("What ran", "report")
    else:
        screens.next_step("report")
