"""A person at a terminal watches a run, and stops watching with Ctrl-C."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.commands.runs.runs import ensure_run
from distributed_something.commands.setting_up.setup import setup
from distributed_something.local.simulator import Simulator
from tests.account import new_account, simulated_ec2, write_fleet_file
from tests.builders import settings, write_config, write_json
from tests.terminals import CTRL_C, on_terminal


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        aws = new_account(simulator)
        setup(aws, settings())
        ensure_run(aws, settings(), folder=None)
        yield simulator


def test_who_stops_watching_hears_that_there_are_no_machines_and_what_ends_the_run(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    with on_terminal(["monitor"], tmp_path, simulator.environment) as terminal:
        terminal.wait_for(lambda shown: "Nothing was submitted yet" in shown)
        terminal.type(CTRL_C)
        code = terminal.end()
    said = re.sub(r"\x1b\[[\d;]*m", "", terminal.shown).split("^C")[-1]
    assert code == 130
    assert "The run has no machines, and its target is 0" in said
    assert re.search(r"Watch the run: +python run.py monitor\b", said)
    assert re.search(r"End the run now: +python run.py cancel\b", said)
    assert "Lambda" not in said
    assert "Traceback" not in said


def test_a_live_line_says_how_long_ago_the_run_was_looked_at(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    with on_terminal(["monitor"], tmp_path, simulator.environment) as terminal:
        terminal.wait_for(lambda shown: bool(re.search(r"seen [2-9] s ago", shown)))
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert "Ctrl-C: the run goes on" in terminal.shown


def test_who_stops_a_rehearsal_hears_what_was_done_and_where_the_logs_are(tmp_path: Path) -> None:
    write_config(tmp_path)
    groups = [{"wait": 0}, {"wait": 0.1}, {"wait": 600}]
    content = {"command": "sleep {wait}", "name": "{job_id}", "groups": groups}
    jobs = write_json(tmp_path / "jobs.json", content).name
    words = ["rehearse", jobs, "--runtime", "process"]
    with on_terminal(words, tmp_path, {}) as terminal:
        terminal.wait_for(lambda shown: "ended 2 of 3" in shown)
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    said = " ".join(re.sub(r"\x1b\[[\d;]*m", "", terminal.shown).split())
    assert "2 of 3 jobs had ended; 1 were running" in said
    assert (tmp_path / "rehearsal" / "Counting" / "worker_logs").is_dir()
    assert "rehearsal/Counting/worker_logs/" in said


def test_so_does_who_stops_waiting_for_machines_that_were_bought(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    fleet = write_fleet_file(simulator.aws(), tmp_path).name
    simulated_ec2().refused_types.add("m5.xlarge")
    words = ["startCluster", fleet, "--yes"]
    with on_terminal(words, tmp_path, simulator.environment) as terminal:
        terminal.wait_for(lambda shown: "0 of 2 machines are up" in shown)
        terminal.type(CTRL_C)
        code = terminal.end()
    said = re.sub(r"\x1b\[[\d;]*m", "", terminal.shown).split("^C")[-1]
    assert code == 130
    assert "The machines you bought continue, and cost money" in said
    assert re.search(r"End the run now: +python run.py cancel\b", said)
    with on_terminal(["monitor"], tmp_path, simulator.environment) as terminal:
        terminal.wait_for(lambda shown: "machines 0 of 2" in shown)
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert "The machines you bought continue, and cost money" in terminal.shown


def test_status_is_refreshed_in_place_and_leaves_the_terminal_as_it_was(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    words = ["status", "--watch", "--every", "1"]
    with on_terminal(words, tmp_path, simulator.environment) as terminal:
        terminal.wait_for(lambda shown: shown.count("Machines: 0 of") >= 2)
        before = terminal.shown
        terminal.type(CTRL_C)
        code = terminal.end()
        assert terminal.settings_now() == terminal.settings
    assert code == 130
    shown = [one for one in terminal.shown.split("Run 2") if "Machines: 0 of" in one]
    lines = shown[0].count("\n")
    assert lines > 3
    # Before each further look the cursor goes up over every line of the last, and wipes it.
    back = "\x1b[1A\x1b[2K" * lines
    assert before.count(back) == before.count("Machines: 0 of") - 1
    assert terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l")  # a cursor again
    assert "\x1b[?1049h" not in terminal.shown  # the last look is still there to be read
    assert "Traceback" not in terminal.shown
    assert terminal.shown.endswith("\n")


def test_on_a_narrow_terminal_what_there_is_is_listed_without_a_broken_name(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    narrow = {**simulator.environment, "COLUMNS": "60"}
    with on_terminal(["cancel", "--list"], tmp_path, narrow) as terminal:
        assert terminal.end() == 0
    assert re.search(r"ledger  s3://lab-data/runs/Counting/\d{8}-\d{6}-\w{4}/  ", terminal.shown)
    assert "queue  CountingQueue  0 waiting, 0 running" in terminal.shown
