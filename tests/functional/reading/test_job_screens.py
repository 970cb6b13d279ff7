"""`retry`, `download` and `cancel` as a person sees them, of one run in its course."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.setting_up.setup import setup
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp
from distributed_something.protocol.ledger.record import find_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.account import new_account, write_fleet_file
from tests.builders import settings, write_config, write_json
from tests.golden import check_golden, screen

ENDS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d \S+ +(?=│)")  # when the machines end at the latest
JOBS = {
    "command": "true",
    "name": "{plate}",
    "output": "results/{plate}",
    "groups": [{"plate": plate} for plate in ("P1", "P2", "P3")],
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def finish(aws: Aws, name: str, state: str, **files: bytes) -> None:
    """Write of a job what its worker does: results, and the marker that it is done or given up."""
    record = find_record(aws.s3, "lab-data", "Counting")
    assert record is not None
    (job,) = (one for one in RunLedger.of(aws.s3, record).submitted_jobs() if one.name == name)
    output = f"s3://lab-data/results/{name}"
    for file, body in files.items():
        aws.s3.put_object(Bucket="lab-data", Key=f"results/{name}/{file}.csv", Body=body)
    reason = "" if state == "done" else "exit code 1"
    how = "done" if state == "done" else "failed"
    ended = Attempt(job.job_id, name, "1", 1, how, "i-0", "slot", 0.0, output=output, reason=reason)
    ledger = RunLedger.of(aws.s3, record)
    ledger.write_attempt(ended)
    if state == "done":
        ledger.mark_done(ended)
    else:
        ledger.write_given_up(GivenUp(job.job_id, reason))


def test_the_screens_of_setup_submitjob_and_startcluster(
    simulator: Simulator, tmp_path: Path
) -> None:
    aws = new_account(simulator)
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", JOBS)
    fleet = write_fleet_file(aws, tmp_path).name
    for name, words in (
        ("setup", ["setup"]),
        ("submit_job", ["submitJob", "jobs.json"]),
        ("start_cluster", ["startCluster", fleet, "--yes"]),
    ):
        code, _, seen = screen(words, tmp_path, simulator.environment, width=120)
        assert code == 0, seen
        check_golden(name, ENDS.sub("2026-01-02 03:04 UTC ", seen))


def test_startcluster_tells_a_program_what_it_bought(simulator: Simulator, tmp_path: Path) -> None:
    aws = new_account(simulator)
    setup(aws, settings())
    write_config(tmp_path)
    words = ["startCluster", write_fleet_file(aws, tmp_path).name, "--json"]
    code, out, seen = screen(words, tmp_path, simulator.environment)
    told = json.loads(out)
    (bought,) = aws.ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"]
    assert (code, told["fleet_id"]) == (0, bought["SpotFleetRequestId"]), seen
    assert (told["machines"], told["machine_types"]) == (2, ["m5.xlarge"])
    assert (told["price_cap"], told["price_cap_per_hour"]) == (0.1, 0.2)
    assert told["price_cap_in_all"] == pytest.approx(0.2 * 168)
    record = json.loads((tmp_path / "files" / "CountingSpotFleetRequestId.json").read_text())
    assert told["run_id"] == record["run_id"]
    assert "total at most" in seen and "Next: python run.py monitor" in seen


def test_the_screens_of_retry_download_and_cancel(simulator: Simulator, tmp_path: Path) -> None:
    aws = new_account(simulator)
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", JOBS)
    for words in (["setup"], ["submitJob", "jobs.json"]):
        code, _, seen = screen(words, tmp_path, simulator.environment)
        assert code == 0, seen
    finish(aws, "P1", "done", cells=b"x" * 2048, nuclei=b"y" * 100)
    finish(aws, "P2", "dead")
    for name, words in (
        ("download", ["download", "results"]),
        ("download_again", ["download", "results"]),
        ("retry", ["retry", "--reason", "exit code 1", "--yes"]),
        ("cancel_list", ["cancel", "--list"]),
        ("cancel", ["cancel", "--yes"]),
    ):
        code, _, seen = screen(words, tmp_path, simulator.environment, width=120)
        assert code == 0, seen
        check_golden(name, seen)
