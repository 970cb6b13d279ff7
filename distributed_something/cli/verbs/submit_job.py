"""The verb `submitJob`: a message for each job of a file, or a look at what would be sent."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...command_lines import run_line
from ...words import count_of, usd
from ..context import Program, pass_program
from ..options import FILES, PATH, REHEARSALS, family_option
from ..people import draw, next_steps, say

if TYPE_CHECKING:
    from ...commands.submitting.again import Again
    from ...commands.submitting.dry_run import DryRun, Estimate
    from ...commands.submitting.submit_job import Submitted
    from ...inputs.settings import Settings
    from ..screens.progress import JobBar


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
@click.option(
    "--by-size",
    is_flag=True,
    help="Queue jobs with the largest inputs first; one S3 request per input.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be queued and what it could cost.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="With --dry-run: how long a job takes, if not as long as in the last rehearsal or run.",
)
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print it as JSON.")
@click.option("--yes", is_flag=True, help="Queue jobs a second time without asking.")
@pass_program
def submit_job(
    program: Program,
    job_file: Path,
    family: str | None,
    tag_offset: int,
    by_size: bool,
    dry_run: bool,
    minutes: float | None,
    as_json: bool,
    yes: bool,
) -> None:
    """Check every job of JOB_FILE (.json, .jsonl or .csv), then queue one message per group.

    Warns about jobs that are already in the app's last run; if that run is live, it asks on a
    terminal before it queues them a second time.

    Example: python run.py submitJob files/exampleJob.json --dry-run
    """
    if (minutes is not None or as_json) and not dry_run:
        raise click.UsageError("--minutes and --json go with --dry-run.")
    settings = program.load_settings()
    if dry_run:
        _plan(settings, job_file, family, minutes, as_json=as_json, by_size=by_size)
    else:
        asks = sys.stdin.isatty() and not yes
        _queue(settings, job_file, family, tag_offset, asks=asks, by_size=by_size)


def _plan(
    settings: Settings,
    job_file: Path,
    family: str | None,
    minutes: float | None,
    *,
    as_json: bool,
    by_size: bool,
) -> None:
    from ...commands.submitting.dry_run import dry_run
    from ..connection import connect
    from ..screens.progress import job_progress

    with job_progress() as on_progress:
        planned = dry_run(
            connect(settings),
            settings,
            job_file,
            family=family,
            minutes=minutes,
            rehearsal=REHEARSALS / settings.app_name / "report.json",
            by_size=by_size,
            on_progress=on_progress,
        )
    _show_dry_run(planned, as_json)
    next_steps(
        *(("setup",) if planned.setup_is_due else ()), f"submitJob {shlex.quote(str(job_file))}"
    )


def _queue(
    settings: Settings,
    job_file: Path,
    family: str | None,
    tag_offset: int,
    *,
    asks: bool,
    by_size: bool,
) -> None:
    from ...commands.submitting.submit_job import submit_job
    from ...commands.submitting.type_plan import runs_of_jobs
    from ..advice import show_next
    from ..connection import connect
    from ..screens.progress import job_progress

    aws = connect(settings)
    for own in runs_of_jobs(aws, settings, job_file, family, tag_offset):
        with job_progress() as bar:
            submitted = submit_job(
                aws,
                own,
                job_file,
                folder=FILES,
                family=family,
                tag_offset=tag_offset,
                rehearsal=REHEARSALS / settings.app_name / "report.json",
                by_size=by_size,
                on_progress=bar,
                confirm=partial(_ask_again, bar) if asks else _show_again,
            )
        _show_submitted(submitted)
    show_next(aws, own)


def _show_submitted(submitted: Submitted) -> None:
    """How many jobs were queued; the run's id goes to stdout."""
    jobs = count_of(submitted.count, "job")
    say(f"Queued {jobs} in {submitted.queue_name} (run {submitted.run_id}).")
    if submitted.duplicates:
        say(
            f"Left out as duplicates: {count_of(submitted.duplicates, 'group')}.",
            style="yellow",
        )
    click.echo(submitted.run_id)


def _show_again(again: Again) -> bool:
    """How these jobs stand, and what becomes of them when they are queued again; always goes on."""
    states = (
        (again.waiting, "waiting" if again.is_live else "neither done nor given up"),
        (again.running, "running"),
        (again.done, "done"),
        (again.given_up, "given up"),
    )
    how = ", ".join(f"{count:,} {words}" for count, words in states if count)
    state = "is live" if again.is_live else "has ended"
    say(
        f"Run {again.run_id} of {again.app_name} {state} and has {again.count:,} of these "
        f"{again.jobs:,} jobs already: {how}.",
        style="yellow",
    )
    say(_live_jobs(again) if again.is_live else _ended_jobs(), style="yellow")
    return True


def _ask_again(bar: JobBar, again: Again) -> bool:
    """Show the same, then ask, unless that run has ended: then nothing is there twice."""
    bar.pause()
    _show_again(again)
    if not again.is_live:
        return True
    return click.confirm("Queue all of them again?", default=False, err=True)


def _live_jobs(again: Again) -> str:
    fates = (
        (again.waiting, "waiting jobs are then queued twice, and may run twice"),
        (again.running, "running jobs are started a second time"),
        (again.done, "jobs that are done are skipped"),
        (again.given_up, "jobs that were given up are retried"),
    )
    told = "; ".join(words for count, words in fates if count)
    return f"Queued again, {told}. {run_line('retry')} queues only what failed."


def _ended_jobs() -> str:
    return (
        "In a new run they run again, unless CHECK_IF_DONE_BOOL is 'True' and their outputs "
        f"exist. {run_line('retry')} continues that run instead."
    )


def _show_dry_run(planned: DryRun, as_json: bool) -> None:
    """The whole of it; with `as_json` one JSON object on stdout."""
    from ..screens.tables import plain_grid

    if as_json:
        message = json.loads(planned.message)
        click.echo(json.dumps({**asdict(planned), "message": message}, indent=2))
        return
    say("The first message:", style="bold")
    say(json.dumps(json.loads(planned.message), indent=2, ensure_ascii=False))
    say(f"\n{len(planned.jobs)} of {planned.count:,} jobs:", style="bold")
    for job in planned.jobs:
        rows = [
            ("name", job.name),
            ("command", job.command or "none: worker/something.py makes it"),
            *(("input", place) for place in job.inputs),
            ("output", job.output),
        ]
        draw(plain_grid(rows))
        say("")
    _show_estimate(planned.count, planned.estimate)
    if planned.order:
        say(f"Long jobs would be queued first, by {planned.order}.")
    if planned.again:
        _show_again(planned.again)
    say("Nothing was queued and nothing was created.")


def _show_estimate(count: int, estimate: Estimate) -> None:
    from ...run.forecast import STARTING_MINUTES
    from ..connection import is_served
    from ..screens.outlook_screen import show_outlook
    from ..screens.tables import facts_table

    hours = f"{_span(estimate.hours * 60)}, and {STARTING_MINUTES:g} min each to start"
    simulated = "simulated " if is_served() and estimate.low is not None else ""
    rows = [
        ("jobs", f"{count:,}, {estimate.side_by_side:,} in parallel"),
        ("a job takes", f"{_span(estimate.minutes)} ({estimate.source})"),
        ("machines", f"{estimate.machines} for {hours}"),
        ("costs", f"{_cost(estimate)} ({simulated}{estimate.prices})"),
    ]
    draw(facts_table("Estimated cost", rows))
    show_outlook(estimate.outlook)
    say(f"Disks and addresses are included. Not included: {', '.join(estimate.left_out)}.")
    for limit in estimate.limits:
        say(limit, style="yellow")


def _cost(estimate: Estimate) -> str:
    low, high = estimate.low, estimate.high
    if high is None:
        return "unknown: set MACHINE_PRICE to limit it"
    if low is None:
        return f"at most {usd(high)}"
    return usd(low) if f"{low:.2f}" == f"{high:.2f}" else f"{usd(low)} to {usd(high)}"


def _span(minutes: float) -> str:
    if minutes < 1:
        return f"{minutes * 60:.1f} s"
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:,.1f} h"
