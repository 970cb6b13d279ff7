"""What all screens share: stderr speaks to people, and stdout carries what programs can use."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import click

from ..command_lines import run_line
from ..words import visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_goes_on = False  # of the process, which runs one command
_PIPE_WIDTH = 10_000  # characters: in a pipe or a file no name or reason is broken across lines


@cache
def people() -> Console:
    """The screen of the person; what draws on it is much to import, and `--help` needs none."""
    from .plain_console import PlainConsole

    width = None if sys.stderr.isatty() else _PIPE_WIDTH
    return PlainConsole(stderr=True, width=width, markup=False, emoji=False, highlight=False)


def say(text: str, style: str | None = None) -> None:
    """One sentence for a person, as it stands: no markup, and no line broken for them."""
    people().print(text, style=style, soft_wrap=True)


def draw(screen: RenderableType) -> None:
    """A table or another drawing."""
    people().print(screen)


def put(text: str) -> None:
    """A line on stdout, with what would steer a terminal shown as an escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(visible(text).encode(encoding, "backslashreplace").decode(encoding))


@contextmanager
def without_next_steps() -> Iterator[None]:
    """Say no next verb meanwhile: the program continues it by itself."""
    global _goes_on
    _goes_on = True
    try:
        yield
    finally:
        _goes_on = False


def next_step(words: str, *names: str) -> None:
    """The verb that usually follows, and names of others that it takes, quoted for a shell."""
    next_steps(" ".join([words, *map(shlex.quote, names)]))


def next_steps(*verbs: str) -> None:
    """The verbs that follow, in their order: each needs what stands before it."""
    for number, words in enumerate(() if _goes_on else verbs):
        say(f"{'Then' if number else 'Next'}: {run_line(words)}", style="bold")


def offer(what: str, words: str) -> None:
    """A verb that can be run at any time, where others are to follow."""
    say(f"{what}: {run_line(words)}")
