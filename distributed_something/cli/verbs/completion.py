"""The verb `completion`: a script that lets a shell complete verbs, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ..people import say

SHORT = "ds"  # the command that the script makes, for no shell completes `python run.py`
_CALL = "python run.py"
_VARIABLE = "_RUN_PY_COMPLETE"  # click's, by the program's name
_FUNCTIONS = {
    "bash": f'{SHORT}() {{ {_CALL} "$@"; }}\n',
    "zsh": f'{SHORT}() {{ {_CALL} "$@"; }}\n',
    "fish": f"function {SHORT}; {_CALL} $argv; end\n",
}
_USES = {
    "bash": f'eval "$({_CALL} completion bash)"',
    "zsh": f'eval "$({_CALL} completion zsh)"',
    "fish": f"{_CALL} completion fish | source",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_FUNCTIONS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script for SHELL that makes `ds` short for `python run.py`, and completes it.

    Example: python run.py completion bash
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    script = kind(ctx.find_root().command, {}, SHORT, _VARIABLE).source()
    # Click's script calls a program of the short name; ours is a function, which `env` cannot call.
    called = {"bash": "$1"}.get(shell, SHORT)
    script = script.replace(f"={shell}_complete {called}", f"={shell}_complete {_CALL}")
    script = script.replace(f" {SHORT});", f" {_CALL});")  # where fish's script calls it
    script = script.replace(f"$+commands[{SHORT}]", f"$+functions[{SHORT}]")  # where zsh's looks
    click.echo(_FUNCTIONS[shell] + script)
    say(f"To use it, here and in this shell's start-up file: {_USES[shell]}")
