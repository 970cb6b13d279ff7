"""What a rehearsal suggests for the config, from what its jobs needed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from distributed_something.aws.compute.images import MachineType
from distributed_something.cli.screens.progress import JobBar
from distributed_something.cli.verbs.rehearse import rehearsal_listener, show_rehearsal
from distributed_something.local.report import (
    RehearsalReport,
    failed_attempts,
    job_times,
    suggest,
)
from distributed_something.protocol.ledger.attempts import Attempt, AttemptKey, AttemptState
from distributed_something.protocol.ledger.facts import LedgerSummary
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.run.failures import group_failures
from tests.builders import settings
from tests.golden import check_golden

XLARGE = MachineType("m5.xlarge", "x86_64", 16384, 4, False)


def attempt(memory: float = 100.0, disk: float = 10.0, seconds: float = 1.0) -> AttemptKey:
    one = Attempt(
        job_id="1",
        name="job",
        attempt_id="5000-a",
        number=1,
        state="done",
        instance_id="i-1",
        slot="s-1",
        started=5.0,
        ended=5.0 + seconds,
        tool_seconds=seconds / 2,  # the rest of it is for inputs and outputs
        peak_memory_mib=memory,
        peak_disk_mib=disk,
    )
    return one.key


class _Ledger(RunLedger):
    """A ledger of these attempts, in no bucket."""

    def __init__(self, attempts: list[Attempt]) -> None:
        self._of = {one.key: one for one in attempts}

    def read_attempts(self, keys: Iterable[AttemptKey]) -> Iterator[Attempt]:
        return (self._of[key] for key in keys)


def test_small_jobs_get_a_core_each() -> None:
    found = suggest(settings(), XLARGE, [attempt(), attempt()])
    assert found is not None and found.memory and found.docker_cores
    assert found.docker_cores == 4
    assert found.memory < 2000
    assert found.ebs_vol_size == 30


def test_large_jobs_get_as_many_cores_as_their_memory_allows() -> None:
    found = suggest(settings(), XLARGE, [attempt(), attempt(memory=5000.0)])
    assert found is not None and found.memory and found.docker_cores
    assert found.docker_cores == 2
    assert 2 * 5000 < found.memory < 16384 * 0.96


def test_a_job_as_large_as_the_machine_still_gets_one_core() -> None:
    found = suggest(settings(), XLARGE, [attempt(memory=20_000.0)])
    assert found is not None and found.memory and found.docker_cores
    assert found.docker_cores == 1
    assert found.memory > 20_000


def test_what_is_suggested_fits_on_the_machine_with_every_number_of_containers() -> None:
    for tasks in (1, 2, 4):
        found = suggest(settings(TASKS_PER_MACHINE=tasks), XLARGE, [attempt(memory=1500.0)])
        assert found is not None and found.memory and found.docker_cores
        assert found.memory * tasks <= 16384 * 0.96 + 100 * tasks
        assert found.docker_cores * tasks <= 4


def test_the_disk_holds_every_job_that_runs_at_a_time() -> None:
    found = suggest(settings(), XLARGE, [attempt(disk=20 * 1024)])
    assert found is not None
    assert found.ebs_vol_size >= 4 * 20


def test_no_less_is_suggested_than_what_a_failed_job_held() -> None:
    killed = replace(attempt(memory=6000.0, disk=30 * 1024), state=AttemptState.FAILED)
    found = suggest(settings(), XLARGE, [attempt(), killed])
    assert found is not None and found.memory and found.docker_cores
    assert found.memory / found.docker_cores > 6000
    assert found.ebs_vol_size > 30 * found.docker_cores


def test_of_memory_that_was_not_seen_nothing_is_suggested(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = suggest(settings(), XLARGE, [attempt(memory=0.0)])
    assert found is not None
    assert (found.docker_cores, found.memory, found.ebs_vol_size) == (None, None, 30)
    show_rehearsal(replace(ended(failed=0), peak_memory=0.0, suggestion=found))
    said = capsys.readouterr().err
    assert "memory not measured (too short), 1.0 MiB disk" in said
    assert "EBS_VOL_SIZE = 30 on m5.xlarge" in said
    assert not re.search("MEMORY|DOCKER_CORES|None", said)


def test_nothing_is_suggested_of_nothing() -> None:
    assert suggest(settings(), XLARGE, []) is None
    assert suggest(settings(), None, [attempt()]) is None
    assert job_times([]) is None


def test_times_are_shortest_median_and_longest() -> None:
    found = job_times([attempt(seconds=seconds) for seconds in (5.0, 1.0, 2.0)])
    assert found is not None
    assert (found.shortest, found.median, found.longest) == (1.0, 2.0, 5.0)


def ended(failed: int) -> RehearsalReport:
    """A rehearsal of 40 jobs, some of whose attempts failed."""
    attempts = [
        Attempt("1", f"job-{n}", f"{n}-a", 1, "failed", "i", "s", 0.0, reason="Bad.")
        for n in range(failed)
    ]
    return RehearsalReport(
        *("r1", "Counting", "process"),
        summary=LedgerSummary(40, 40 - failed, failed, 40, failed, 0, 0),
        seconds=9.0,
        job_times=None,
        peak_memory=1.0,
        peak_disk=1.0,
        suggestion=None,
        machines=(("i-1", "m5.large"),),
        interrupted_machines=0,
        created=(),
        left_over=(),
        stays=(),
        stopped="",
        failure_groups=group_failures(attempts),
        failures=failed_attempts(_Ledger(attempts), [one.key for one in attempts]),
        directory=Path("rehearsal/Counting"),
        results=(Path("one"),),
        page=Path("rehearsal/Counting/report.html"),
        logs=Path("rehearsal/Counting/worker_logs"),
    )


def test_how_many_more_attempts_failed_is_told_and_where_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_rehearsal(ended(failed=30))
    said = capsys.readouterr().err
    check_golden("rehearse", said)
    assert said.count(", attempt 1: ") == 5
    assert "And 25 more failed attempts: by reason in rehearsal/Counting/report.html" in said
    assert "rehearsal/Counting/worker_logs/" in said
    assert "Results: 1 file in " in said
    show_rehearsal(ended(failed=5))
    assert "more failed" not in capsys.readouterr().err


def test_machines_that_came_for_others_are_told_beside_what_was_made_at_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = ("machine i-1", "machine i-2", "queue q")
    machines = tuple((f"i-{number}", "m5.large") for number in range(1, 6))
    show_rehearsal(replace(ended(failed=0), created=made, machines=machines))
    said = capsys.readouterr().err
    assert "3 things: 2 machines, 1 queue" in said
    assert "3 machines more replaced others" in said
    show_rehearsal(replace(ended(failed=0), created=made, machines=machines[:2]))
    assert "later" not in capsys.readouterr().err


def test_the_bar_of_queued_jobs_goes_with_its_step() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True)
    with Progress(console=screen, transient=True) as progress:
        bar = JobBar(progress)
        listener = rehearsal_listener(bar)
        listener.on_jobs(3, 3)
        assert progress.live.is_started
        listener.on_step("startCluster")
        assert not progress.live.is_started


def test_no_more_failures_are_kept_than_a_person_reads() -> None:
    failed = [Attempt("1", "j", "0-a", 1, "failed", "i", "s", 0.0, reason="exit code 3")] * 30
    kept = failed_attempts(_Ledger(failed), [attempt(), *(one.key for one in failed)])
    assert len(kept) == 10
    assert kept[0].reason == "exit code 3"
