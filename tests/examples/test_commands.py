"""The commands example: every line of a table runs on the machine type that it names."""

from __future__ import annotations

import csv
import subprocess
import sys
from functools import partial
from pathlib import Path

import docker
import pytest

from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.reading.download import download
from distributed_something.commands.runs.runs import find_run
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.commands.submitting.type_plan import machines_of_type, runs_of_jobs
from distributed_something.commands.watching.monitor import MonitorOutcome, monitor
from distributed_something.commands.watching.watch_all import Sleep, watch_all
from distributed_something.inputs.settings import Settings
from distributed_something.inputs.type_runs import type_settings
from distributed_something.local.data import put_data
from distributed_something.local.pace import PACE
from distributed_something.local.stage import Listener, Stage, staged
from distributed_something.resources.table import take_inventory, what_stays

from .kit import EXAMPLES, build, settings_of
from .readme import Clone

HERE = EXAMPLES / "commands"
# Tag, type, and the arguments of jobs.csv's lines.
LINES = [
    ("Sweep0", "c5.large", "24", "1"),
    ("Sweep1", "m5.large", "24", "2"),
    ("Sweep2", "r5.large", "26", "3"),
    ("Sweep3", "c5.large", "26", "4"),
]


def play(stage: Stage, settings: Settings, table: Path, tag_offset: int = 0) -> None:
    """All verbs until machines are up, as the command line calls them for each type."""
    for own in type_settings(settings):
        setup(stage.aws, own)
    for own in runs_of_jobs(stage.aws, settings, table, tag_offset=tag_offset):
        submit_job(stage.aws, own, table, folder=None, tag_offset=tag_offset)
    for own in type_settings(settings):
        start_cluster(stage.aws, machines_of_type(stage.aws, own), stage.fleet_file, folder=None)


def watch(stage: Stage, settings: Settings, sleep: Sleep) -> MonitorOutcome:
    aws = stage.simulator.aws()
    record = find_run(aws, settings)
    return monitor(aws, record, folder=None, pace=PACE, sleep=sleep)


@pytest.mark.slow
@pytest.mark.docker
def test_each_command_runs_on_its_type_and_all_runs_end_and_leave_nothing(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    settings = settings_of("commands", build(engine, "commands"))
    with staged(settings, tmp_path / "rehearsal", "docker", Listener()) as stage:
        before = take_inventory(stage.aws)
        list(put_data(stage.simulator, stage.aws, {settings.aws_bucket}, HERE / "bucket"))
        play(stage, settings, HERE / "jobs.csv")
        runs = type_settings(settings)
        outcomes = watch_all([partial(watch, stage, own) for own in runs])
        seen = sorted(stage.agent.machines.seen.values())
        logs = "".join(path.read_text() for path in stage.logs.glob("*.log"))
        for own in runs:
            download(stage.aws, own, tmp_path / "results")
        left = take_inventory(stage.aws) - before
        stays = [what_stays(find_run(stage.aws, own)) for own in runs]

    summaries = [one.summary for one in outcomes if isinstance(one, MonitorOutcome)]
    assert [(one.submitted, one.done) for one in summaries] == [(2, 2), (1, 1), (1, 1)], outcomes
    # One machine for each command, of its own type.
    assert seen == ["c5.large", "c5.large", "m5.large", "r5.large"]
    assert logs.count("install: The solver is set up.") == len(seen)
    tables = sorted((tmp_path / "results").rglob("results.csv"))
    rows = [next(csv.DictReader(path.open(newline=""))) for path in tables]
    assert [(r["tag"], r["instance_type"], r["items"], r["seed"]) for r in rows] == LINES
    assert [path.parent.name for path in tables] == [tag for tag, *_ in LINES]
    (log,) = (tmp_path / "results").rglob("seed2.log")
    assert log.read_text().startswith("Sweep1 on a m5.large: value ")
    assert left <= frozenset().union(*stays)


@pytest.mark.slow
@pytest.mark.docker
def test_the_commands_of_its_readme_show_every_result(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    said = Clone(tmp_path / "clone").follow("commands")
    found = [line.split(",")[:4] for line in said.splitlines() if line.startswith("Sweep")]
    assert sorted(map(tuple, found)) == LINES


def test_the_solver_finds_the_best_value(tmp_path: Path) -> None:
    script = (
        "import runpy; best = runpy.run_path('solve.py')['best_value']; "
        "print(best([(5, 10), (4, 40), (6, 30), (3, 50)], 10))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=HERE / "bucket" / "commands" / "code",
        capture_output=True,
        text=True,
    )
    assert done.stdout == "90\n", done.stderr


def test_a_further_folder_is_the_codes_neighbour_and_what_a_failed_command_left_is_kept(
    tmp_path: Path,
) -> None:
    brought, work = tmp_path / "input", tmp_path / "work"
    for path in (brought / "code" / "solve.sh", brought / "models" / "one.txt"):
        path.parent.mkdir(parents=True)
        path.write_text("the model")
    (work / "output").mkdir(parents=True)
    line = "cat ../models/one.txt > results.csv; echo on > logs/on.txt; rm solve.sh; exit 3"
    environment = {
        "PATH": "/usr/bin:/bin",
        "BASH_ENV": str(HERE / "around-a-command.sh"),
        "WORK_DIR": str(work),
        "OUTPUT_DIR": str(work / "output"),
        **{"CODE": str(brought / "code"), "RESULTS": "results.csv logs/* more/*.txt"},
    }
    ended = subprocess.run(["bash", "-c", line], env=environment, cwd=work)
    assert ended.returncode == 3
    kept = {str(one.relative_to(work / "output")) for one in work.glob("output/**/*.*")}
    assert kept == {"results.csv", "logs/on.txt"}
    assert (work / "output" / "results.csv").read_text() == "the model"
    assert (brought / "code" / "solve.sh").is_file()  # the next command finds the code as it was
