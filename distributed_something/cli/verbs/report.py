"""The verb `report`, and the page that `monitor` leaves at a run's end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...command_lines import run_line
from ...errors import DistributedSomethingError
from ...words import count_of
from ..options import DOWNLOADS, REPORTS, run_option
from ..people import next_step, say
from ..type_runs import file_of_run, for_each_run, is_first_here

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord


@click.command()
@run_option
@click.option("--csv", "as_csv", is_flag=True, help="One row per attempt instead, on stdout.")
@click.option("--json", "as_json", is_flag=True, help="All numbers as one object, on stdout.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, also for --csv and --json; each machine type's run has its own.",
)
@for_each_run(goes_on=True)
def report(
    settings: Settings, run_id: str | None, as_csv: bool, as_json: bool, output: Path | None
) -> None:
    """Write one HTML page about a run: jobs over time, machines, failures, money, slowest jobs.

    Works at any time, also for a run that has ended. The page needs no network and
    no other files: you can mail it.

    Example: python run.py report --csv -o attempts.csv
    """
    from ...commands.reading import report as reporting
    from ...commands.runs.runs import choose_run
    from ..connection import connect
    from ..screens.progress import reading_progress

    if as_csv and as_json:
        raise click.UsageError("Give one of --csv and --json.")
    aws = connect(settings)
    record = choose_run(aws, settings, run_id)
    output = file_of_run(output, settings)
    is_shared = output is None and settings.run_per_machine_type  # stdout, by several runs
    if as_csv:
        with_head = not is_shared or is_first_here()
        with click.open_file(str(output or "-"), "w", encoding="utf-8") as file:
            count = reporting.write_rows(aws, record, file, with_head=with_head)
        say(f"{count_of(count, 'attempt')} of run {record.run_id}.")
        return
    with reading_progress() as on_progress:
        made = reporting.make_report(aws, record, on_progress=on_progress)
    if as_json:
        with click.open_file(str(output or "-"), "w", encoding="utf-8") as file:
            file.write(reporting.to_json(made, in_one_line=is_shared) + "\n")
        return
    path = reporting.write_page(made, output or page_of(record))
    say(f"The report of run {record.run_id} is one page, to be opened in a browser:")
    click.echo(path)
    if not DOWNLOADS.exists():
        next_step("download")


def page_of(record: RunRecord) -> Path:
    """Where the page of a run goes unless somebody says otherwise."""
    return REPORTS / f"{record.app_name}-{record.run_id}.html"


def leave_report(aws: Aws, record: RunRecord) -> None:
    """Make the page of a run that has ended; a page that cannot be made is said, and no more."""
    from ...commands.reading import report as reporting
    from ..faults import explain
    from ..screens.progress import reading_progress

    if not record.run_id:
        return  # upstream's runs have no ledger
    try:
        with reading_progress() as on_progress:
            made = reporting.make_report(aws, record, on_progress=on_progress)
        path = reporting.write_page(made, page_of(record))
    except Exception as error:  # the run is over, whatever becomes of its page
        explained = explain(error)
        if explained is None and not isinstance(error, (OSError, DistributedSomethingError)):
            raise
        why = explained[0] if explained else str(error)
        say(f"No report was made: {why} Try again: {run_line('report')}", "yellow")
        return
    say(f"The report is {path}", style="bold")
