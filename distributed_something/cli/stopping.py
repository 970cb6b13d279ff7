"""What a person is told who stops watching a run that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from . import screens
from .faults import EXIT_STOPPED


@contextmanager
def told_if_stopped(again: str, by_itself: bool) -> Iterator[None]:
    """Say at Ctrl-C what goes on and costs money, and which verb ends it or watches it again.

    `again` is the verb with its words; `by_itself` whether a Lambda goes on watching.
    """
    try:
        yield
    except KeyboardInterrupt:
        screens.say("Stopped watching. Machines that are up go on, and cost money.", "yellow")
        if by_itself:
            screens.say("AUTO_MONITOR's Lambda goes on watching, and removes all at the run's end.")
        screens.say(f"Watch again:       {screens.run_line(again)}", "bold")
        screens.say(f"End the run now:   {screens.run_line('cancel')}", "bold")
        raise click.exceptions.Exit(EXIT_STOPPED) from None
