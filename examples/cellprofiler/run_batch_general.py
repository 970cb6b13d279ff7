"""Make the jobs of a Cell Painting step and queue them, or write them to a file.

Example: python examples/cellprofiler/run_batch_general.py analysis MyProject 2026_Batch1 P1,P2
"""

from __future__ import annotations

import json
import re
import string
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from batch_jobs import (
    STEPS,
    BadChoice,
    Choices,
    Extra,
    Message,
    folders,
    grid,
    messages,
    plate_wells,
    queue_name,
    without,
)

from distributed_something.inputs.product import expand


class Listed(click.ParamType):
    """Texts with commas between them."""

    name = "a,b,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        items = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
        if not all(items):
            self.fail(f"{value!r} has an empty place between its commas.", param, ctx)
        return items


class Ranged(Listed):
    """The same, with ranges such as A01..H12 or 1..9."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        items = super().convert(value, param, ctx)
        for one in items:
            if found := _RANGE.fullmatch(one):
                self.fail(f"{one!r} is one name: write {found[1]}..{found[2]}.", param, ctx)
        try:
            return [str(one) for one in expand(list(items))]
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


LISTED = Listed()
RANGED = Ranged()
_RANGE = re.compile(r"(\w+)\s*(?:-|–|:)\s*(\w+)")  # as people write one
ALL_ROWS = ",".join(string.ascii_uppercase[:16])
ALL_COLUMNS = ",".join(str(one) for one in range(1, 25))
ALL_SITES = ",".join(str(one) for one in range(1, 10))


@click.command(help=__doc__)
@click.argument("step", type=click.Choice(list(STEPS)))
@click.argument("identifier")
@click.argument("batch")
@click.argument("platelist", type=LISTED)
@click.option("--path-style", type=click.Choice(["default", "cpg"]), default="default")
@click.option("--source", default="", help="The folder below the project, with --path-style cpg.")
@click.option("--plate-format", type=int, help="96 or 384, instead of rows and columns.")
@click.option("--rows", type=RANGED, default=ALL_ROWS)
@click.option("--columns", type=RANGED, default=ALL_COLUMNS)
@click.option("--wells", type=RANGED, help="Just these, instead of rows and columns.")
@click.option("--excluded-wells", type=RANGED, default=(), help="All but these.")
@click.option("--sites", type=RANGED, default=ALL_SITES)
@click.option("--no-well-digit-pad", is_flag=True, help="A1 instead of A01.")
@click.option("--pipeline", default="")
@click.option("--pipeline-path", default="")
@click.option("--input-path", default="")
@click.option("--output-structure", default="", help="With zproj and analysis.")
@click.option("--output-path", default="")
@click.option("--datafile-name", default="")
@click.option("--datafile-path", default="")
@click.option("--use-batch", is_flag=True, help="An .h5 batch file is pipeline and data file.")
@click.option("--batchfile-name", default="")
@click.option("--batchfile-path", default="")
@click.option("--extra-grouping", metavar="NAME=a,b", help="A level below the site: Crop=1,2,3.")
@click.option("--write", type=click.Path(path_type=Path), help="Write this file, and send nothing.")
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("config.py"), show_default=True
)
def run_batch_general(
    step: str,
    identifier: str,
    batch: str,
    platelist: list[str],
    path_style: str,
    source: str,
    sites: list[str],
    extra_grouping: str | None,
    write: Path | None,
    config: Path,
    **flags: Any,
) -> None:
    """Make the messages, then send or write them."""
    try:
        places = folders(identifier, batch, source_of(path_style, source))
        wells = chosen_wells(flags)
        choices = Choices(
            extra=read_extra(extra_grouping),
            **{name: flags[name] for name in Choices.__annotations__ if name != "extra"},
        )
        jobs = list(messages(step, places, platelist, wells, sites, choices))
    except BadChoice as error:
        raise click.UsageError(str(error)) from None
    if write is not None:
        write_jobs(write, jobs)
        click.echo(f"Wrote {len(jobs):,} jobs. Next: python run.py submitJob {write}", err=True)
    else:
        send(jobs, config, queue_name(step, identifier))


def source_of(path_style: str, source: str) -> str | None:
    """The folder below the project in the Gallery's style; None in the default one, with none."""
    if path_style == "cpg":
        if not source:
            raise BadChoice("--path-style cpg needs --source, the folder below the project.")
        return source
    if source:
        raise BadChoice(
            f"--source {source} is for --path-style cpg; the default has no such folder."
        )
    return None


def chosen_wells(flags: dict[str, Any]) -> list[str]:
    pad = not flags["no_well_digit_pad"]
    if flags["wells"]:
        wells = flags["wells"]
    elif flags["plate_format"]:
        wells = plate_wells(flags["plate_format"], pad=pad)
    else:
        if wrong := [one for one in flags["columns"] if not one.isdigit()]:
            raise BadChoice(f"--columns has {wrong[0]!r}, which is no number.")
        wells = grid(flags["rows"], map(int, flags["columns"]), pad=pad)
    return without(wells, flags["excluded_wells"])


def read_extra(text: str | None) -> Extra | None:
    if text is None:
        return None
    name, _, values = text.partition("=")
    if not name or not all(values.split(",")):
        raise BadChoice(f"--extra-grouping {text} is not of the form NAME=a,b.")
    return Extra(name.removeprefix("Metadata_"), tuple(values.split(",")))


def write_jobs(path: Path, jobs: list[Message]) -> None:
    path.write_text("".join(f"{json.dumps(job)}\n" for job in jobs))


def send(jobs: list[Message], config: Path, queue: str) -> None:
    """Queue the jobs in the app's run, so that its ledger knows of them."""
    from distributed_something.cli.connection import connect
    from distributed_something.cli.options import FILES
    from distributed_something.commands.submitting.submit_job import submit_job
    from distributed_something.inputs.settings import load_settings

    settings = load_settings(config)
    if settings.sqs_queue_name != queue:
        raise click.UsageError(
            f"This step's queue is {queue}, and that of {config} is {settings.sqs_queue_name}: "
            f"set APP_NAME = {queue.removesuffix('Queue')!r} there and run `setup`, or name the "
            "step's own config with --config."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.jsonl"
        write_jobs(path, jobs)
        submitted = submit_job(connect(settings), settings, path, folder=FILES)
    click.echo(f"Queued {submitted.count:,} jobs in {queue}.", err=True)


if __name__ == "__main__":
    from distributed_something.cli.app import run_command

    sys.exit(run_command(run_batch_general, "run_batch_general.py"))
