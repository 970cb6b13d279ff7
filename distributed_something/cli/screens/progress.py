"""Bars for what takes longer than a second; on a terminal only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ..people import people


@contextmanager
def sending_progress() -> Iterator[Callable[[int, int | None], None]]:
    """A bar of jobs, from the first that is queued on."""
    with _bar("Queueing jobs", MofNCompleteColumn()) as show:
        yield show


@contextmanager
def byte_progress(words: str = "Downloading") -> Iterator[Callable[[int, int | None], None]]:
    """A bar of bytes and their speed."""
    bar = ByteBar(words)
    try:
        yield bar
    finally:
        bar.stop()


class ByteBar:
    """A bar of bytes and their speed, from the first progress until it is stopped."""

    def __init__(self, words: str) -> None:
        self._bar = _new_bar(DownloadColumn(), TransferSpeedColumn())
        self._task = self._bar.add_task(words, total=None)

    def __call__(self, done: int, total: int | None) -> None:
        self._bar.start()
        self._bar.update(self._task, completed=done, total=total)

    def stop(self) -> None:
        """Leave the screen."""
        self._bar.stop()


@contextmanager
def reading_progress() -> Iterator[Callable[[int, int | None], None]]:
    """A bar of attempts that are read from the ledger."""
    with _bar("Reading the ledger", MofNCompleteColumn()) as show:
        yield show


@contextmanager
def _bar(words: str, *columns: ProgressColumn) -> Iterator[Callable[[int, int | None], None]]:
    """A bar that begins when there is something to show, so that questions can be asked before."""
    bar = _new_bar(*columns)
    task = bar.add_task(words, total=None)

    def show(done: int, total: int | None) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


def _new_bar(*columns: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=people(),
        disable=not people().is_terminal,
        transient=True,
    )


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
    with Progress(
        *columns, console=people(), disable=not people().is_terminal, transient=True
    ) as bar:
        yield JobBar(bar)
