"""The verb `runs`: the app's runs, with their state, jobs and cost."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ...words import count_of, usd
from ..people import draw, offer, say
from ..type_runs import for_each_run

if TYPE_CHECKING:
    from ...commands.reading.past_runs import PastRun
    from ...inputs.settings import Settings


@click.command()
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Only the last N runs.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON line on stdout for each run.")
@for_each_run(goes_on=True)
def runs(settings: Settings, last: int, as_json: bool) -> None:
    """List the app's runs, the latest first: when, state, jobs, cost.

    Read-only; works at any time, from any computer.

    Example: python run.py runs
    """
    from ...commands.reading.past_runs import past_runs
    from ..connection import connect

    found = past_runs(connect(settings), settings, last)
    if as_json:
        for run in found.runs:
            click.echo(json.dumps({**asdict(run), "state": run.state}))
        return
    if not found.runs:
        say(f"{settings.app_name} has no runs in s3://{settings.aws_bucket} yet.")
        return
    _show(settings, found.runs)
    if found.older:
        say(f"And {count_of(found.older, 'older run')}: --last N shows more.")
    offer("More about a run", f"status --run {found.runs[0].run_id}")


def _show(settings: Settings, found: tuple[PastRun, ...]) -> None:
    from rich.table import Table

    table = Table(title=f"Runs of {settings.app_name}", title_justify="left")
    for name in ("run", "started", "took", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("jobs", "done", "given up", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for status_of_run in found:
        table.add_row(
            status_of_run.run_id,
            time.strftime("%Y-%m-%d %H:%M %Z", time.localtime(status_of_run.started)),
            _span(status_of_run.seconds),
            status_of_run.state,
            f"{status_of_run.jobs:,}",
            f"{status_of_run.done:,}",
            f"{status_of_run.given_up:,}",
            "not known" if status_of_run.cost is None else usd(status_of_run.cost),
        )
    draw(table)


def _span(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:,.1f} h"
