"""The verb `check`: what a run would lack."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..context import EXIT_FAILED, Program, pass_program
from ..options import PATH
from ..people import draw, next_step, say

if TYPE_CHECKING:
    from ...aws.compute.images import MachineType
    from ...commands.check import Checkup, Finding

_STYLES = {
    "ok": "green",
    "warning": "yellow",
    "missing": "bold red",
    "not seen": "dim",
}  # of states


@click.command()
@click.argument("job_file", type=PATH, required=False, metavar="[JOBS]")
@click.argument("fleet_file", type=PATH, required=False, metavar="[FLEET]")
@click.option("--offline", is_flag=True, help="Check only what needs no account.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per check, on stdout.")
@pass_program
def check(
    program: Program,
    job_file: Path | None,
    fleet_file: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Check what a run needs, and show the fixes: account, network, image, prices, quota, files.

    Costs nothing, and changes nothing except FLEET: where that lacks your account's number, `check`
    fills it in.  Ends with 1 if something is missing.

    Example: python run.py check files/exampleJob.json files/exampleFleet_us-east-1.json
    """
    from ...aws.compute.registry import image_facts
    from ...commands.check import check as check_up
    from ..connection import connect, is_simulated

    settings = program.load_settings()
    aws = None if offline else connect(settings)
    checkup = check_up(
        aws,
        settings,
        job_file,
        fleet_file,
        facts_of=None if aws is None or is_simulated() else partial(image_facts, aws),
        types_of=_nominal_types if offline else None,
        is_rehearsal=aws is not None and is_simulated(),
        on_finding=_print_finding if as_json else lambda _: None,
    )
    if not as_json:
        _show_checkup(checkup)
    if not checkup.is_ready:
        raise click.exceptions.Exit(EXIT_FAILED)
    next_step("setup")


def _nominal_types(names: Collection[str]) -> dict[str, MachineType]:
    # The list of all machine types is much to import, and nothing else needs it.
    from ...local.machines.nominal import nominal_types

    return nominal_types(names)


def _print_finding(finding: Finding) -> None:
    """A finding as a JSON line on stdout, as soon as it is known."""
    sys.stdout.write(json.dumps(asdict(finding)) + "\n")
    sys.stdout.flush()


def _show_checkup(checkup: Checkup) -> None:
    """All lines, then how many of each kind there are."""
    from rich.table import Table
    from rich.text import Text

    from ...commands.check import State

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in checkup.findings:
        told = Text(finding.text)
        if finding.fix:
            told.append(f"\n→ {finding.fix}", style="bold")
        table.add_row(
            Text(finding.state.value, style=_STYLES[finding.state.value]), finding.subject, told
        )
    draw(table)
    counts = [(state, checkup.count(state)) for state in State]
    say(", ".join(f"{count} {state.value}" for state, count in counts if count) + ".")
