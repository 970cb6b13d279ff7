"""The fleet file that a verb names is one that fits the account and region that it talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.cli.advice import start_words, try_again
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


def test_a_run_that_is_over_is_gone_on_with_by_the_same_file(files: Path) -> None:
    (files / "exampleFleet_us-east-1.json").write_text(SHIPPED)
    start = "startCluster files/exampleFleet_us-east-1.json"
    assert try_again("us-east-1") == ("setup", "retry", start)


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
