"""The verb `run`: setup, submitJob, startCluster and monitor, one after the other."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ..options import PATH, family_option
from ..people import say, without_next_steps
from .monitor import monitor
from .setup import setup
from .start_cluster import start_cluster
from .submit_job import submit_job


@click.command()
@click.argument("job_file", type=PATH)
@click.argument("fleet_file", type=PATH)
@family_option
@click.option("--yes", is_flag=True, help="Do not ask before machines are bought.")
@click.option("--cheapest", is_flag=True, help="As in monitor.")
@click.pass_context
def run(
    ctx: click.Context,
    job_file: Path,
    fleet_file: Path,
    family: str | None,
    yes: bool,
    cheapest: bool,
) -> None:
    """Set up, queue the jobs of JOB_FILE, buy the machines of FLEET_FILE, and monitor the run.

    The same as the four verbs one after the other; it stops at the first that fails.  It shows the
    price and asks before it buys.

    Example: python run.py run files/exampleJob.json files/exampleFleet_us-east-1.json
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("This is not a terminal: pass --yes to buy machines without asking.")
    with without_next_steps():
        _head("setup")
        ctx.invoke(setup)
        _head(f"submitJob {shlex.quote(str(job_file))}")
        ctx.invoke(submit_job, job_file=job_file, family=family, yes=yes)
        _head(f"startCluster {shlex.quote(str(fleet_file))}")
        ctx.invoke(start_cluster, fleet_file=fleet_file, yes=yes)
    _head("monitor")
    ctx.invoke(monitor, cheapest=cheapest)


def _head(words: str) -> None:
    """The verb that begins now."""
    say(f"--- {words}", style="bold")
