"""The verbs `retry` and `download`: the jobs of a run, once it has begun."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..commands.reading.download import download as bring_results
from ..commands.reading.retry import retry as queue_again
from . import jobs_screen, screens
from .connection import connect
from .fleet_hint import start_words
from .options import FILES, PATH
from .type_runs import for_each_run

DOWNLOADS = Path("downloads")


@click.command()
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
    dead-letter queue.  Jobs that still wait in the queue are left alone unless they are named; if
    the run was stopped, workers take them again.

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
    if retried.sent or retried.plan.lets_go_on:
        words = start_words(settings.aws_region) if retried.needs_machines else "monitor"
        screens.next_step(words)


@click.command()
@click.argument("folder", type=PATH, default=DOWNLOADS, metavar="[DIR]")
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
