"""The verb `logs`: what jobs and machines printed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from ...errors import NotFound
from ...words import with_iso_times
from ..options import run_option
from ..people import next_steps, put, say
from ..type_runs import for_each_run, refuse_to_wait

if TYPE_CHECKING:
    from ...aws.monitoring.log_lines import LogLine
    from ...aws.session import Aws
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord


@click.command()
@click.argument("job", required=False)
@click.option("--failed", is_flag=True, help="The last lines of every job that failed.")
@click.option("--machine", metavar="ID", help="The output of a machine's workers.")
@click.option("--follow", is_flag=True, help="Print new lines as they come, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per line of output.")
@run_option
@for_each_run(goes_on=True)
def logs(
    settings: Settings,
    job: str | None,
    failed: bool,
    machine: str | None,
    follow: bool,
    as_json: bool,
    run_id: str | None,
) -> None:
    """Print the output of JOB, or of all jobs of the run.

    From CloudWatch; if its log is gone, the last lines are in the run's ledger.

    Example: python run.py logs plate1-A01 --follow
    """
    if sum((job is not None, failed, machine is not None)) > 1:
        raise click.UsageError("Pass only one of JOB, --failed and --machine.")
    if follow and failed:
        raise click.UsageError("--follow goes with JOB, --machine, or all jobs of the run.")
    from ...commands.reading import job_logs
    from ...commands.reading.status import check_region
    from ...commands.runs.runs import choose_run
    from ..connection import connect

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
        say("CloudWatch has no line of this run: `logs JOB` finds the last in the ledger.")


def _print_failed(aws: Aws, record: RunRecord, as_json: bool) -> None:
    """The ledger's last lines of each job that failed."""
    from ...commands.runs.failed_jobs import failed_jobs
    from ...protocol.ledger.run_ledger import RunLedger
    from ..advice import try_again

    ledger = RunLedger.of(aws.s3, record)
    found = failed_jobs(ledger, ledger.survey(), whole=None)
    count = 0
    for count, one in enumerate(found, start=1):  # noqa: B007
        if as_json:
            click.echo(json.dumps(with_iso_times(asdict(one))))
            continue
        say(f"{one.name}: {one.reason}", style="bold")
        put(one.log_tail)
    if not count:
        say("No job failed.")
    elif not as_json:
        say("Fix the cause first (for example a wrong path), then retry.")
        next_steps(*(("retry",) if record.is_live else try_again(record.region)))


def _print_job(aws: Aws, record: RunRecord, name: str, follow: bool, as_json: bool) -> None:
    from ...commands.reading import job_logs

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
        say(f"{history.name} has printed nothing, or has had no attempt yet.")
        return
    say("CloudWatch has no output of it; these are its last lines from the ledger:")
    put(json.dumps(with_iso_times(asdict(last))) if as_json else last.log_tail)


def _print_machine(aws: Aws, record: RunRecord, machine: str, follow: bool, as_json: bool) -> None:
    from ...commands.reading import job_logs

    if follow and record.ended is None and job_logs.has_machine(aws, record, machine):
        look = job_logs.machine_lines_since(aws, record, machine)
        over = partial(_is_over, aws, record)
        _print_lines(job_logs.follow(look, over, since=record.started), as_json)
    elif not _print_lines(job_logs.machine_lines(aws, record, machine), as_json):
        raise NotFound(job_logs.why_no_lines(aws, record, machine))


def _is_over(aws: Aws, record: RunRecord) -> bool:
    from ...commands.runs.runs import refresh

    return refresh(aws, record).ended is not None


def _print_lines(lines: Iterable[LogLine], as_json: bool, streams: bool = False) -> int:
    """Print lines as they come, with their streams' names if there are several; how many."""
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007
        if as_json:
            click.echo(json.dumps(with_iso_times(asdict(line))))
        else:
            put(f"{line.stream}: {line.text}" if streams else line.text)
    return count
