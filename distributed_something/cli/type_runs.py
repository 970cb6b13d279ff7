"""Do a verb for the run of each machine type, where each has one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import click

from ..command_lines import run_line
from ..errors import DistributedSomethingError, NotFound, UsageError
from .context import Program, pass_program
from .people import say

if TYPE_CHECKING:
    from ..inputs.settings import Settings

Options = ParamSpec("Options")

_HEADED = f"{__name__}.headed"  # in a command's context


def for_each_run(
    *, goes_on: bool
) -> Callable[[Callable[Concatenate[Settings, Options], None]], Callable[Options, None]]:
    """Give a verb the settings of config.py, or those of each type's run in turn.

    A verb that `goes_on` does so after a failure of one run, and fails at the end.
    """

    def decorate(
        verb: Callable[Concatenate[Settings, Options], None],
    ) -> Callable[Options, None]:
        @wraps(verb)
        def run(program: Program, /, *words: Options.args, **options: Options.kwargs) -> None:
            def do(settings: Settings) -> None:
                verb(settings, *words, **options)

            do_each(program.load_settings(), do, goes_on=goes_on)

        return pass_program(run)

    return decorate


def do_each(settings: Settings, do: Callable[[Settings], None], *, goes_on: bool) -> None:
    """Do something with the settings of each run; raises Exit with the worst exit code.

    What only some of the runs lack, such as a job of that name, is no failure.
    """
    from ..inputs.type_runs import type_settings

    if not settings.run_per_machine_type:
        do(settings)
        return
    codes: list[int] = []
    lacking: list[DistributedSomethingError] = []

    def do_own(own: Settings) -> None:
        try:
            do(own)
        except (NotFound, UsageError) as error:
            if not goes_on:
                raise
            lacking.append(error)

    for own in type_settings(settings):
        say(f"{own.machine_type[0]}:", style="bold")
        codes.append(code_of(partial(do_own, own)))
        if codes[-1] and not goes_on:  # after Ctrl-C machines of the next type would be bought
            break
    if len(lacking) == len(codes):
        raise lacking[0]
    end_with(codes)


def code_of(do: Callable[[], object]) -> int:
    """The exit code of what is done; an error that a user can meet is shown, any other raised."""
    try:
        do()
    except click.exceptions.Exit as end:
        return end.exit_code
    except Exception as error:
        code = show_fault(error)
        if code is None:
            raise
        return code
    return 0


def show_fault(error: Exception) -> int | None:
    """Show an error that a user can meet; its exit code, None for a bug of ours."""
    from .faults import explain

    explained = explain(error)
    if explained is None:
        return None
    say(explained[0], style="red")
    return explained[1]


def end_with(codes: list[int]) -> None:
    """Raise Exit with the worst of the exit codes, if one is a failure's."""
    if max(codes, default=0):
        raise click.exceptions.Exit(max(codes))


def file_of_run(path: Path | None, settings: Settings) -> Path | None:
    """The file that a run writes where a person named one; says so where each run has its own.

    None stands for stdout, also where the person wrote `-`.
    """
    if path is None or str(path) == "-":
        return None
    if not settings.run_per_machine_type:
        return path
    own = path.with_stem(f"{path.stem}-{settings.app_name}")
    say(f"Each machine type's run has its own file: {own}")
    return own


def is_first_here() -> bool:
    """Whether no run has written its head to stdout yet in this command."""
    meta = click.get_current_context().find_root().meta
    is_first = not meta.get(_HEADED)
    meta[_HEADED] = True
    return is_first


def refuse_to_wait(option: str, given: bool, settings: Settings) -> None:
    """Raise UsageError for an option that waits for one run, where there are several."""
    if given and settings.run_per_machine_type:
        raise click.UsageError(
            f"{option} watches one run, and each type of MACHINE_TYPE has its own: leave it out, "
            f"or watch all runs with `{run_line('monitor')}`."
        )
