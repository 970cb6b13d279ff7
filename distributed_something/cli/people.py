"""What all screens share: stderr speaks to people, and stdout carries what programs can use."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from ..command_lines import run_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_PIPE_WIDTH = 10_000  # characters: in a pipe or a file no name or reason is broken across lines


@cache
def people() -> Console:
    """The screen of the person; what draws on it is much to import, and `--help` needs none."""
    from rich.console import Console

    width = None if sys.stderr.isatty() else _PIPE_WIDTH
    return Console(stderr=True, width=width, markup=False, highlight=False)


def say(text: str, style: str | None = None) -> None:
    """One sentence for a person, as it stands: no markup, and no line broken for them."""
    people().print(text, style=style, soft_wrap=True)


def draw(screen: RenderableType) -> None:
    """A table or another drawing."""
    people().print(screen)


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
