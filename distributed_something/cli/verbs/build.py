"""The verb `build`: the tool's image with the worker added."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from ..context import Program, pass_program
from ..people import next_step, people, say

if TYPE_CHECKING:
    from ...commands.setting_up.build import Built
    from ...commands.setting_up.engine import Progress as EngineProgress

_MB = 1_000_000  # as Docker counts
_LONGEST = 90  # characters of a step


@click.command()
@click.option("--base", default="", metavar="IMAGE", help="The image that contains your tool.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="A Dockerfile for it, with BASE_IMAGE from --base.",
)
@click.option(
    "--context",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder that the Dockerfile copies from, if not its own.",
)
@click.option(
    "--something",
    type=click.Path(path_type=Path),
    help="A file to use instead of worker/something.py.",
)
@click.option("--push", is_flag=True, help="Push the image to the registry of its name.")
@click.option("--user", default="", metavar="NAME", help="The user that jobs run as, such as root.")
@click.option(
    "--python", default="", metavar="IMAGE", help="The image that the worker's Python comes from."
)
@click.option(
    "--platform",
    type=click.Choice(["linux/amd64", "linux/arm64"]),
    help="The machines' processors, if different from those of MACHINE_TYPE.",
)
@pass_program
def build(
    program: Program,
    base: str,
    file: Path | None,
    context: Path | None,
    something: Path | None,
    push: bool,
    user: str,
    python: str,
    platform: str | None,
) -> None:
    """Build the image DOCKERHUB_TAG: your tool's image with the worker added; needs Docker.

    The tool keeps its own Python, libraries and PATH.  Jobs run as the user of the tool's image,
    or as the worker's own user if that is root.

    Example: python run.py build --base your/tool:1.0 --push
    """
    from ...commands.setting_up.build import build as build_worker
    from ...commands.setting_up.build import plan_build
    from ...commands.setting_up.engine import connect_engine, push_image

    settings = program.load_settings()
    plan = plan_build(
        settings,
        base=base,
        file=file,
        context=context,
        user=user,
        python=python,
        platform=platform or "",
        something=something,
    )
    engine = connect_engine()
    with _engine_progress() as on_progress:
        built = build_worker(engine, plan, on_progress)
        digest = push_image(engine, built.tag, on_progress) if push else ""
    show_built(built, digest)


@contextmanager
def _engine_progress() -> Iterator[Callable[[EngineProgress], None]]:
    """A bar for each image that is fetched, built or pushed; a line for each step otherwise."""
    if not people().is_terminal:
        yield _say_step
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=people()) as bar:
        tasks = {}

        def show(progress: EngineProgress) -> None:
            if progress.doing not in tasks:
                tasks[progress.doing] = bar.add_task(progress.doing, total=None, text="")
            fields = {"text": shorten(progress.text, _LONGEST)} if progress.text else {}
            bar.update(
                tasks[progress.doing],
                completed=progress.done,
                total=progress.total or None,
                **fields,  # type: ignore[arg-type]  # a field of ours
            )

        yield show


def _say_step(progress: EngineProgress) -> None:
    if progress.text:
        step = f" [{progress.done}/{progress.total}]" if 0 < progress.total < 1000 else ""
        say(f"{progress.doing}{step}: {shorten(progress.text, _LONGEST)}")


def show_built(built: Built, digest: str) -> None:
    """What was built, with its name for programs, and what comes next."""
    say(
        f"{built.tag} is built for {built.platform}: {built.size / _MB:,.0f} MB, "
        f"{built.beyond_base / _MB:,.0f} MB more than the tool's image. Jobs run as {built.user}."
    )
    click.echo(f"{built.tag}@{digest}" if digest else built.tag)
    if digest:
        next_step("setup")
    else:
        say("It is only on this computer. Push it for AWS's machines: build --push.")
        next_step("rehearse JOBS.json")
