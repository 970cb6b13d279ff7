"""What all screens share: stderr speaks to people, and stdout carries what programs can use."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from .lines import for_config

_PIPE_WIDTH = 10_000  # characters: in a pipe or a file no name or reason is broken across lines
people = Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH)


def say(text: str, style: str | None = None) -> None:
    """One sentence for a person, as it stands: no markup, and no line broken for them."""
    text = for_config(text, config_in_use())
    people.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def next_step(words: str) -> None:
    """The verb that usually follows."""
    say(f"Next: {run_line(words)}", style="bold")


def next_steps(*verbs: str) -> None:
    """The verbs that follow, in their order: each needs what stands before it."""
    for number, words in enumerate(verbs):
        say(f"{'Then' if number else 'Next'}: {run_line(words)}", style="bold")


def besides(what: str, words: str) -> None:
    """A verb that can be run at any time, where others are to follow."""
    say(f"{what}: {run_line(words)}")


def run_line(words: str) -> str:
    """A command line with a verb, for the same config file as this one's."""
    return for_config(f"python run.py {words}", config_in_use())


def config_in_use() -> str:
    """The config file of the command that is being run."""
    context = click.get_current_context(silent=True)
    return str(context.find_root().params.get("config", "") if context else "")
