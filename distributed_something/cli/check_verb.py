"""The verb `check`: what a run would lack."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..aws.compute.images import MachineType
from ..aws.compute.registry import image_facts
from ..commands.check import check as check_up
from ..inputs.settings import load_settings
from . import check_screen, screens
from .connection import connect, is_simulated
from .faults import EXIT_FAILED
from .options import PATH


@click.command()
@click.argument("job_file", type=PATH, required=False, metavar="[JOBS]")
@click.argument("fleet_file", type=PATH, required=False, metavar="[FLEET]")
@click.option("--offline", is_flag=True, help="Look only at what needs no account.")
@click.option("--json", "as_json", is_flag=True, help="A JSON line on stdout for each thing.")
@click.pass_obj
def check(
    obj: dict[str, Any],
    job_file: Path | None,
    fleet_file: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Say what a run would lack, and how to mend it: account, network, image, prices, quota, files.

    Changes nothing and costs nothing.  Ends with 1 if something is missing.

    Example: python run.py check files/exampleJob.json files/exampleFleet_us-east-1.json
    """
    settings = load_settings(obj["config"])
    aws = None if offline else connect(settings)
    checkup = check_up(
        aws,
        settings,
        job_file,
        fleet_file,
        facts_of=None if aws is None or is_simulated() else partial(image_facts, aws),
        types_of=_nominal_types if offline else None,
        is_rehearsal=aws is not None and is_simulated(),
        on_finding=check_screen.print_finding if as_json else lambda _: None,
    )
    if not as_json:
        check_screen.show_checkup(checkup)
    if not checkup.is_ready:
        raise click.exceptions.Exit(EXIT_FAILED)
    screens.next_step("setup")


def _nominal_types(names: Collection[str]) -> dict[str, MachineType]:
    # The list of all machine types is much to import, and nothing else needs it.
    from ..local.machines.nominal import nominal_types

    return nominal_types(names)
