"""What a person sees who submits jobs that the app's last run has already."""

from __future__ import annotations

import click

from ..commands.submitting.again import Again
from .screens import run_line, say
from .submit_screen import JobBar


def show_again(again: Again) -> bool:
    """How these jobs stand, and what becomes of them when they are queued again; always goes on."""
    states = (
        (again.waiting, "waiting" if again.is_live else "neither done nor given up"),
        (again.running, "running"),
        (again.done, "done"),
        (again.given_up, "given up"),
    )
    how = ", ".join(f"{count:,} {words}" for count, words in states if count)
    state = "is live" if again.is_live else "has ended"
    say(
        f"Run {again.run_id} of {again.app_name} {state} and has {again.count:,} of these "
        f"{again.jobs:,} jobs already: {how}.",
        style="yellow",
    )
    say(_live(again) if again.is_live else _ended(), style="yellow")
    return True


def ask_again(bar: JobBar, again: Again) -> bool:
    """Show the same, then ask, unless that run has ended: then nothing is there twice."""
    bar.pause()
    show_again(again)
    if not again.is_live:
        return True
    return click.confirm("Queue all of them again?", default=False, err=True)


def _live(again: Again) -> str:
    fates = (
        (again.waiting, "those that wait are there twice, and may run twice"),
        (again.running, "those that run are begun a second time beside the first"),
        (again.done, "those that are done are passed over"),
        (again.given_up, "those that were given up are tried again"),
    )
    told = "; ".join(words for count, words in fates if count)
    return f"Queued again, {told}. {run_line('retry')} would queue what failed, and nothing else."


def _ended() -> str:
    return (
        "In a new run they run again, unless CHECK_IF_DONE_BOOL is 'True' and their outputs are "
        f"there. {run_line('retry')} would go on with that run instead."
    )
