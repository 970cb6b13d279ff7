"""The fleet file that a verb names is one that fits the account and region that it talks to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from distributed_something.cli.advice import (
    RunState,
    job_words,
    next_verbs,
    start_words,
    try_again,
)
from distributed_something.command_lines import DEFAULT_CONFIG, use_config
from distributed_something.local import FLEET_VARIABLE
from tests.builders import write_json
from tests.fleet_files import fleet, specification

SHIPPED = (Path(__file__).parents[3] / "files/exampleFleet_us-east-1.json").read_text()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ENDPOINT_URL", FLEET_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "files").mkdir()
    (tmp_path / "files/exampleJob.json").write_text('{"groups": []}')
    (tmp_path / "files/notes.json").write_text("no JSON")
    return tmp_path / "files"


def test_the_regions_own_file_is_named(files: Path) -> None:
    for region in ("us-east-1", "eu-west-1"):
        (files / f"exampleFleet_{region}.json").write_text(SHIPPED)
    assert start_words("eu-west-1") == "startCluster files/exampleFleet_eu-west-1.json"
    assert start_words("us-east-1") == "startCluster files/exampleFleet_us-east-1.json"


def test_the_shipped_file_names_nothing_of_a_region_and_fits_all(files: Path) -> None:
    (files / "exampleFleet_us-east-1.json").write_text(SHIPPED)
    assert start_words("eu-west-1") == "startCluster files/exampleFleet_us-east-1.json"


START = "startCluster FLEET.json"
LIVE = RunState(submitted=10, left=8, done=2, machines=2, is_watched=True)


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        (RunState(), ("submitJob JOBS.json",)),  # set up
        (RunState(submitted=10, left=10), (START,)),  # submitted
        (replace(LIVE, is_watched=False), ("monitor",)),  # machines, and no one watches
        (LIVE, ("status --watch",)),
        (replace(LIVE, failing=1), ("logs --failed",)),  # a job is tried again
        (replace(LIVE, given_up=1, left=7, is_watched=False), ("logs --failed", "monitor")),
        (replace(LIVE, given_up=1, left=7, machines=0), (START,)),  # the jobs need machines first
        (replace(LIVE, left=0, done=10), ("monitor",)),
        (replace(LIVE, left=0, done=9, given_up=1), ("logs --failed", "monitor")),
        (replace(LIVE, is_stopped=True, given_up=3), ("logs --failed", "retry")),
        (replace(LIVE, is_stopped=True, machines=0), ("retry", START)),
        (RunState(10, 0, 10, is_ended=True), ("download",)),
        (RunState(10, 0, 9, 1, is_ended=True), ("logs --failed", "retry", START)),
        (RunState(10, 1, 9, is_ended=True), ("retry", START)),
        (RunState(is_ended=True), ("setup", "submitJob JOBS.json", START)),
    ],
)
def test_what_comes_next_fits_how_the_run_stands(state: RunState, verbs: tuple[str, ...]) -> None:
    assert next_verbs(state, START) == verbs


def test_after_setup_an_ended_run_goes_on_or_a_new_one_begins() -> None:
    unfinished = RunState(10, 1, 8, 1, is_ended=True)
    assert next_verbs(unfinished, START, after="setup") == ("retry", START)
    whole = RunState(10, 0, 10, is_ended=True)
    assert next_verbs(whole, START, "submitJob my.csv", after="setup") == ("submitJob my.csv",)


def test_a_job_file_beside_a_config_of_its_own_is_named(files: Path) -> None:
    assert job_words() == "submitJob JOBS.json"
    (files.parent / "my wrap").mkdir()
    (files.parent / "my wrap/job.json").touch()
    use_config(Path("my wrap/config.py"))
    try:
        assert job_words() == "submitJob 'my wrap/job.json'"
    finally:
        use_config(DEFAULT_CONFIG)


def test_a_run_that_is_over_is_gone_on_with_by_the_same_file(files: Path) -> None:
    (files / "exampleFleet_us-east-1.json").write_text(SHIPPED)
    start = "startCluster files/exampleFleet_us-east-1.json"
    assert try_again("us-east-1") == ("retry", start)


def test_a_file_with_another_regions_things_is_not_named(files: Path) -> None:
    write_json(files / "exampleFleet_us-east-1.json", fleet(specification()))
    assert start_words("eu-west-1") == "startCluster FLEET.json"
    write_json(files / "my eu-west-1.json", fleet(specification()))
    assert start_words("eu-west-1") == "startCluster 'files/my eu-west-1.json'"


def test_a_large_job_file_is_not_read_to_find_a_fleet_file(files: Path) -> None:
    (files / "a fleet.json").write_text(SHIPPED + " " * 2_000_000)
    assert start_words("eu-west-1") == "startCluster FLEET.json"


def test_a_served_account_has_a_file_of_its_own(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "exampleFleet_us-east-1.json").write_text(SHIPPED)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    assert start_words("us-east-1") == "startCluster FLEET.json"
    served = write_json(files.parent / "fleet.json", fleet(specification()))
    monkeypatch.setenv(FLEET_VARIABLE, str(served))
    assert start_words("us-east-1") == f"startCluster {served}"
    monkeypatch.delenv("AWS_ENDPOINT_URL")  # a later shell's, of the real account
    assert start_words("us-east-1") == "startCluster files/exampleFleet_us-east-1.json"
