"""What options and arguments of several verbs are, and where verbs leave files."""

from __future__ import annotations

from pathlib import Path

import click

from ..protocol.families import FAMILIES

FILES = Path("files")  # where run records are written, as upstream does
REHEARSALS = Path("rehearsal")
REPORTS = Path("reports")
DOWNLOADS = Path("downloads")
PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
family_option = click.option(
    "--family",
    type=click.Choice(list(FAMILIES)),
    help="The form of JOB_FILE, if its keys do not show it.",
)
run_option = click.option(
    "--run", "run_id", metavar="ID", help="A run other than the app's last one."
)
