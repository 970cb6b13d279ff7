"""The verb `check`: everything that a run leans on, looked at before anything is paid for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws.compute.images import MachineType, machine_types
from ...command_lines import run_line
from ...definitions.fleet import types_of_overrides
from ...errors import UsageError
from ...inputs.type_runs import type_settings
from . import account, fleet, image, inputs, jobs, machines, places
from .findings import Finding, State, looked, missing, ok, unseen, warning
from .placeholders import placeholders

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleets.fleet_file import FleetFile
    from ...inputs.settings import Settings
    from .image import FactsOf

TypesOf = Callable[[Collection[str]], dict[str, MachineType]]


@dataclass(frozen=True)
class Checkup:
    """All that was found, in the order in which it was looked at."""

    findings: tuple[Finding, ...]

    def count(self, state: State) -> int:
        return sum(finding.state is state for finding in self.findings)

    @property
    def is_ready(self) -> bool:
        """Whether nothing is missing, as far as could be seen."""
        return not self.count(State.MISSING)


def check(
    aws: Aws | None,
    settings: Settings,
    job_file: Path | None = None,
    fleet_file: Path | None = None,
    *,
    facts_of: FactsOf | None = None,
    types_of: TypesOf | None = None,
    on_finding: Callable[[Finding], None] = lambda _: None,
    is_rehearsal: bool = False,
    now: Callable[[], float] = time.time,
) -> Checkup:
    """Look at everything, whatever else is missing; never raises for AWS.

    Changes nothing but a fleet file that lacks the account's number, which is filled in.
    Without `aws` only what needs no account is looked at, and `types_of` knows the machine types.
    `facts_of` looks at an image; without it the image is left alone. `on_finding` is told each
    line as it comes. A served rehearsal's account has whatever the config names, placeholders too.
    """
    found: list[Finding] = []

    def note(findings: Iterable[Finding]) -> None:
        for finding in findings:
            found.append(finding)
            on_finding(finding)

    note([_config(settings), *_limits(settings)])
    if not is_rehearsal:
        note(placeholders(settings))
    right_jobs, of_jobs = jobs.job_file(aws, settings, job_file) if job_file else (None, [])
    if aws is not None and fleet_file and not is_rehearsal:
        note(looked("account number", partial(fleet.fill_own_account, aws, fleet_file)))
    wanted, of_fleet = fleet.fleet_file(fleet_file) if fleet_file else (None, [])
    note([*of_jobs, *of_fleet])
    if aws is None:
        note(_offline(settings, _type_names(settings, wanted), types_of))
    else:
        note(_online(aws, settings, right_jobs, wanted, facts_of, now))
    return Checkup(tuple(found))


def _config(settings: Settings) -> Finding:
    return ok(
        "config",
        f"{settings.app_name}: machines {_machine_count(settings)}, containers on each "
        f"{settings.tasks_per_machine}, parallel jobs in each {settings.docker_cores}",
    )


def _limits(settings: Settings) -> Iterator[Finding]:
    """A warning where nothing that the config says ends a run that costs too much."""
    if not settings.max_cost and "max_hours" not in settings.model_fields_set:
        yield warning(
            "limits",
            f"neither MAX_COST nor MAX_HOURS is set: there is no cost limit, and a run ends after "
            f"{settings.max_hours:g} h",
            "set MAX_COST, in US dollars per run",
        )


def _machine_count(settings: Settings) -> str:
    types = len(dict.fromkeys(settings.machine_type)) if settings.run_per_machine_type else 1
    count = settings.cluster_machines
    return str(count) if types == 1 else f"{count} of each of {types} types"


def _of_runs(
    settings: Settings, look: Callable[[Settings], Iterator[Finding]]
) -> Iterator[Finding]:
    """What a look finds with the settings of each run; what all have in common is told once."""
    told: set[Finding] = set()
    for own in type_settings(settings):
        for finding in look(own):
            if finding not in told:
                told.add(finding)
                yield finding


def _type_names(settings: Settings, wanted: FleetFile | None) -> list[str]:
    """The machine types that would be asked for."""
    names = list(settings.machine_type)
    for spec in wanted.specifications if wanted else ():
        names += types_of_overrides(spec, settings.machine_type) if spec.overrides else ()
    return list(dict.fromkeys(names))


def _offline(settings: Settings, names: list[str], types_of: TypesOf | None) -> Iterator[Finding]:
    yield from account.region(settings.aws_region)
    types = types_of(names) if types_of else {}
    for name in names:
        if name not in types:
            yield warning(f"fit on {name}", "its size is unknown here; AWS may know it")
    yield from machines.containers(settings, types.values())
    yield unseen("account", "not checked (--offline)", f"run `{run_line('check')}` without it")


def _online(
    aws: Aws,
    settings: Settings,
    right_jobs: jobs.RightJobs | None,
    wanted: FleetFile | None,
    facts_of: FactsOf | None,
    now: Callable[[], float],
) -> Iterator[Finding]:
    who = account.credentials(aws)
    yield who
    yield from account.region(aws.region)
    if who.state is State.MISSING:
        needs = "a right clock" if who.subject == "clock" else "valid credentials"
        yield unseen("account", f"not seen: needs {needs}", who.fix)
        return
    for subject, look in (
        ("roles", lambda: account.roles(aws, settings)),
        ("profile", lambda: account.profile(aws)),
        ("watcher", lambda: account.watcher(aws, settings)),
        ("buckets", lambda: places.buckets(aws, settings)),
        ("scripts", lambda: places.scripts(aws, settings)),
        ("log export", lambda: places.log_export(aws, settings)),
        ("queues", lambda: _of_runs(settings, partial(places.job_queues, aws))),
        ("notices", lambda: _of_runs(settings, partial(account.notices, aws))),
        ("machines", lambda: _machines(aws, settings, wanted, now)),
        ("image", lambda: _image(aws, settings, wanted, facts_of)),
        (
            "fleet file",
            lambda: _fleet(aws, settings, wanted) if wanted else iter(()),
        ),
        (
            "inputs",
            lambda: inputs.inputs(aws, settings, right_jobs) if right_jobs else iter(()),
        ),
    ):
        yield from looked(subject, look)


def _fleet(aws: Aws, settings: Settings, wanted: FleetFile) -> Iterator[Finding]:
    """The fleet file in the account, as each run would buy by it."""
    yield from _of_runs(
        settings,
        lambda own: looked("fleet file", partial(fleet.account_of_fleet, aws, own, wanted)),
    )


def _machines(
    aws: Aws,
    settings: Settings,
    wanted: FleetFile | None,
    now: Callable[[], float],
) -> Iterator[Finding]:
    """The machine types and all that depends on them."""
    names = _type_names(settings, wanted)
    types: Collection[MachineType] = ()
    try:
        types = machine_types(aws.ec2, names).values()
    except UsageError as error:
        yield missing("machine types", str(error), "correct MACHINE_TYPE in config.py")
    known = [machine_type.name for machine_type in types]
    yield from machines.containers(settings, types)
    for subject, look in (
        (
            "price",
            lambda: machines.prices(aws, settings, known, fleet.zones_of_fleet(aws, wanted), now()),
        ),
        ("spot quota", lambda: machines.quotas(aws, settings, types)),
    ):
        if known:
            yield from looked(subject, look)


def _image(
    aws: Aws, settings: Settings, wanted: FleetFile | None, facts_of: FactsOf | None
) -> Iterator[Finding]:
    """The workers' image, and whether it is for the machines, where their types can be seen."""
    if facts_of is None:
        yield unseen("image", "not checked: no machine would pull it in a rehearsal")
        return
    types: Collection[MachineType] = ()
    with suppress(UsageError, ClientError):  # what is wrong there is said already
        types = machine_types(aws.ec2, _type_names(settings, wanted)).values()
    yield from image.image(settings, facts_of, types)


__all__ = ["Checkup", "Finding", "State", "check"]
