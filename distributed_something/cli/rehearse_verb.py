"""The verb `rehearse`: a whole run on this computer, or the simulated account it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..commands.submitting.type_plan import runs_of_jobs
from ..inputs.settings import load_settings
from . import rehearsal_screen, submit_screen
from .faults import EXIT_FAILED
from .options import FOLDER, PATH, family_option


@click.command()
@click.argument("job_file", type=PATH, required=False)
@click.option("--jobs", type=click.IntRange(min=1), help="Only the first so many jobs.")
@family_option
@click.option("--data", type=FOLDER, help="The folder that plays the bucket of inputs.")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process"]),
    default="auto",
    show_default=True,
    help="Workers as containers or as processes; auto says which and why.",
)
@click.option(
    "--interrupt",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Take each machine away during its life with this probability, from 0 to 1.",
)
@click.option("--serve", is_flag=True, help="Serve the simulated AWS until Ctrl-C instead.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="With --serve.")
@click.option("--json", "as_json", is_flag=True, help="How it went as JSON on stdout.")
@click.pass_obj
def rehearse(
    obj: dict[str, Any],
    job_file: Path | None,
    jobs: int | None,
    family: str | None,
    data: Path | None,
    runtime: str,
    interrupt: float,
    serve: bool,
    port: int,
    as_json: bool,
) -> None:
    """Live through a whole run of JOB_FILE on this computer: a simulated AWS, real workers.

    No account is needed and none is touched.  Jobs with `inputs` find them below --data.  Results
    land in rehearsal/<APP_NAME>/, in the place of the last rehearsal's.

    Example: python run.py rehearse examples/helloworld/job.json --jobs 2
    """
    # The simulator is much to import, and no other verb needs it.
    from ..local import rehearsal, serving

    settings = load_settings(obj["config"])
    if serve and as_json:
        raise click.UsageError("--json tells how a rehearsal went: leave out --serve.")
    if serve:
        with rehearsal_screen.told_of_serving() as on_ready:
            serving.serve(
                settings,
                port=port,
                data=data,
                runtime=runtime,
                on_ready=on_ready,
                listener=rehearsal_screen.rehearsal_listener(),
            )
        return
    if job_file is None:
        raise click.UsageError("Name the job file to rehearse, or give --serve.")
    succeeded = True
    for own in runs_of_jobs(None, settings, job_file, family):
        with submit_screen.job_progress() as bar:
            report = rehearsal.rehearse(
                own,
                job_file,
                jobs=jobs,
                family=family,
                data=data,
                runtime=runtime,
                interrupt=interrupt,
                listener=rehearsal_screen.rehearsal_listener(bar),
            )
        show = rehearsal_screen.print_rehearsal if as_json else rehearsal_screen.show_rehearsal
        show(report)
        succeeded = succeeded and report.succeeded
    if not succeeded:
        raise click.exceptions.Exit(EXIT_FAILED)
