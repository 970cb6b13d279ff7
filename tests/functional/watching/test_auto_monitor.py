"""Auto-monitor: a run's schedule comes and goes with it, and the Lambda ends the run alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest

from distributed_something.commands.runs.runs import refresh
from distributed_something.commands.setting_up.lambda_package import (
    imported_modules,
    lambda_package,
)
from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.definitions.account import SCHEDULE_GROUP
from distributed_something.definitions.auto_monitor import LONGEST_NAME, schedule_name
from distributed_something.definitions.tags import APP_TAG
from distributed_something.errors import DistributedSomethingError
from distributed_something.protocol.ledger.record import FleetRecord, RunRecord, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.account import variables
from tests.lives import Life, add_lambda, handling, open_life, refusing

HANDLER = "distributed_something.commands.watching.auto_monitor"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path, AUTO_MONITOR="True") as life:
        life.set_up()
        yield life


def call(life: Life, record: RunRecord, seconds: float = 600.0) -> dict[str, Any]:
    """What the schedule does every other minute."""
    life.clock.time += 120.0
    life.tick()
    return watch_once(
        life.aws,
        RunLedger.of(life.aws.s3, record),
        deadline=life.clock.time + seconds,
        **life.times,
    )


def schedules(life: Life) -> list[str]:
    return [one for one in take_inventory(life.aws) if one.startswith("schedule ")]


def test_a_run_that_nobody_watches_is_ended_by_its_calls(life: Life) -> None:
    add_lambda(life.aws)
    before = take_inventory(life.aws)
    life.submit("a", "b")
    record = life.buy()
    target = life.aws.scheduler.get_schedule(Name=record.schedule, GroupName=SCHEDULE_GROUP)
    event = json.loads(target["Target"]["Input"])
    assert event == {"bucket": "lab-data", "app_name": "Counting", "run_id": record.run_id}
    assert call(life, record)["waiting"] == 2
    for instance_id in life.instances():
        life.finish(record, life.take(record, instance_id))
    answers = [call(life, record) for _ in range(4)]
    assert answers[-1]["over"] is True
    assert not refresh(life.aws, record).is_live
    left = take_inventory(life.aws)
    assert left - before <= what_stays(record)
    assert schedules(life) == []


def test_what_one_call_has_no_time_for_the_next_one_does(life: Life) -> None:
    add_lambda(life.aws)
    life.submit("a")
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    looked = {"began": 0.0, "submitted": 1, "quiet": {"count": 5, "since": 0.0}}
    key, body = record.keys.monitor_state, json.dumps(looked).encode()
    life.aws.s3.put_object(Bucket=record.bucket, Key=key, Body=body)
    with handling([life.aws.ecs], "before-call.ecs.DeleteCluster", _tasks_run(life)):
        answer = call(life, record, seconds=0.0)
    assert len(answer["failures"]) == 1
    assert "time is over" in answer["failures"][0]
    assert refresh(life.aws, record).is_live
    assert not any(one.startswith("machine ") for one in take_inventory(life.aws))
    assert len(schedules(life)) == 1
    assert call(life, record)["over"] is True
    assert schedules(life) == []


def strand(life: Life, record: RunRecord) -> None:
    """The fleet's time is over while a job waits."""
    life.aws.ec2.cancel_spot_fleet_requests(
        SpotFleetRequestIds=list(record.fleet_ids), TerminateInstances=True
    )


def test_a_run_without_machines_is_looked_at_no_more_until_startcluster(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    add_lambda(life.aws)
    life.submit("a")
    record = life.buy()
    strand(life, record)
    answers = [call(life, record) for _ in range(2)]
    assert [one.get("stranded") for one in answers] == [None, True]
    assert schedules(life) == []
    assert "python run.py startCluster" in caplog.text
    assert refresh(life.aws, record).is_live
    record = life.buy()
    assert len(schedules(life)) == 1
    assert "stranded" not in call(life, record)
    assert len(schedules(life)) == 1


def test_the_schedule_stays_while_machines_are_being_bought(life: Life) -> None:
    add_lambda(life.aws)
    life.submit("a")
    record = life.buy()
    strand(life, record)
    ordered = record.with_fleet(FleetRecord("token", {}, 1))
    save_record(life.aws.s3, ordered, None)
    answers = [call(life, record) for _ in range(3)]
    assert answers[-1]["stranded"] is False
    assert len(schedules(life)) == 1


def test_a_fleet_that_startcluster_could_not_note_is_seen_at_once_and_written_down_in_time(
    life: Life,
) -> None:
    life.submit("a")
    record = life.buy()
    unheard = replace(record, fleets=tuple(replace(one, fleet_id="") for one in record.fleets))
    save_record(life.aws.s3, unheard, None)
    answers = [call(life, record)]
    assert answers[0]["machines"] == answers[0]["target"] == len(life.instances()) > 0
    # A startCluster that is at it just now writes the id itself, and must not be overtaken.
    assert refresh(life.aws, record).fleet_ids == ()
    answers += [call(life, record) for _ in range(3)]
    assert refresh(life.aws, record).fleets == record.fleets
    assert [one["machines"] for one in answers] == [answers[0]["machines"]] * 4


def _tasks_run(life: Life) -> Callable[..., None]:
    """ECS's answer while the last tasks have not stopped yet."""

    def refuse(**_: Any) -> None:
        error: Any = {"Code": "ClusterContainsTasksException", "Message": "Tasks are active."}
        kind = life.aws.ecs.exceptions.ClusterContainsTasksException
        raise kind({"Error": error}, "DeleteCluster")

    return refuse


def test_a_call_for_a_run_that_has_ended_removes_its_schedule(life: Life) -> None:
    add_lambda(life.aws)
    record = life.buy()
    ended = replace(record, ended=life.clock.time).to_json().encode()
    life.aws.s3.put_object(Bucket=record.bucket, Key=record.keys.record, Body=ended)
    assert call(life, record) == {"over": True}
    assert schedules(life) == []


def test_a_call_for_a_run_whose_bucket_is_gone_removes_its_schedule(life: Life) -> None:
    add_lambda(life.aws)
    record = life.buy()
    assert call(life, replace(record, bucket="no-such-bucket")) == {"over": True}
    assert schedules(life) == []


def test_a_state_of_another_version_is_begun_anew(life: Life) -> None:
    record = life.buy()
    key = record.keys.monitor_state
    for body in (b"{", b"[]", b'{"began": 1.0, "strange": 2}', b'{"strange": 2}'):
        life.aws.s3.put_object(Bucket=record.bucket, Key=key, Body=body)
        assert call(life, record)["waiting"] == 0


def test_an_account_without_the_lambda_is_told_so(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    record = life.buy()
    assert record.schedule == ""
    assert "python setup_AWS.py" in caplog.text
    assert "python run.py monitor" in caplog.text


def test_one_who_may_not_make_a_schedule_gets_machines_all_the_same(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    add_lambda(life.aws)
    with refusing(life.aws.scheduler, "CreateSchedule"):
        record = life.buy()
    assert "AUTO_MONITOR cannot watch this run" in caplog.text
    assert record.fleet_ids
    assert refresh(life.aws, record).schedule == ""


def test_auto_monitor_off_makes_no_schedule(tmp_path: Path) -> None:
    with open_life(tmp_path) as life:
        add_lambda(life.aws)
        life.set_up()
        assert life.buy().schedule == ""
        assert schedules(life) == []


def test_a_purchase_that_fails_takes_its_schedule_back(life: Life) -> None:
    add_lambda(life.aws)
    with refusing(life.aws.ec2, "RequestSpotFleet"), pytest.raises(DistributedSomethingError):
        life.buy()
    assert schedules(life) == []
    assert life.record().schedule == ""


def test_long_names_of_apps_make_names_that_a_schedule_may_have() -> None:
    run_id = "20261121-142233-a1b2"
    assert schedule_name("Counting", run_id) == f"Counting-{run_id}"
    long = schedule_name("x" * 67, run_id)
    assert len(long) == LONGEST_NAME
    assert long.endswith(run_id)


def test_the_package_is_the_same_bytes_for_the_same_files() -> None:
    package = lambda_package(HANDLER)
    assert package == lambda_package(HANDLER)
    names = zipfile.ZipFile(io.BytesIO(package)).namelist()
    assert "distributed_something/commands/watching/auto_monitor.py" in names
    assert "distributed_something/__init__.py" in names
    assert not any("/cli/" in name or "/local/" in name for name in names)
    assert "distributed_something/inputs/settings.py" not in names


CALL = """
import json, os, sys
from distributed_something.commands.watching.auto_monitor import handler
class Context:
    def get_remaining_time_in_millis(self):
        return 600_000
print(json.dumps(handler(json.loads(sys.argv[1]), Context())))
heavy = {"pydantic", "click", "rich", "moto", "ijson", "docker"} & set(sys.modules)
assert not heavy, heavy
"""


def bare_python(folder: Path) -> tuple[Path, str]:
    """A virtual environment that has boto3 and what it needs, and nothing else."""
    venv.create(folder, with_pip=False)
    packages = folder / "packages"
    packages.mkdir()
    site = Path(boto3.__file__).parents[1]
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        if (site / name).exists():
            (packages / name).symlink_to(site / name)
    return folder / "bin" / "python", str(packages)


def test_the_package_runs_with_the_standard_library_and_boto3_alone(
    life: Life, tmp_path: Path
) -> None:
    add_lambda(life.aws)
    life.submit("a")
    record = life.buy()
    package = tmp_path / "package.zip"
    package.write_bytes(lambda_package(HANDLER))
    python, packages = bare_python(tmp_path / "bare")
    event = {"bucket": record.bucket, "app_name": record.app_name, "run_id": record.run_id}
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(package), packages]),
        "AWS_REGION": "us-east-1",
        **variables(life.aws),
    }
    called = subprocess.run(
        [python, "-c", CALL, json.dumps(event)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["waiting"] == 1


def test_no_module_of_the_package_imports_more_than_boto3() -> None:
    """Said of the files themselves, for imports that no test happens to reach."""
    allowed = set(sys.stdlib_module_names) | {boto3.__name__, botocore.__name__}
    for name, path in imported_modules(HANDLER).items():
        for line in path.read_text().splitlines():
            words = line.split()
            if line.startswith(("import ", "from ")) and not words[1].startswith("."):
                assert words[1].split(".")[0] in allowed, f"{name}: {line}"


def test_the_tag_that_the_lambdas_rights_ask_for_is_on_fleets_machines_and_templates(
    life: Life,
) -> None:
    life.buy()
    ec2 = life.aws.ec2
    tagged: list[Any] = list(ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"])
    tagged += ec2.describe_launch_templates()["LaunchTemplates"]
    for one in ec2.describe_instances()["Reservations"]:
        tagged += one["Instances"]
    assert len(tagged) == 4
    for thing in tagged:
        assert APP_TAG in {tag["Key"] for tag in thing["Tags"]}
