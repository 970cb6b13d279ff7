"""The command of `setup_AWS.py`: what all runs of an account share is made, shown or removed."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from botocore.exceptions import ClientError

from ..commands.setting_up.setup_account import (
    PLACEHOLDER,
    destroy_account,
    scope_of_account,
    setup_account,
    watched_runs,
)
from ..definitions.account import documents
from ..errors import UsageError
from ..inputs.placeholders import is_bucket_placeholder
from ..inputs.settings import load_settings
from . import account_screen, screens
from .app import run_command
from .connection import connect, is_simulated
from .faults import EXIT_FAILED

if TYPE_CHECKING:
    from ..aws.session import Aws


def main(help_text: str) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    account.help = help_text
    return run_command(account, "setup_AWS.py")


@click.command()
@click.argument("action", type=click.Choice(["destroy"]), required=False, metavar="[destroy]")
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    metavar="NAME",
    help="Make this bucket too, and let CloudWatch export logs to it; can be given several times.",
)
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="PATTERN",
    help="Limit the rights to apps of these names, such as 'Lab_*'; by default, none is left out.",
)
@click.option("--show", is_flag=True, help="Print every policy document, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before anything is removed.")
@click.option(
    "--config", type=click.Path(path_type=Path), default=Path("config.py"), show_default=True
)
def account(
    action: str | None,
    buckets: tuple[str, ...],
    apps: tuple[str, ...],
    show: bool,
    yes: bool,
    config: Path,
) -> None:
    if not is_simulated():
        _refuse_placeholders(buckets)
    settings = load_settings(config, {"AWS_BUCKET": PLACEHOLDER})
    aws = connect(settings)
    # Nobody needs a bucket to look, or to remove what was made for one.
    otherwise = (PLACEHOLDER,) if show else () if action else None
    scope = scope_of_account(aws, settings, buckets, apps, otherwise=otherwise)
    if show:
        if scope.buckets == otherwise:
            screens.say(f"No bucket is named: read yours for {PLACEHOLDER}, or give --bucket NAME.")
        account_screen.show_documents(documents(scope))
    elif action is None:
        account_screen.show_account(setup_account(aws, scope, buckets))
        screens.next_step("setup")
    elif yes or _may_destroy(aws):
        failures = destroy_account(aws, scope, buckets)
        account_screen.show_destroyed(failures)
        if failures:
            raise click.exceptions.Exit(EXIT_FAILED)


def _may_destroy(aws: Aws) -> bool:
    """Whether to go on: asked on a terminal, told without one, as upstream's scripts expect."""
    if sys.stdin.isatty():
        return account_screen.ask_to_destroy(watched_runs(aws))
    watched: list[str] = []
    with suppress(
        ClientError
    ):  # who may remove the roles may not see this: it is no reason to stop
        watched = watched_runs(aws)
    return account_screen.show_destruction(watched)


def _refuse_placeholders(buckets: tuple[str, ...]) -> None:
    """Raise UsageError for a bucket's name that the book has in the place of the reader's own."""
    for name in filter(is_bucket_placeholder, buckets):
        raise UsageError(
            f"--bucket {name} names a placeholder: give a name of your own, which nobody else in "
            "the world has, such as --bucket yourlab-images-2026, and the same as AWS_BUCKET in "
            "config.py."
        )
