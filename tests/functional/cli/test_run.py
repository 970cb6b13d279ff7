"""`run`: the four verbs in one, up to the first that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.local import FLEET_VARIABLE
from distributed_something.local.stage import Listener, staged
from distributed_something.protocol.ledger.record import find_record
from tests.account import open_account, variables, write_fleet_file
from tests.builders import settings, write_config, write_json
from tests.golden import screen

JOBS = {"command": "true", "groups": [{"plate": "A"}, {"plate": "B"}]}


@pytest.mark.slow
def test_one_line_sets_up_queues_buys_and_watches_to_the_end(tmp_path: Path) -> None:
    write_config(tmp_path, CLUSTER_MACHINES=1)
    write_json(tmp_path / "jobs.json", JOBS)
    with staged(settings(), tmp_path / "rehearsal", "process", Listener()) as stage:
        account = {**stage.simulator.environment, FLEET_VARIABLE: str(stage.fleet_file)}
        words = ["run", "jobs.json", str(stage.fleet_file), "--yes"]
        code, out, seen = screen(words, tmp_path, account)
        record = find_record(stage.aws.s3, "lab-data", "Counting")
    assert code == 0, seen
    heads = [line.split()[1] for line in seen.splitlines() if line.startswith("--- ")]
    assert heads == ["setup", "submitJob", "startCluster", "monitor"]
    assert record is not None and record.ended is not None and record.run_id in out
    before, _, after = seen.partition("--- monitor")
    assert "Next: " not in before
    assert "Next: python run.py download" in after


def test_without_a_terminal_it_buys_only_with_yes(tmp_path: Path) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", JOBS)
    with open_account() as aws:
        fleet = write_fleet_file(aws, tmp_path)
        code, _, seen = screen(["run", "jobs.json", str(fleet)], tmp_path, variables(aws))
        assert (code, "pass --yes" in seen) == (2, True)
        assert aws.sqs.list_queues().get("QueueUrls", []) == []


def test_it_stops_at_the_first_verb_that_fails(tmp_path: Path) -> None:
    write_config(tmp_path)
    write_json(tmp_path / "jobs.json", {**JOBS, "command": "echo {well}"})
    with open_account() as aws:
        fleet = write_fleet_file(aws, tmp_path)
        code, _, seen = screen(["run", "jobs.json", str(fleet), "--yes"], tmp_path, variables(aws))
        assert code == 2
        assert "--- submitJob jobs.json" in seen and "--- startCluster" not in seen
        assert aws.ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"] == []
