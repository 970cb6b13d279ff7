"""What `cancel` shows: all that there is of an app, what goes, and what stays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.table import Table

from ..commands.cancelling.cancel import Cancelled
from ..resources.kinds import Resource
from ..resources.table import UNSEEN
from ..words import count_of
from .screens import people, say
from .unfinished_screen import show_unfinished

_BORDERS = 13  # characters: of a table of four columns


def show_resources(app_name: str, found: Sequence[Resource], as_json: bool) -> None:
    """What there is of an app: a table for people, or a JSON line for each thing."""
    if as_json:
        for one in found:
            click.echo(json.dumps(asdict(one)))
        return
    title = f"What there is of {app_name}"
    widest = [max(map(len, words)) for words in zip(*_rows(found), strict=True)]
    if sum(widest) + _BORDERS > people.width:  # a table would break every name
        say(f"{title}:")
        for row in _rows(found):
            say("  ".join(word for word in row if word))
        _say_if_nothing(app_name, found)
        return
    table = Table(title=title, title_justify="left")
    for column in ("what", "name", "", ""):
        table.add_column(column, overflow="fold")  # a name that is cut short is of no use
    for row in _rows(found):
        table.add_row(*row)
    people.print(table)
    _say_if_nothing(app_name, found)


def _rows(found: Sequence[Resource]) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.name, one.detail, "stays" if one.stays else "") for one in found]


def _say_if_nothing(app_name: str, found: Sequence[Resource]) -> None:
    if not any(not one.stays for one in found):
        say(f"There is nothing of {app_name} to remove.")


def show_due(found: Sequence[Resource]) -> bool:
    """What will be removed; always goes on."""
    due = [one for one in found if not one.stays]
    counts = Counter(one.kind for one in due if one.name != UNSEEN)
    kinds = ", ".join(count_of(count, kind) for kind, count in counts.items())
    say(f"To be removed: {kinds}.")
    for one in due:
        if one.kind in ("spot fleet", "queue") or one.name == UNSEEN:
            say(f"  {one.kind} {one.name}: {one.detail}")
    return True


def ask_to_cancel(found: Sequence[Resource]) -> bool:
    """Show the same, then ask."""
    show_due(found)
    return click.confirm("Stop and remove all of this?", default=False, err=True)


def show_cancelled(app_name: str, region: str, cancelled: Cancelled) -> None:
    """What went, what stays and why, and the jobs that did not run."""
    say(f"Removed {count_of(len(cancelled.removed), 'thing')} of {app_name}.", style="green")
    for one in cancelled.stays:
        say(f"Stays: {one.kind} {one.name}")
    show_unfinished(cancelled.unfinished, region)
