"""What a person sees while an image is built and pushed: a bar on a terminal, plain lines else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import shorten

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..commands.setting_up.build import Built
from ..commands.setting_up.engine import Progress as EngineProgress
from .screens import next_step, people, say

_MB = 1_000_000  # as Docker counts
_LONGEST = 90  # characters of a step


@contextmanager
def engine_progress() -> Iterator[Callable[[EngineProgress], None]]:
    """A bar for each image that is fetched, built or pushed; a line for each step otherwise."""
    if not people.is_terminal:
        yield _say_step
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=people) as bar:
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
        say("It is on this computer only; AWS's machines need it pushed: build --push.")
        next_step("rehearse JOBS.json")
