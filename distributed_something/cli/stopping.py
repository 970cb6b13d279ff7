"""What a person is told who stops watching a run, or waiting for its machines: they go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ..command_lines import run_line
from .context import EXIT_STOPPED
from .people import say


@contextmanager
def told_if_stopped(
    again: str,
    by_itself: bool,
    may_cost: Callable[[], bool] = lambda: True,
    has_machines: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Say at Ctrl-C what goes on and costs money, and which verb ends it or watches it again.

    `again` is the verb with its words; `by_itself` whether a Lambda goes on watching; `may_cost`
    whether there can be machines by then, `has_machines` whether the last look saw any.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not may_cost():
            raise
        if has_machines():
            say("Stopped. The machines you bought continue, and cost money.", "yellow")
        else:
            say("Stopped. The run has no machines, and its target is 0.", "yellow")
        if by_itself:
            say("AUTO_MONITOR's Lambda watches the run, and removes everything at its end.")
        say(f"Watch the run:     {run_line(again)}", "bold")
        say(f"End the run now:   {run_line('cancel')}", "bold")
        raise click.exceptions.Exit(EXIT_STOPPED) from None
