"""The verbs `status` and `logs`, which look at a run and change nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from rich.live import Live

from ..aws.monitoring.log_lines import LogLine
from ..commands.reading import job_logs
from ..commands.reading.status import Status, check_region, count_failed, failed_jobs
from ..commands.reading.status import status as look_at_run
from ..commands.runs.runs import choose_run, refresh
from ..errors import NotFound
from ..inputs.settings import Settings
from ..protocol.ledger.survey import survey_run
from . import screens, status_screen
from .connection import connect
from .fleet_hint import start_words
from .type_runs import for_each_run, refuse_to_wait
from .unfinished_screen import try_again

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..protocol.ledger.record import RunRecord

_run = click.option("--run", "run_id", metavar="ID", help="Another run than the app's last one.")


@click.command()
@click.option("--watch", is_flag=True, help="Look again and again, in place, until the run ends.")
@click.option("--every", type=click.FloatRange(min=1), default=15.0, help="Seconds, with --watch.")
@click.option("--failed", is_flag=True, help="The jobs that failed, and why.")
@click.option("--running", is_flag=True, help="The jobs that run, and where.")
@click.option("--job", metavar="NAME", help="All attempts at one job.")
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout, a line for each thing.")
@_run
@click.pass_obj
@for_each_run(goes_on=True)
def status(
    obj: dict[str, Any],
    watch: bool,
    every: float,
    failed: bool,
    running: bool,
    job: str | None,
    as_json: bool,
    run_id: str | None,
) -> None:
    """Show how far the run is, what its machines do, what it costs, and why nothing moves.

    Reads alone, at any time and from any computer, of a run that has ended too.

    Example: python run.py status --watch
    """
    if sum((watch, failed, running, job is not None)) > 1:
        raise click.UsageError("Give one of --watch, --failed, --running and --job.")
    settings = obj["settings"]
    refuse_to_wait("--watch", watch, settings)
    aws = connect(settings)
    record = choose_run(aws, settings, run_id)
    if failed:
        _show_failed(aws, record, as_json)
    elif job is not None:
        _show_job(aws, record, job, as_json)
    elif watch:
        _watch(aws, settings, record, every, as_json)
    else:
        seen = look_at_run(aws, record, settings.ssh_key_name)
        if running:
            _show_running(seen, as_json)
        else:
            _show(seen, as_json)
            screens.next_steps(*_next(seen, settings.aws_region))


@click.command()
@click.argument("job", required=False)
@click.option("--failed", is_flag=True, help="The last lines of every job that failed.")
@click.option("--machine", metavar="ID", help="What the workers of a machine printed.")
@click.option("--follow", is_flag=True, help="Go on with new lines as they come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="A JSON line for each line.")
@_run
@click.pass_obj
@for_each_run(goes_on=True)
def logs(
    obj: dict[str, Any],
    job: str | None,
    failed: bool,
    machine: str | None,
    follow: bool,
    as_json: bool,
    run_id: str | None,
) -> None:
    """Print what JOB printed, or what all jobs of the run did.

    From CloudWatch; where that has nothing any more, the last lines are in the run's ledger.

    Example: python run.py logs plate1-A01 --follow
    """
    if sum((job is not None, failed, machine is not None)) > 1:
        raise click.UsageError("Give one of JOB, --failed and --machine.")
    if follow and failed:
        raise click.UsageError("--follow goes with JOB, --machine, or all jobs of the run.")
    settings = obj["settings"]
    refuse_to_wait("--follow", follow, settings)
    aws = connect(settings)
    record = choose_run(aws, settings, run_id)
    check_region(aws, record)
    if failed:
        _print_failed(aws, record, as_json)
    elif machine:
        _print_machine(aws, record, machine, follow, as_json)
    elif job is not None:
        _print_job(aws, record, job, follow, as_json)
    elif follow:
        look = job_logs.lines_since(aws, record, None)
        over = partial(_is_over, aws, record)
        _print_lines(job_logs.follow(look, over, since=time.time()), as_json, streams=True)
    elif not _print_lines(job_logs.run_lines(aws, record), as_json, streams=True):
        screens.say("CloudWatch has no line of this run: `logs JOB` finds the last in the ledger.")


def _show(seen: Status, as_json: bool) -> None:
    if as_json:
        click.echo(status_screen.status_json(seen))
    else:
        screens.people.print(status_screen.status_screen(seen), highlight=False)


def _watch(aws: Aws, settings: Settings, record: RunRecord, every: float, as_json: bool) -> None:
    """Look until the run has ended; without a terminal, screen below screen."""
    in_place = screens.people.is_terminal and not as_json
    with Live(console=screens.people, auto_refresh=False, transient=False) as live:
        while True:
            seen = look_at_run(aws, record, settings.ssh_key_name)
            if in_place:
                live.update(status_screen.status_screen(seen), refresh=True)
            else:
                _show(seen, as_json)
            if seen.ended is not None:
                return
            time.sleep(every)
            record = refresh(aws, record)


def _next(seen: Status, region: str) -> tuple[str, ...]:
    """The verbs that follow, in order."""
    jobs = seen.jobs
    if seen.ended is not None:
        return try_again(region) if jobs.left or jobs.dead else ("download",)
    if not jobs.submitted:
        return ("submitJob JOBS.json",)
    if jobs.dead or jobs.failed:
        return ("logs --failed",)
    if seen.machines or not jobs.left:
        return ("monitor",)
    return (start_words(region),)


def _show_running(seen: Status, as_json: bool) -> None:
    if as_json:
        for job in seen.running:
            click.echo(json.dumps(asdict(job)))
        return
    screen = status_screen.running_screen(seen.running, seen.now)
    screens.people.print(screen, highlight=False)


def _show_failed(aws: Aws, record: RunRecord, as_json: bool) -> None:
    survey = survey_run(aws.s3, record.bucket, record.keys)
    found = failed_jobs(aws, record, survey)
    if as_json:
        for one in found:
            click.echo(json.dumps(asdict(one)))
        return
    shown = list(islice(found, status_screen.MOST_FAILED))
    screens.people.print(status_screen.failed_screen(shown), highlight=False)
    if more := status_screen.more_failed(len(shown), count_failed(survey)):
        screens.say(more)
    if shown:
        screens.next_step("logs --failed")


def _show_job(aws: Aws, record: RunRecord, name: str, as_json: bool) -> None:
    history = job_logs.job_history(aws, record, name)
    if as_json:
        click.echo(json.dumps(asdict(history)))
        return
    if history.dead:
        screens.say(f"{history.name} was given up: {history.dead}", style="red")
    screen = status_screen.attempts_screen(history.attempts, time.time())
    screens.people.print(screen, highlight=False)
    screens.next_step(f"logs {history.name}")


def _print_failed(aws: Aws, record: RunRecord, as_json: bool) -> None:
    """The ledger's last lines of each job that failed."""
    found = failed_jobs(aws, record, survey_run(aws.s3, record.bucket, record.keys))
    count = 0
    for count, one in enumerate(found, start=1):  # noqa: B007
        if as_json:
            click.echo(json.dumps(asdict(one)))
            continue
        screens.say(f"{one.name}: {one.reason}", style="bold")
        click.echo(one.log_tail)
    if not count:
        screens.say("No job failed.")
    elif not as_json:
        screens.say("Mend first what fails each time, as a wrong path does; then try again.")
        screens.next_steps(*(("retry",) if record.is_live else try_again(record.region)))


def _print_job(aws: Aws, record: RunRecord, name: str, follow: bool, as_json: bool) -> None:
    history = job_logs.job_history(aws, record, name)
    if follow and record.ended is None:
        look = job_logs.lines_since(aws, record, history.name)

        def over() -> bool:
            return job_logs.job_is_over(aws, record, history.job_id) or _is_over(aws, record)

        _print_lines(job_logs.follow(look, over, since=record.started), as_json)
        return
    if _print_lines(job_logs.job_lines(aws, record, history.name), as_json):
        return
    last = history.last
    if last is None or not last.log_tail:
        screens.say(f"{history.name} has printed nothing, or was not tried yet.")
        return
    screens.say("CloudWatch has nothing of it; these are its last lines, from the ledger:")
    click.echo(json.dumps(asdict(last)) if as_json else last.log_tail)


def _print_machine(aws: Aws, record: RunRecord, machine: str, follow: bool, as_json: bool) -> None:
    if follow and record.ended is None and job_logs.has_machine(aws, record, machine):
        look = job_logs.machine_lines_since(aws, record, machine)
        over = partial(_is_over, aws, record)
        _print_lines(job_logs.follow(look, over, since=record.started), as_json)
    elif not _print_lines(job_logs.machine_lines(aws, record, machine), as_json):
        raise NotFound(job_logs.why_no_lines(aws, record, machine))


def _is_over(aws: Aws, record: RunRecord) -> bool:
    return refresh(aws, record).ended is not None


def _print_lines(lines: Iterable[LogLine], as_json: bool, streams: bool = False) -> int:
    """Print lines as they come, with their streams' names if there are several; how many."""
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007
        if as_json:
            click.echo(json.dumps(asdict(line)))
        else:
            click.echo(f"{line.stream}: {line.text}" if streams else line.text)
    return count
