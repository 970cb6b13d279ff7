"""What a person sees of a check: a line for each thing, and the exact fix below it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from ..commands.check import Checkup, Finding, State
from .lines import for_config
from .screens import config_in_use, people, say

_STYLES = {
    State.OK: "green",
    State.WARNING: "yellow",
    State.MISSING: "bold red",
    State.UNSEEN: "dim",
}


def print_finding(finding: Finding) -> None:
    """A finding as a JSON line on stdout, as soon as it is known."""
    sys.stdout.write(json.dumps(asdict(finding)) + "\n")
    sys.stdout.flush()


def show_checkup(checkup: Checkup) -> None:
    """All lines, then how many of each kind there are."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in checkup.findings:
        told = Text(one.text)
        if one.fix:
            told.append(f"\n→ {for_config(one.fix, config_in_use())}", style="bold")
        table.add_row(Text(one.state.value, style=_STYLES[one.state]), one.subject, told)
    people.print(table, highlight=False)
    counts = [(state, checkup.count(state)) for state in State]
    say(", ".join(f"{count} {state.value}" for state, count in counts if count) + ".")
