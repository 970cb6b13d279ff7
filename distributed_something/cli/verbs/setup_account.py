"""The command of `setup_AWS.py`: what all runs of an account share is made, shown or removed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...command_lines import DEFAULT_CONFIG, use_config
from ...errors import UsageError
from ..app import run_command
from ..context import EXIT_FAILED
from ..options import PATH
from ..people import next_step, say

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...definitions.policies.scope import Scope


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
    help="Create this bucket too, and let CloudWatch export logs to it; repeatable.",
)
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="PATTERN",
    help="Limit the rights to apps of these names, such as 'Lab_*'; by default, all apps.",
)
@click.option(
    "--permissions-boundary",
    "boundary",
    default="",
    metavar="ARN",
    help="The permissions boundary for new roles, if your account requires one.",
)
@click.option(
    "--upstream-fleets",
    is_flag=True,
    help="With --show: also the rights to end fleets of upstream's programs, which have no tag.",
)
@click.option("--show", is_flag=True, help="Print every policy document, and change nothing.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.option("--config", type=PATH, default=DEFAULT_CONFIG, show_default=True)
def account(
    action: str | None,
    buckets: tuple[str, ...],
    apps: tuple[str, ...],
    boundary: str,
    upstream_fleets: bool,
    show: bool,
    yes: bool,
    config: Path,
) -> None:
    from ...commands.setting_up import setup_account as making
    from ...definitions.account import documents
    from ...inputs.settings import load_settings
    from ..connection import connect, is_simulated

    use_config(config)
    if upstream_fleets and not show:
        raise click.UsageError("--upstream-fleets says what --show prints: give both.")
    if not is_simulated():
        _refuse_placeholders(buckets)
    settings = load_settings(config, {"AWS_BUCKET": making.PLACEHOLDER})
    aws = connect(settings)
    # Nobody needs a bucket to look, or to remove what was made for one.
    otherwise = (making.PLACEHOLDER,) if show else () if action else None
    scope = making.scope_of_account(aws, settings, buckets, apps, otherwise=otherwise)
    if show:
        if scope.buckets == otherwise:
            say(
                f"No bucket is set: replace {making.PLACEHOLDER} with yours, or pass --bucket NAME."
            )
        _show_documents(documents(scope, upstream=upstream_fleets))
    elif action is None:
        _show_account(making.setup_account(aws, scope, buckets, boundary=boundary))
        next_step("setup")
    elif yes or _may_destroy(aws):
        failures = making.destroy_account(aws, scope, buckets)
        _show_destroyed(failures)
        if failures:
            raise click.exceptions.Exit(EXIT_FAILED)


def _may_destroy(aws: Aws) -> bool:
    """Whether to go on: asked on a terminal, told without one, as upstream's scripts expect."""
    from botocore.exceptions import ClientError

    from ...commands.setting_up.setup_account import watched_runs

    if sys.stdin.isatty():
        return _ask_to_destroy(watched_runs(aws))
    watched: list[str] = []
    with suppress(ClientError):  # who may remove the roles may not see this: no reason to stop
        watched = watched_runs(aws)
    return _show_destruction(watched)


def _refuse_placeholders(buckets: tuple[str, ...]) -> None:
    """Raise UsageError for a bucket's name that the book has in the place of the reader's own."""
    from ...inputs.placeholders import is_bucket_placeholder

    for name in filter(is_bucket_placeholder, buckets):
        raise UsageError(
            f"--bucket {name} is a placeholder: choose a name that is unique in "
            "the world, such as --bucket yourlab-images-2026, and the same as AWS_BUCKET in "
            "config.py."
        )


def _show_documents(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Every policy document as JSON on stdout, and on stderr what each statement is for."""
    from ...definitions.policies.purposes import statement_purposes

    last = ""
    for name, sid, purpose in statement_purposes(documents):
        if name != last:
            say(name)
            last = name
        say(f"  {sid or 'Trust'}: {purpose}")
    click.echo(json.dumps(documents, indent=2))


def _show_account(scope: Scope) -> None:
    """What the account is ready for."""
    apps = "apps of every name" if scope.apps == ("*",) else f"apps named {', '.join(scope.apps)}"
    say(
        f"Account {scope.account} is ready for {apps} in {', '.join(scope.regions)}, "
        f"with the buckets {', '.join(scope.buckets)}.",
        style="green",
    )


def _show_destruction(watched: Sequence[str]) -> bool:
    """What goes with the roles; always goes on."""
    if watched:
        say(f"The Lambda watches {', '.join(watched)}; then nothing would.", style="yellow")
    say("Running workers of this account lose their rights.", style="yellow")
    return True


def _ask_to_destroy(watched: Sequence[str]) -> bool:
    """Say the same, then ask."""
    _show_destruction(watched)
    return click.confirm("Remove what setup_AWS.py created?", default=False, err=True)


def _show_destroyed(failures: Sequence[str]) -> None:
    """What became of it."""
    for failure in failures:
        say(failure, style="red")
    if failures:
        say("Run `python setup_AWS.py destroy` again to try once more.")
    else:
        say("Removed what setup_AWS.py created here. Buckets and AWS's own roles stay.")
