"""Do a verb for the run of each machine type, where each has one."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from ..commands.watching.monitor import MonitorOutcome
from ..commands.watching.watch_all import Sleep, watch_all
from ..errors import DistributedSomethingError, NotFound, UsageError
from ..inputs.settings import Settings, load_settings
from ..inputs.type_runs import type_settings
from ..words import count_of
from . import monitor_screen, screens
from .faults import EXIT_FAILED, explain
from .stopping import told_if_stopped

Verb = TypeVar("Verb", bound=Callable[..., None])

_HEADED = f"{__name__}.headed"  # in a command's context


def for_each_run(*, goes_on: bool) -> Callable[[Verb], Verb]:
    """Give a verb `obj["settings"]`: those of config.py, or those of each type's run in turn.

    A verb that `goes_on` does so after a failure of one run, and fails at the end.
    """

    def decorate(verb: Verb) -> Verb:
        @wraps(verb)
        def run(obj: dict[str, Any], *arguments: Any, **options: Any) -> None:
            def do(settings: Settings) -> None:
                verb({**obj, "settings": settings}, *arguments, **options)

            do_each(load_settings(obj["config"]), do, goes_on=goes_on)

        return run  # type: ignore[return-value]  # it takes what the verb takes

    return decorate


def do_each(settings: Settings, do: Callable[[Settings], None], *, goes_on: bool) -> None:
    """Do something with the settings of each run; raises Exit with the worst exit code.

    What only some of the runs lack, such as a job of that name, is no failure.
    """
    if not settings.run_per_machine_type:
        do(settings)
        return
    codes: list[int] = []
    lacking: list[DistributedSomethingError] = []
    for own in type_settings(settings):
        screens.say(f"{own.machine_type[0]}:", style="bold")
        try:
            do(own)
            codes.append(0)
        except click.exceptions.Exit as end:
            if not goes_on:  # such as after Ctrl-C: machines of the next type would be bought
                raise
            codes.append(end.exit_code)
        except (NotFound, UsageError) as error:
            if not goes_on:
                raise
            lacking.append(error)
        except Exception as error:
            explained = explain(error)
            if not goes_on or explained is None:
                raise
            screens.say(explained[0], style="red")
            codes.append(explained[1])
    if lacking and not codes:
        raise lacking[0]
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
    screens.say(f"Each machine type's run has a file of its own: {own}")
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
            f"{option} looks at one run, and each type of MACHINE_TYPE has its own: leave it out, "
            "or watch all of them with `python run.py monitor`."
        )


def monitor_each(
    settings: Settings,
    watch: Callable[[Settings, Sleep], MonitorOutcome],
    as_json: bool,
    on_ended: Callable[[Settings, MonitorOutcome], None] = lambda _settings, _outcome: None,
    remove_unused: Callable[[Settings], int] = lambda _: 0,
) -> None:
    """Watch the runs of all types at once; raises Exit if one did not end in good order.

    Once they have ended, `remove_unused` is given each type that had none, and says how many things
    it removed.
    """
    runs = type_settings(settings)
    began = time.time()
    with told_if_stopped("monitor", by_itself=settings.auto_monitor):
        ended = watch_all([partial(watch, own) for own in runs])
    codes = []
    unused = []
    for own, outcome in zip(runs, ended, strict=True):
        screens.say(f"{own.machine_type[0]}:", style="bold")
        if isinstance(outcome, NotFound):
            screens.say(f"No run of {own.app_name}: no job names this type.")
            unused.append(own)
        elif isinstance(outcome, Exception):
            explained = explain(outcome)
            if explained is None:
                raise outcome
            screens.say(explained[0], style="red")
            codes.append(explained[1])
        else:
            monitor_screen.show_outcome(outcome, as_json)
            on_ended(own, outcome)
            codes.append(0 if outcome.is_complete else EXIT_FAILED)
            if not _ended_since(began, outcome):
                unused.append(own)
    if not codes:
        raise NotFound(
            f"No type of {settings.app_name} has a run: run `python run.py submitJob JOBS.csv` "
            "first."
        )
    are_over = all(isinstance(one, (MonitorOutcome, NotFound)) for one in ended)
    if are_over and any(_ended_since(began, one) for one in ended):
        codes += [_remove(own, remove_unused) for own in unused]
    elif unused:
        cancel = screens.run_line("cancel")
        screens.say(f"What `setup` made for types without jobs goes with `{cancel}`.")
    if max(codes):
        raise click.exceptions.Exit(max(codes))


def _ended_since(began: float, outcome: MonitorOutcome | Exception) -> bool:
    """Whether a run ended while it was watched, not before: then its app may be set up anew."""
    return isinstance(outcome, MonitorOutcome) and (outcome.record.ended or began) >= began


def _remove(own: Settings, remove_unused: Callable[[Settings], int]) -> int:
    """Remove what is there of a type without a run; the exit code."""
    try:
        count = remove_unused(own)
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        screens.say(explained[0], style="red")
        return explained[1]
    if count:
        screens.say(f"Removed {count_of(count, 'thing')} of {own.app_name}, which had no jobs.")
    return 0
