"""What `setup_AWS.py` shows of the account that it makes ready, and of what it takes away again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..definitions.policies import Scope
from .screens import say


def show_documents(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Every policy document as JSON on stdout, one object that has each under what it is for."""
    click.echo(json.dumps(documents, indent=2))


def show_account(scope: Scope) -> None:
    """What the account is ready for."""
    apps = "apps of every name" if scope.apps == ("*",) else f"apps named {', '.join(scope.apps)}"
    say(
        f"Account {scope.account} is ready for {apps} in {', '.join(scope.regions)}, "
        f"with the buckets {', '.join(scope.buckets)}.",
        style="green",
    )


def show_destruction(watched: Sequence[str]) -> bool:
    """What goes with the roles; always goes on."""
    if watched:
        say(f"The Lambda still watches {', '.join(watched)}; nothing would.", style="yellow")
    say("Workers of this account that still run lose their rights.", style="yellow")
    return True


def ask_to_destroy(watched: Sequence[str]) -> bool:
    """Say the same, then ask."""
    show_destruction(watched)
    return click.confirm("Remove what setup_AWS.py made?", default=False, err=True)


def show_destroyed(failures: Sequence[str]) -> None:
    """What became of it."""
    for failure in failures:
        say(failure, style="red")
    if failures:
        say("Run `python setup_AWS.py destroy` again to try once more.")
    else:
        say("Removed what setup_AWS.py had made here. Buckets and AWS's own roles stay.")
