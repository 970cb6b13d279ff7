"""Send each job of a table to the run of the machine type that it names.

The jobs of all types are counted through: job 7 of the table has the tag `<APP_NAME>7`, whatever
its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import UsageError
from ...inputs.job_files import JobFile
from ...inputs.jobs import Group
from ...inputs.type_runs import TYPE_KEY, base_app, tagged, type_of

if TYPE_CHECKING:
    from ...inputs.settings import Settings

_SHOWN = 5  # faults


def jobs_of_type(file: JobFile, settings: Settings, tag_offset: int = 0) -> JobFile:
    """The jobs of the run whose settings these are, tagged; the file itself if runs have no types.

    Raises UsageError for a table that names types where the config does not ask for runs of them.
    """
    if not settings.run_per_machine_type:
        _refuse_types_unasked(file)
        return file
    app, own_type = base_app(settings), settings.machine_type[0]

    def groups() -> Iterator[Group]:
        for number, group in enumerate(file.groups(), start=tag_offset):
            if type_of(group) == own_type:
                yield tagged(group, app, number)

    return replace(file, groups=groups)


def tagged_jobs(file: JobFile, settings: Settings) -> JobFile:
    """The jobs of all types, tagged, to look at before any is sent; raises UsageError."""
    if not settings.run_per_machine_type:
        _refuse_types_unasked(file)
        return file
    types_of_jobs(file, settings)

    def groups() -> Iterator[Group]:
        for number, group in enumerate(file.groups()):
            yield tagged(group, settings.app_name, number)

    return replace(file, groups=groups)


def types_of_jobs(file: JobFile, settings: Settings) -> tuple[str, ...]:
    """The machine types that the jobs of a file name, in MACHINE_TYPE's order.

    `settings` are those of all types. Raises UsageError for jobs that name none of them.
    """
    named: set[str] = set()
    faults = []
    for number, group in enumerate(file.groups(), start=1):
        named.add(type_of(group))
        if type_of(group) not in settings.machine_type:
            faults.append(f"{file.noun} {number}: {TYPE_KEY} is {type_of(group)!r}.")
    if faults:
        more = len(faults) - _SHOWN
        raise UsageError(
            "\n  ".join(
                [
                    f"{file.path} has machine types that are missing in MACHINE_TYPE "
                    f"({', '.join(settings.machine_type)}); nothing was queued:",
                    *faults[:_SHOWN],
                    *([f"and {more} more"] if more > 0 else []),
                ]
            )
        )
    return tuple(
        machine_type
        for machine_type in dict.fromkeys(settings.machine_type)
        if machine_type in named
    )


def _refuse_types_unasked(file: JobFile) -> None:
    """A table of types and commands can only mean that each is to run on its own type."""
    first = next(iter(file.groups()), None) if file.noun == "Row" else None
    if first is not None and isinstance(first.value, dict) and set(first.value) == {TYPE_KEY}:
        raise UsageError(
            f"{file.path} names an {TYPE_KEY} for each command. To run each on its type, set "
            "RUN_PER_MACHINE_TYPE = 'True' in the config, and MACHINE_TYPE to the types; "
            "see documentation/from-aws-runner.md."
        )
