"""`status` and `logs` of a run that has ended, as a person sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.cli.screens.status_screen import more_failed
from distributed_something.commands.runs.failed_jobs import count_failed, failed_jobs
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.account import new_account, simulated_ec2
from tests.book_pages import commands
from tests.builders import write_config
from tests.golden import check_golden, screen
from tests.lives import watch_calls
from tests.made_up_run import RUN, made_up_record, write_run


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def over(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A made-up run of 300 jobs that has ended, and a folder with its config."""
    write_run(new_account(simulator), 300)
    for kind, price in (("m5.xlarge", 0.0713), ("m6a.xlarge", 0.0642)):
        for zone in "abc":
            simulated_ec2().spot_prices[kind, f"us-east-1{zone}"] = [(0.0, price)]
    folder = tmp_path_factory.mktemp("over")
    write_config(folder)
    yield folder


def run(folder: Path, simulator: Simulator, *words: str) -> tuple[int, str, str]:
    return screen([*words], folder, simulator.environment)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("status_over", ["status"]),
        ("status_failed", ["status", "--failed"]),
        ("status_running", ["status", "--running"]),
    ],
)
def test_the_screens_of_a_run_that_is_over(
    over: Path, simulator: Simulator, name: str, words: list[str]
) -> None:
    code, out, text = run(over, simulator, *words)
    assert (code, out) == (0, "")
    check_golden(name, text)


def test_a_table_of_failed_jobs_ends_somewhere_and_says_where_all_are() -> None:
    assert more_failed(1000, 1000) == ""
    assert more_failed(1000, 1001) == "And 1 more job: `status --failed --json` lists all of them."
    assert more_failed(0, 3) == ""  # their attempts were not to be read: there is no table


def test_failed_jobs_are_read_as_they_are_asked_for(simulator: Simulator, over: Path) -> None:
    aws = simulator.aws()
    record = made_up_record(ended=None)
    survey = RunLedger.of(aws.s3, record).survey()
    with watch_calls(aws) as calls:
        found = failed_jobs(RunLedger.of(aws.s3, record), survey)
        assert not calls
        assert isinstance(next(found), Attempt)
        assert set(calls) == {"GetObject"}
    assert count_failed(survey) == 1 + len(list(found)) == 2


def test_in_a_pipe_no_name_and_no_reason_is_broken_across_lines(
    over: Path, simulator: Simulator
) -> None:
    _, _, text = screen(["status", "--failed"], over, simulator.environment, width=30)
    (line,) = (one for one in text.splitlines() if one.startswith("Plate03-A10 "))
    assert line.rstrip().endswith("exit code 137: out of memory")


def test_the_status_of_a_run_as_json(over: Path, simulator: Simulator) -> None:
    code, out, _ = run(over, simulator, "status", "--json", "--run", RUN)
    told = json.loads(out)
    assert (code, told["run_id"], told["jobs"]["submitted"]) == (0, RUN, 300)
    assert told["jobs"]["done"] + told["jobs"]["dead"] == 300
    assert told["money"]["so_far"] == pytest.approx(told["money"]["expected"])
    code, out, _ = run(over, simulator, "status", "--failed", "--json")
    failed = [json.loads(line) for line in out.splitlines()]
    assert len(failed) == told["jobs"]["dead"] > 0
    assert {one["state"] for one in failed} == {"dead"}


def test_all_attempts_at_one_job(over: Path, simulator: Simulator) -> None:
    _, out, _ = run(over, simulator, "status", "--failed", "--json")
    name = json.loads(out.splitlines()[0])["name"]
    code, _, text = run(over, simulator, "status", "--job", name)
    assert code == 0
    check_golden("status_job", text)
    code, _, text = run(over, simulator, "status", "--job", "no such")
    assert code == 1
    assert "has no job named no such" in text


def test_the_last_lines_are_in_the_ledger_when_the_log_group_is_gone(
    over: Path, simulator: Simulator
) -> None:
    code, out, text = run(over, simulator, "logs", "--failed")
    assert code == 0
    check_golden("logs_failed", text + out)
    name = text.split(":")[0]
    code, out, text = run(over, simulator, "logs", name)
    assert (code, "Traceback" in out) == (0, True)
    assert "CloudWatch has no output of it" in text


def test_a_machine_without_a_line_is_told_of(over: Path, simulator: Simulator) -> None:
    _, out, _ = run(over, simulator, "status", "--job", "Plate01-A01", "--json")
    machine = json.loads(out)["attempts"][0]["instance_id"]
    code, out, text = run(over, simulator, "logs", "--machine", machine, "--follow")
    assert (code, out) == (1, "")
    assert (
        f"The log group Counting_perInstance is gone, and with it the output of {machine}" in text
    )
    slip = f"{machine[:-1]}{'0' if machine[-1] != '0' else '1'}"
    code, _, text = run(over, simulator, "logs", "--machine", slip)
    assert code == 1
    assert f"has no machine {slip}: did you mean {machine}?" in " ".join(text.split())
    _, _, text = run(over, simulator, "logs", "--machine", "gray")
    assert "has no machine gray: `python run.py report` lists them." in " ".join(text.split())


def test_two_ways_to_look_are_refused(over: Path, simulator: Simulator) -> None:
    code, _, text = run(over, simulator, "status", "--failed", "--running")
    assert code == 2
    assert "Pass only one of --watch, --web, --failed, --running and --job" in text
    assert run(over, simulator, "logs", "a", "--failed")[0] == 2


_SHOWN = [line for line in commands("following_a_run.md") if "--web" not in line]  # it serves


@pytest.mark.parametrize("line", _SHOWN)
def test_the_commands_of_the_book_do_what_it_says(
    over: Path, simulator: Simulator, line: str
) -> None:
    words = line.split()
    assert words[:2] == ["python", "run.py"]
    code, _, text = run(over, simulator, *words[2:])
    assert code == 0, text
