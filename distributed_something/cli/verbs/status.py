"""The verb `status`: how far the run is, what it costs, and why nothing moves."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING

import click

from ...words import with_iso_times
from ..options import FILES, run_option
from ..people import draw, next_step, next_steps, people, say
from ..type_runs import for_each_run, refuse_to_wait

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...commands.reading.status import Status
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord


@click.command()
@click.option("--watch", is_flag=True, help="Refresh in place until the run ends.")
@click.option(
    "--every",
    type=click.FloatRange(min=1),
    default=15.0,
    help="Seconds between refreshes, with --watch or --web.",
)
@click.option("--web", is_flag=True, help="Open the report in a browser, live, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="With --web.")
@click.option("--failed", is_flag=True, help="The failed jobs, and why.")
@click.option("--running", is_flag=True, help="The running jobs, and where.")
@click.option("--job", metavar="NAME", help="All attempts at one job.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, one line per item.")
@run_option
@for_each_run(goes_on=True)
def status(
    settings: Settings,
    watch: bool,
    every: float,
    web: bool,
    port: int,
    failed: bool,
    running: bool,
    job: str | None,
    as_json: bool,
    run_id: str | None,
) -> None:
    """Show the run's progress, machines and cost, and why nothing moves.

    Read-only; works at any time, from any computer, also for a run that has ended.

    Example: python run.py status --watch
    """
    if sum((watch, web, failed, running, job is not None)) > 1:
        raise click.UsageError("Pass only one of --watch, --web, --failed, --running and --job.")
    from ...commands.reading.status import status as look_at_run
    from ...commands.runs.runs import choose_run
    from ..advice import RunState, job_words, next_verbs, start_words
    from ..connection import connect

    refuse_to_wait("--web" if web else "--watch", watch or web, settings)
    aws = connect(settings)
    record = choose_run(aws, settings, run_id, folder=FILES)
    if failed:
        _show_failed(aws, record, as_json)
    elif job is not None:
        _show_job(aws, record, job, as_json)
    elif web:
        from ..screens.live_page import show_live_page

        show_live_page(aws, record, every=every, port=port)
    elif watch:
        _watch(aws, settings, record, every, as_json)
    else:
        seen = look_at_run(aws, record, settings.ssh_key_name)
        if running:
            _show_running(seen, as_json)
        else:
            _show(seen, as_json)
            state, start = RunState.of_status(seen), start_words(settings.aws_region)
            next_steps(*next_verbs(state, start, job_words()))


def _show(seen: Status, as_json: bool) -> None:
    from ..screens.status_screen import status_json, status_screen

    if as_json:
        click.echo(status_json(seen))
    else:
        draw(status_screen(seen))


def _watch(aws: Aws, settings: Settings, record: RunRecord, every: float, as_json: bool) -> None:
    """Look until the run has ended; without a terminal, screen below screen."""
    from rich.live import Live

    from ...commands.reading.status import status as look_at_run
    from ...commands.runs.runs import refresh
    from ..screens.status_screen import fitted_screen

    in_place = people().is_terminal and not as_json
    with Live(console=people(), auto_refresh=False, transient=False) as live:
        while True:
            seen = look_at_run(aws, record, settings.ssh_key_name)
            if in_place:
                live.update(fitted_screen(seen, people()), refresh=True)
            else:
                _show(seen, as_json)
            if seen.ended is not None:
                return
            time.sleep(every)
            record = refresh(aws, record)


def _show_running(seen: Status, as_json: bool) -> None:
    from ..screens.status_screen import running_screen

    if as_json:
        for job in seen.running:
            click.echo(json.dumps(with_iso_times(asdict(job))))
        return
    draw(running_screen(seen.running, seen.now))


def _show_failed(aws: Aws, record: RunRecord, as_json: bool) -> None:
    from ...commands.runs.failed_jobs import count_failed, failed_jobs
    from ...protocol.ledger.run_ledger import RunLedger
    from ..screens.status_screen import MOST_FAILED, failed_screen, more_failed

    ledger = RunLedger.of(aws.s3, record)
    survey = ledger.survey()
    found = failed_jobs(ledger, survey)
    if as_json:
        for one in found:
            click.echo(json.dumps(with_iso_times(asdict(one))))
        return
    shown = list(islice(found, MOST_FAILED))
    draw(failed_screen(shown))
    if more := more_failed(len(shown), count_failed(survey)):
        say(more)
    if shown:
        next_step("logs --failed")


def _show_job(aws: Aws, record: RunRecord, name: str, as_json: bool) -> None:
    from ...commands.reading.job_logs import job_history
    from ..screens.status_screen import attempts_screen

    history = job_history(aws, record, name)
    if as_json:
        click.echo(json.dumps(with_iso_times(asdict(history))))
        return
    if history.dead:
        say(f"{history.name} was given up: {history.dead}", style="red")
    draw(attempts_screen(history.attempts, time.time()))
    next_step("logs", history.name)
