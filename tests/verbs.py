"""The verbs of `run.py` by name, each imported as when it is typed."""

from __future__ import annotations

import click

from distributed_something.cli.app import verbs

_CONTEXT = click.Context(verbs)


def verb(name: str) -> click.Command:
    """The command of a verb; raises KeyError for a word that is none."""
    command = verbs.get_command(_CONTEXT, name)
    if command is None:
        raise KeyError(name)
    return command


VERBS = {name: verb(name) for name in verbs.list_commands(_CONTEXT)}
