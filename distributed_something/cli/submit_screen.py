"""What `submitJob` shows: its progress, and what was queued."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ..commands.submitting.submit_job import Submitted
from ..words import count_of
from .screens import people, say


class JobBar:
    """Shows jobs per second while they are checked (no total) and queued; on a terminal only."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._checking = bar.add_task("Checking jobs", total=None, rate="")
        self._sending = bar.add_task("Queueing jobs", total=None, rate="", visible=False)
        self._began = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        self._bar.start()
        if total is None:
            self._bar.update(self._checking, completed=done)
            return
        if not self._bar.tasks[1].visible:
            self._began = time.monotonic()
            self._bar.update(self._checking, visible=False)
        rate = f"{done / max(time.monotonic() - self._began, 1e-6):,.0f} jobs/s"
        self._bar.update(self._sending, completed=done, total=total, visible=True, rate=rate)

    def pause(self) -> None:
        """Leave the screen to a question until the next progress."""
        self._bar.stop()


@contextmanager
def job_progress() -> Iterator[JobBar]:
    """A bar for the jobs of a file."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=people, disable=not people.is_terminal, transient=True) as bar:
        yield JobBar(bar)


def show_submitted(submitted: Submitted) -> None:
    """How many jobs were queued; the run's id goes to stdout."""
    jobs = count_of(submitted.count, "job")
    say(f"Queued {jobs} in {submitted.queue_name} (run {submitted.run_id}).")
    if submitted.duplicates:
        say(
            f"Left out as equal to an earlier one: {count_of(submitted.duplicates, 'group')}.",
            style="yellow",
        )
    click.echo(submitted.run_id)
