"""The run record: ours round-trips, upstream's are read, and nothing half-written is ever seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from distributed_something.errors import UsageError
from distributed_something.protocol.ledger.record import (
    FleetRecord,
    RunRecord,
    _write_atomically,
    read_record_file,
)

UPSTREAM = {
    "MONITOR_FLEET_ID": "sfr-1",
    "MONITOR_APP_NAME": "Fly",
    "MONITOR_ECS_CLUSTER": "default",
    "MONITOR_QUEUE_NAME": "FlyQueue",
    "MONITOR_BUCKET_NAME": "fly-data",
    "MONITOR_LOG_GROUP_NAME": "Fly",
    "MONITOR_START_TIME": "1700000000123",
}
RECORD = RunRecord("Fly", "default", "FlyQueue", "fly-data", "Fly", run_id="20261121-000000-abcd")


def test_a_record_says_the_same_after_it_was_written_and_read() -> None:
    record = replace(
        RECORD,
        started=1700000000.5,
        clean_dashboard=True,
        launch_templates=("Fly-1",),
        fleets=(FleetRecord("token", {"TargetCapacity": 2}, 2, "sfr-1"),),
        queue_deleted=1700000009.0,
    )
    assert RunRecord.from_json(record.to_json(), "file") == record


def test_a_record_is_a_monitor_file_that_upstream_could_read() -> None:
    ours = replace(RECORD, clean_dashboard=False).with_fleet(FleetRecord("t", {}, 1, "sfr-9"))
    values = json.loads(ours.to_json())
    assert values["MONITOR_FLEET_ID"] == "sfr-9"
    assert values["MONITOR_START_TIME"].isdigit()
    assert values["CLEAN_DASHBOARD"] == "False"
    assert values["MONITOR_QUEUE_NAME"] == "FlyQueue"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (json.dumps(UPSTREAM), None),
        (json.dumps({**UPSTREAM, "CLEAN_DASHBOARD": "True"}), True),
        (json.dumps(UPSTREAM, indent=1) + '\n"CLEAN_DASHBOARD" : "True"}', True),
        (json.dumps(UPSTREAM) + ',\n"CLEAN_DASHBOARD" : "False"}\n', False),
    ],
    ids=["seven keys", "eight keys", "closed before its last key", "closed, comma, last key"],
)
def test_upstreams_files_are_read_the_malformed_one_too(text: str, clean: bool | None) -> None:
    record = RunRecord.from_json(text, "file")
    assert record.fleet_ids == ("sfr-1",)
    assert record.clean_dashboard is clean
    assert record.started == pytest.approx(1700000000.123)
    assert record.run_id == ""
    assert record.is_live


def test_what_upstreams_files_do_not_say_is_not_known_and_is_no_zero() -> None:
    record = RunRecord.from_json(json.dumps(UPSTREAM), "file")
    assert record.fleets[0].target_capacity is None
    assert (record.tasks_per_machine, record.docker_cores, record.disk_gib) == (None, None, None)
    assert record.slots_per_machine is None
    assert RunRecord.from_json(record.to_json(), "file") == record


@pytest.mark.parametrize("text", ["", "[]", "12", "{", '{"a": 1} junk', '{"a": 1} {"b": 2} {'])
def test_what_is_no_monitor_file_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"my\.json is not a monitor file"):
        RunRecord.from_json(text, "my.json")


def test_missing_keys_are_named() -> None:
    values = {k: v for k, v in UPSTREAM.items() if k != "MONITOR_QUEUE_NAME"}
    with pytest.raises(UsageError, match="MONITOR_QUEUE_NAME"):
        RunRecord.from_json(json.dumps(values), "my.json")


def test_keys_that_a_newer_version_added_are_left_out() -> None:
    values = {**json.loads(RECORD.to_json()), "from_the_future": 1}
    values["fleets"] = [
        {"client_token": "t", "request": {}, "target_capacity": 1, "from_the_future": 2}
    ]
    assert RunRecord.from_json(json.dumps(values), "file").fleets[0].client_token == "t"


def test_a_fleet_takes_the_place_of_the_one_with_its_token_and_of_no_other() -> None:
    asked = RECORD.with_fleet(FleetRecord("a", {}, 1)).with_fleet(FleetRecord("b", {}, 1, "sfr-b"))
    answered = asked.with_fleet(FleetRecord("a", {}, 1, "sfr-a"))
    assert sorted(answered.fleet_ids) == ["sfr-a", "sfr-b"]


def test_a_run_of_another_version_is_refused_and_one_of_upstream_is_not() -> None:
    values = json.loads(RECORD.to_json())
    for version in ({}, {"protocol": "1"}, {"protocol": "99"}):
        old = {key: value for key, value in values.items() if key != "protocol"} | version
        with pytest.raises(UsageError, match="of another version of this program") as refused:
            RunRecord.from_json(json.dumps(old), "the file")
        assert "end that run with the version that started it" in str(refused.value)
    assert RunRecord.from_json(json.dumps(UPSTREAM), "the file").app_name == "Fly"


def test_a_record_whose_values_are_none_of_ours_is_refused() -> None:
    values = json.loads(RECORD.to_json())
    for change in ({"fleets": [7]}, {"MONITOR_START_TIME": "soon"}, {"fleets": 3}):
        with pytest.raises(UsageError, match="the file is not a monitor file"):
            RunRecord.from_json(json.dumps({**values, **change}), "the file")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.json"):
        read_record_file(tmp_path / "nothing.json")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    _write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        _write_atomically(path, "new \udc80")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]
