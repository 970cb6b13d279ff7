"""What a rehearsal found out: how the jobs went, and what they suggest for the config."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from ..protocol.ledger.attempts import AttemptKey, AttemptState
from ..protocol.ledger.facts import LedgerSummary
from ..run.failures import FailureGroup

if TYPE_CHECKING:
    from ..aws.compute.images import MachineType
    from ..inputs.settings import Settings
    from ..protocol.ledger.run_ledger import RunLedger

_SPARE = 1.25  # a rehearsal's jobs are not the hungriest ones
_LOOP_MIB = 80  # what a worker loop takes itself
_SUPERVISOR_MIB = 60
_MEMORY_FOR_CONTAINERS = 0.96
_SYSTEM_GIB = 15  # operating system and images
_LEAST_DISK_GIB = 30  # the root disk of the ECS image


@dataclass(frozen=True)
class Times:
    """Seconds that a job took, its inputs and outputs with it."""

    shortest: float
    median: float
    longest: float


@dataclass(frozen=True)
class Suggestion:
    """Constants that fit what was seen, on the first of MACHINE_TYPE.

    `docker_cores` and `memory` are None where the jobs were too short for their memory to be seen.
    """

    machine_type: str
    docker_cores: int | None
    memory: int | None  # MB as ECS counts them
    ebs_vol_size: int  # GiB


@dataclass(frozen=True)
class FailedAttempt:
    """An attempt that failed, for a person to read."""

    name: str
    number: int
    exit_code: int | None
    reason: str
    log_tail: str


@dataclass(frozen=True)
class RehearsalReport:
    """All that is shown at the end of a rehearsal; sizes MiB, times seconds."""

    run_id: str
    app_name: str
    runtime: str
    summary: LedgerSummary
    stopped: str  # why it ended before all its jobs had; empty if it did not
    seconds: float  # from the first verb to the end of the teardown
    job_times: Times | None
    peak_memory: float
    peak_disk: float
    suggestion: Suggestion | None
    machines: tuple[tuple[str, str], ...]  # id and type of each that there ever was
    interrupted_machines: int
    created: tuple[str, ...]  # what there was in the middle of the run and not before
    left_over: tuple[str, ...]  # what of it is there still although it should not be
    stays: tuple[str, ...]  # what is there still on purpose
    failure_groups: tuple[FailureGroup, ...]  # jobs that failed last, by kind
    failures: tuple[FailedAttempt, ...]  # the first of summary.failed
    directory: Path
    results: tuple[Path, ...]
    page: Path  # the report in HTML
    logs: Path

    @property
    def removed(self) -> tuple[str, ...]:
        """What was created and is gone."""
        there = {*self.left_over, *self.stays}
        return tuple(item for item in self.created if item not in there)

    @property
    def all_done(self) -> bool:
        return self.summary.done == self.summary.submitted > 0

    @property
    def succeeded(self) -> bool:
        """Every job done, and nothing left over."""
        return self.all_done and not self.left_over


def job_times(done: Sequence[AttemptKey]) -> Times | None:
    """How long jobs took, by the attempts that finished them: the same as in the run's report."""
    seconds = [key.seconds for key in done]
    return Times(min(seconds), median(seconds), max(seconds)) if seconds else None


def suggest(
    settings: Settings, machine: MachineType | None, ended: Sequence[AttemptKey]
) -> Suggestion | None:
    """How many jobs fit on a machine side by side, and the memory and disk that they need.

    What failed counts as well: it may have been killed for what it held.
    """
    if machine is None or not ended:
        return None
    tasks = settings.tasks_per_machine
    peak = max(key.memory_mib for key in ended)
    job_memory = peak * _SPARE + _LOOP_MIB
    room = machine.memory_mib * _MEMORY_FOR_CONTAINERS / tasks - _SUPERVISOR_MIB
    cores = max(1, min(machine.vcpus // tasks, int(room // job_memory)))
    job_disk = max(key.disk_mib for key in ended) * _SPARE / 1024
    return Suggestion(
        machine_type=machine.name,
        docker_cores=cores if peak else None,
        memory=math.ceil((cores * job_memory + _SUPERVISOR_MIB) / 100) * 100 if peak else None,
        ebs_vol_size=max(_LEAST_DISK_GIB, math.ceil(_SYSTEM_GIB + job_disk * cores * tasks)),
    )


def failed_attempts(
    ledger: RunLedger, tried: Iterable[AttemptKey], most: int = 10
) -> tuple[FailedAttempt, ...]:
    """The first attempts that failed, with their reasons."""
    failed = (key for key in tried if key.state is AttemptState.FAILED)
    return tuple(
        FailedAttempt(
            attempt.name, attempt.number, attempt.exit_code, attempt.reason, attempt.log_tail
        )
        for attempt in ledger.read_attempts(islice(failed, most))
    )
