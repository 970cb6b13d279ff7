"""The verb `cancel`: end the run now, and remove everything of its app."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ...words import count_of
from ..options import FILES
from ..people import draw, next_step, offer, people, say
from ..type_runs import for_each_run

if TYPE_CHECKING:
    from ...commands.cancelling.cancel import Cancelled
    from ...inputs.settings import Settings
    from ...resources.kinds import Resource

_BORDERS = 13  # characters: of a table of four columns


@click.command()
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.option("--list", "only_list", is_flag=True, help="List what exists, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --list: one JSON line per resource.")
@for_each_run(goes_on=True)
def cancel(settings: Settings, yes: bool, only_list: bool, as_json: bool) -> None:
    """Stop the app's run now, machines first, and remove everything that its runs created.

    On a terminal it asks first. In a script, it needs --yes.

    Finds everything by tags and names, with or without a monitor file. Jobs that were not done
    are written to a job file.

    Example: python run.py cancel --list
    """
    from ...commands.cancelling.cancel import cancel as end_run
    from ...commands.cancelling.cancel import list_resources
    from ..connection import connect

    aws = connect(settings)
    if only_list:
        _show_resources(settings.app_name, list_resources(aws, settings, folder=FILES), as_json)
        return
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Not a terminal: pass --yes to remove everything.")
    cancelled = end_run(aws, settings, folder=FILES, confirm=_show_due if yes else _ask)
    show_cancelled(settings.app_name, settings.aws_region, cancelled)
    if cancelled.unfinished.path:
        offer("What ran", "report")
    else:
        next_step("report")


def _show_resources(app_name: str, found: Sequence[Resource], as_json: bool) -> None:
    """Resources of an app: a table for people, or a JSON line for each thing."""
    from ..screens.tables import boxed_table

    if as_json:
        for status_of_run in found:
            click.echo(json.dumps(asdict(status_of_run)))
        return
    title = f"Resources of {app_name}"
    widest = [max(map(len, words)) for words in zip(*_rows(found), strict=True)]
    if sum(widest) + _BORDERS > people().width:  # a table would break every name
        say(f"{title}:")
        for row in _rows(found):
            say("  ".join(word for word in row if word))
        _say_if_nothing(app_name, found)
        return
    draw(boxed_table(title, ("what", "name", "", ""), _rows(found)))
    _say_if_nothing(app_name, found)


def _rows(found: Sequence[Resource]) -> list[tuple[str, str, str, str]]:
    return [
        (resource.kind, resource.name, resource.detail, "stays" if resource.stays else "")
        for resource in found
    ]


def _say_if_nothing(app_name: str, found: Sequence[Resource]) -> None:
    if not any(not resource.stays for resource in found):
        say(f"There is nothing of {app_name} to remove.")


def _show_due(found: Sequence[Resource]) -> bool:
    """What will be removed; always goes on."""
    from ...resources.table import UNSEEN

    due = [resource for resource in found if not resource.stays]
    counts = Counter(resource.kind for resource in due if resource.name != UNSEEN)
    kinds = ", ".join(count_of(count, kind) for kind, count in counts.items())
    say(f"To be removed: {kinds}.")
    for resource in due:
        if resource.kind in ("spot fleet", "queue") or resource.name == UNSEEN:
            say(f"  {resource.kind} {resource.name}: {resource.detail}")
    return True


def _ask(found: Sequence[Resource]) -> bool:
    """Show the same, then ask."""
    _show_due(found)
    return click.confirm("Stop and remove all of these?", default=False, err=True)


def show_cancelled(app_name: str, region: str, cancelled: Cancelled) -> None:
    """What went, what stays and why, and the jobs that did not run."""
    from ..advice import show_unfinished

    say(f"Removed {count_of(len(cancelled.removed), 'thing')} of {app_name}.", style="green")
    for resource in cancelled.stays:
        say(f"Stays: {resource.kind} {resource.name}")
    show_unfinished(cancelled.unfinished, region)
