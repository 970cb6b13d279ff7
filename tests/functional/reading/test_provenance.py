"""What a run was made with is kept beside its ledger, and no secret is among it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.reading.report import make_report
from distributed_something.commands.reading.report.page import page
from distributed_something.commands.runs.provenance import read_provenance
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.inputs.settings import load_settings
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.record import RunRecord, find_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.account import new_account, write_fleet_file
from tests.builders import settings, write_json
from tests.clock import Clock

JOBS = {"command": "count {plate}", "groups": [{"plate": "A"}]}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def account(simulator: Simulator) -> Aws:
    aws = new_account(simulator)
    setup(aws, settings())
    return aws


def submitted(aws: Aws, folder: Path, **changes: object) -> RunRecord:
    path = write_json(folder / "jobs.json", {**JOBS, **changes})
    submit_job(aws, settings(MY_NAME="Ada"), path, folder=None)
    record = find_record(aws.s3, "lab-data", "Counting")
    assert record
    return record


def kept(aws: Aws, record: RunRecord) -> dict[str, str]:
    return read_provenance(RunLedger.of(aws.s3, record))


def test_a_run_can_be_made_again_from_what_is_kept(account: Aws, tmp_path: Path) -> None:
    record = submitted(account, tmp_path)
    fleet = write_fleet_file(account, tmp_path)
    clock = Clock()
    bought = start_cluster(
        account,
        settings(MY_NAME="Ada"),
        fleet,
        folder=None,
        digest_of=lambda _: "sha256:12ab",
        sleep=clock.sleep,
        now=clock.now,
    )
    assert bought.run_id == record.run_id
    found = kept(account, record)
    jobs = next(name for name in found if name.startswith("jobs-"))
    assert found[jobs] == (tmp_path / "jobs.json").read_text()
    again = tmp_path / "config.py"
    again.write_text(found["config.py"])
    assert load_settings(again) == settings(MY_NAME="Ada")
    assert json.loads(found["fleet.json"]) == json.loads(fleet.read_text())
    assert json.loads(found["task_definition.json"])["family"] == "CountingTask"
    assert found["image"] == "lab/counting:1.0 sha256:12ab"


def test_the_report_shows_it(account: Aws, tmp_path: Path) -> None:
    record = submitted(account, tmp_path)
    text = page(make_report(account, record)).replace("&#39;", "'")
    assert "DOCKERHUB_TAG = 'lab/counting:1.0'" in text


def test_the_same_file_is_kept_once_and_a_changed_one_beside_it(
    account: Aws, tmp_path: Path
) -> None:
    submitted(account, tmp_path)
    submitted(account, tmp_path)
    record = submitted(account, tmp_path, name="plate-{plate}")
    assert sum(name.startswith("jobs-") for name in kept(account, record)) == 2


def test_a_table_of_groups_is_kept_with_the_file_that_names_it(
    account: Aws, tmp_path: Path
) -> None:
    table = tmp_path / "plates.csv"
    for text in ("plate\nA\nB\n", "plate\nC\n"):
        table.write_text(text)
        record = submitted(account, tmp_path, groups={"csv": "plates.csv"})
    found = kept(account, record)
    (jobs,) = (name for name in found if name.endswith("-jobs.json"))
    tables = [name for name in found if name.endswith("-plates.csv")]
    assert sorted(found[name] for name in tables) == ["plate\nA\nB\n", "plate\nC\n"]
    assert all(name.startswith(jobs.removesuffix("jobs.json")) for name in tables)
    text = page(make_report(account, record))
    assert all(f">{name}</" in text for name in (jobs, *tables))


def test_no_secret_is_kept(account: Aws, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record = submitted(account, tmp_path, _comment="log in with PASSWORD=hush-1")
    assert "jobs.json is not kept beside the run's ledger" in caplog.text
    clock = Clock()
    fleet = write_fleet_file(account, tmp_path)
    content = json.loads(fleet.read_text())
    content["LaunchSpecifications"][0]["UserData"] = "hush-2"
    tags = [{"Key": "note", "Value": "DB_PASSWORD=hush-3"}]
    content["TagSpecifications"] = [{"ResourceType": "spot-fleet-request", "Tags": tags}]
    fleet.write_text(json.dumps(content))
    own = settings(MY_NAME="Ada")
    start_cluster(account, own, fleet, folder=None, sleep=clock.sleep, now=clock.now)
    found = kept(account, record)
    assert "note" in found["fleet.json"] and "hush" not in str(found)


def test_a_reference_to_a_secret_is_kept_as_it_is(account: Aws, tmp_path: Path) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf"
    own = settings(OMERO_PASSWORD=arn)
    submit_job(account, own, write_json(tmp_path / "jobs.json", JOBS), folder=None)
    record = find_record(account.s3, "lab-data", "Counting")
    assert record
    again = tmp_path / "config.py"
    again.write_text(kept(account, record)["config.py"])
    assert load_settings(again) == own and own.secrets == {"OMERO_PASSWORD": arn}


def test_a_run_goes_on_if_nothing_can_be_kept(
    account: Aws, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def act(params: dict[str, str], **_: object) -> None:
        if "/made_with/" in params["Key"]:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    account.s3.meta.events.register("provide-client-params.s3.PutObject", act)
    record = submitted(account, tmp_path)
    assert "could not be kept with its ledger" in caplog.text
    assert kept(account, record) == {}
