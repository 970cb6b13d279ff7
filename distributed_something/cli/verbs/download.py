"""The verb `download`: the results of a run, from its bucket to here."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...words import count_of
from ..options import DOWNLOADS, PATH, REPORTS, run_option
from ..people import next_step, say
from ..type_runs import for_each_run

if TYPE_CHECKING:
    from ...commands.reading.download import Downloaded
    from ...inputs.settings import Settings


@click.command()
@click.argument("folder", type=PATH, default=DOWNLOADS, metavar="[DIR]")
@click.option(
    "--only", metavar="GLOB", help="Only files whose name or key matches, such as '*.csv'."
)
@run_option
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
@for_each_run(goes_on=True)
def download(
    settings: Settings, folder: Path, only: str | None, run_id: str | None, as_json: bool
) -> None:
    """Download the results of the run's done jobs to DIR (downloads), under their keys.

    Skips complete files and continues incomplete ones. Works during a run.

    Example: python run.py download results --only "*.csv"
    """
    from ...commands.reading.download import download as bring_results
    from ..connection import connect
    from ..screens.progress import byte_progress

    with byte_progress() as on_progress:
        downloaded = bring_results(
            connect(settings),
            settings,
            folder,
            only=only,
            run_id=run_id,
            on_progress=on_progress,
        )
    if as_json:
        _print_downloaded(downloaded)
    else:
        _show_downloaded(downloaded)
    if not (REPORTS / f"{settings.app_name}-{downloaded.run_id}.html").exists():
        next_step("report")


def _print_downloaded(downloaded: Downloaded) -> None:
    """What came as one JSON object on stdout."""
    click.echo(json.dumps({**asdict(downloaded), "folder": str(downloaded.folder)}))


def _show_downloaded(downloaded: Downloaded) -> None:
    """What came and what was there; the folder goes to stdout."""
    from rich.filesize import decimal

    jobs = count_of(downloaded.jobs, "job")
    if not downloaded.files and not downloaded.whole:
        say(
            f"Nothing to download: {jobs} of run {downloaded.run_id} done.",
            style="yellow",
        )
        return
    say(
        f"Downloaded {count_of(downloaded.files, 'file')}, {decimal(downloaded.size)}, of "
        f"{jobs} of run {downloaded.run_id}; {downloaded.whole:,} "
        f"{'is' if downloaded.whole == 1 else 'are'} already up to date.",
        style="green",
    )
    if downloaded.renamed:
        say(
            f"{count_of(downloaded.renamed, 'file')} could not keep the key's own name on this "
            "disk.",
            style="yellow",
        )
    click.echo(downloaded.folder)
