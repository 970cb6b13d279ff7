"""`check` looks for every job's inputs, and fills the account into a fleet file that lacks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.check import Finding, State, check
from tests.account import open_account, write_fleet_file
from tests.builders import settings, write_json

JOBS = {
    "command": "count {input_dir}/{n}.tif",
    "inputs": ["images/{n}.tif"],
    "groups": {"product": {"n": "0001..1000"}},
}


@pytest.fixture(scope="module")
def account() -> Iterator[Aws]:
    with open_account() as aws:
        yield aws


def findings(aws: Aws, subject: str, *paths: Path | None, **options: Any) -> list[Finding]:
    checkup = check(aws, settings(), *paths, **options)
    return [one for one in checkup.findings if one.subject == subject]


def test_the_inputs_of_a_thousand_jobs_are_looked_for_with_two_listings(
    account: Aws, tmp_path: Path
) -> None:
    for number in range(1, 1001):
        if number != 500:
            account.s3.put_object(Bucket="lab-data", Key=f"images/{number:04}.tif", Body=b"x")
    listings: list[object] = []
    event = "before-call.s3.ListObjectsV2"
    account.s3.meta.events.register(event, lambda **_: listings.append(None))
    jobs = write_json(tmp_path / "jobs.json", JOBS)
    (found,) = findings(account, "inputs", jobs)
    assert found.state is State.MISSING
    assert found.text == (
        "nothing at s3://lab-data/images/0500.tif (1 of 1,000 inputs of 1,000 jobs)"
    )
    assert 0 < len(listings) <= 2


def test_a_fleet_file_without_the_account_gets_its_number_and_stays_as_it_is_else(
    account: Aws, tmp_path: Path
) -> None:
    path = write_fleet_file(account, tmp_path)
    whole = json.dumps(json.loads(path.read_text()), indent=3)
    path.write_text(whole.replace("iam::123456789012:", "iam::XXXXXXXXXXXX:"))
    assert path.read_text() != whole
    (filled,) = findings(account, "account number", None, path)
    assert filled.text == f"filled 123456789012 into {path}"
    assert path.read_text() == whole
    assert findings(account, "account number", None, path) == []


@pytest.mark.parametrize("options", [{"is_rehearsal": True}, {}])
def test_a_file_for_aws_gets_no_number_of_a_rehearsal_or_in_place_of_another(
    account: Aws, tmp_path: Path, options: dict[str, bool]
) -> None:
    role = "arn:aws:iam::XXXXXXXXXXXX:role/a" if options else "arn:aws:iam::210987654321:role/a"
    path = write_fleet_file(account, tmp_path, IamFleetRole=role)
    before = path.read_text()
    assert findings(account, "account number", None, path, **options) == []
    assert path.read_text() == before


def test_a_check_without_an_account_changes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_text('{"IamFleetRole": "arn:aws:iam::XXXXXXXXXXXX:role/a"}')
    check(None, settings(), None, path)
    assert "XXXXXXXXXXXX" in path.read_text()
