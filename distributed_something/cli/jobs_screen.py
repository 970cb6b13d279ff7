"""What a person sees of jobs that are queued again, and of results that come here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ..commands.reading.download import Downloaded
from ..commands.reading.retry import Retried, RetryPlan
from ..words import count_of
from .screens import people, say


@contextmanager
def sending_progress() -> Iterator[Callable[[int, int | None], None]]:
    """A bar of jobs, from the first that is queued on; on a terminal only."""
    with _bar("Queueing jobs", MofNCompleteColumn()) as show:
        yield show


@contextmanager
def byte_progress() -> Iterator[Callable[[int, int | None], None]]:
    """A bar of bytes and their speed; on a terminal only."""
    with _bar("Downloading", DownloadColumn(), TransferSpeedColumn()) as show:
        yield show


@contextmanager
def reading_progress() -> Iterator[Callable[[int, int | None], None]]:
    """A bar of attempts that are read from the ledger; on a terminal only."""
    with _bar("Reading the ledger", MofNCompleteColumn()) as show:
        yield show


@contextmanager
def _bar(words: str, *columns: ProgressColumn) -> Iterator[Callable[[int, int | None], None]]:
    """A bar that begins when there is something to show, so that questions can be asked before."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=people,
        disable=not people.is_terminal,
        transient=True,
    )
    task = bar.add_task(words, total=None)

    def show(done: int, total: int | None) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


def show_plan(plan: RetryPlan) -> bool:
    """What will be queued again; always goes on."""
    _say_passed_over(plan)
    more = plan.count - len(plan.names)
    names = ", ".join(plan.names) + (f" and {more:,} more" if more else "")
    run = f"run {plan.run_id} of {plan.app_name}"
    if plan.count:
        say(f"To be queued again in {run}: {count_of(plan.count, 'job')} ({names}).")
    if plan.given_up:
        say(f"Of these were given up, and leave the dead-letter queue: {plan.given_up:,}.")
    if plan.stopped:
        say(f"The run was stopped, and goes on: {plan.stopped}", style="yellow")
    if plan.reopens:
        say("The run has ended, and is opened again.", style="yellow")
    return True


def ask_to_retry(plan: RetryPlan) -> bool:
    """Show the same, then ask."""
    show_plan(plan)
    question = "Queue them again?" if plan.count else "Let the run go on?"
    return click.confirm(question, default=False, err=True)


def show_retried(retried: Retried) -> None:
    """What was queued again, or why nothing was."""
    plan = retried.plan
    if retried.other_reasons:
        say("No job was given up for a reason with these words in it. The reasons are:")
        for reason in retried.other_reasons:
            say(f"  {reason}", style="red")
    if plan.lets_go_on:
        waiting = "1 job still waits" if plan.waiting == 1 else f"{plan.waiting:,} jobs still wait"
        say(f"The run goes on; {waiting}.", style="green")
        if not plan.count:
            return
    if not plan.count:
        _say_passed_over(plan)
        say(f"There is nothing to queue again in run {plan.run_id} of {plan.app_name}.")
        return
    say(f"Queued {count_of(retried.sent, 'job')} again (run {plan.run_id}).", style="green")
    if plan.given_up or retried.letters:
        say(f"Removed {retried.letters:,} of the letters in the dead-letter queue.")


def print_retried(retried: Retried) -> None:
    """The same as one JSON object on stdout."""
    plan = {**asdict(retried.plan), "job_ids": sorted(retried.plan.job_ids)}
    click.echo(json.dumps({**asdict(retried), "plan": plan}))


def print_downloaded(downloaded: Downloaded) -> None:
    """What came as one JSON object on stdout."""
    click.echo(json.dumps({**asdict(downloaded), "folder": str(downloaded.folder)}))


def show_downloaded(downloaded: Downloaded) -> None:
    """What came and what was there; the folder goes to stdout."""
    jobs = count_of(downloaded.jobs, "job")
    if not downloaded.files and not downloaded.whole:
        say(
            f"No file to bring: {jobs} of run {downloaded.run_id} done.",
            style="yellow",
        )
        return
    say(
        f"Brought {count_of(downloaded.files, 'file')}, {decimal(downloaded.size)}, of "
        f"{jobs} of run {downloaded.run_id}; {downloaded.whole:,} "
        f"{'was' if downloaded.whole == 1 else 'were'} there.",
        style="green",
    )
    if downloaded.renamed:
        say(
            f"{count_of(downloaded.renamed, 'file')} could not have the key's own name here.",
            style="yellow",
        )
    click.echo(downloaded.folder)


def _say_passed_over(plan: RetryPlan) -> None:
    for count, words in (
        (plan.done, "done"),
        (plan.running, "running"),
        (plan.waiting, "waiting in the queue"),
    ):
        if count:
            say(f"Left alone: {count_of(count, 'job')} {words}.")
