"""A run is begun once, is found from anywhere, and is never replaced while it is live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.runs.runs import ensure_run, find_run, refresh
from distributed_something.errors import NotFound, UsageError
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.keys import record_key, record_name
from distributed_something.protocol.ledger.record import (
    FleetRecord,
    RunRecord,
    read_record_file,
    save_record,
)
from tests.builders import settings

NAME = record_name("Counting")


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator() as simulator:
        clients = simulator.aws()
        for bucket in ("lab-data", "other-data"):
            clients.s3.create_bucket(Bucket=bucket)
        yield clients


def end(aws: Aws, record: RunRecord, folder: Path | None = None) -> RunRecord:
    ended = replace(record, ended=200.0, queue_deleted=199.0)
    save_record(aws.s3, ended, folder)
    return ended


def test_a_run_is_begun_once_and_is_the_same_from_another_machine(aws: Aws, tmp_path: Path) -> None:
    first = ensure_run(aws, settings(), folder=tmp_path / "one", now=lambda: 100.0)
    again = ensure_run(aws, settings(), folder=tmp_path / "two", now=lambda: 999.0)
    assert first == again == find_run(aws, settings())
    assert first == read_record_file(tmp_path / "one" / NAME)
    assert (first.run_id[:15], first.region) == ("19700101-000140", "us-east-1")


def test_an_ended_run_is_followed_by_a_new_one_that_knows_when_its_queue_went(aws: Aws) -> None:
    first = ensure_run(aws, settings(), folder=None, now=lambda: 100.0)
    end(aws, first)
    second = ensure_run(aws, settings(), folder=None, now=lambda: 300.0)
    assert second.run_id != first.run_id
    assert second.is_live
    assert second.queue_deleted == 199.0
    assert refresh(aws, first).ended == 200.0  # the first one's own record stays


def test_the_time_of_another_queues_deletion_is_not_taken_over(aws: Aws) -> None:
    end(aws, ensure_run(aws, settings(), folder=None))
    second = ensure_run(aws, settings(SQS_QUEUE_NAME="Fresh"), folder=None)
    assert second.queue_deleted is None


def test_without_any_run_the_first_verb_is_named(aws: Aws) -> None:
    with pytest.raises(NotFound, match="submitJob"):
        find_run(aws, settings())


@pytest.mark.parametrize(
    ("constant", "value"),
    [("SQS_QUEUE_NAME", "Other"), ("ECS_CLUSTER", "other"), ("AWS_BUCKET", "other-data")],
)
def test_a_config_that_was_edited_while_a_run_is_live_is_refused(
    aws: Aws, tmp_path: Path, constant: str, value: str
) -> None:
    record = ensure_run(aws, settings(), folder=tmp_path)
    with pytest.raises(UsageError, match=constant):
        ensure_run(aws, settings(**{constant: value}), folder=tmp_path)
    assert read_record_file(tmp_path / NAME) == record


def test_a_run_in_another_bucket_that_has_ended_since_is_no_hindrance(
    aws: Aws, tmp_path: Path
) -> None:
    first = ensure_run(aws, settings(), folder=tmp_path)
    end(aws, first)  # by another machine: the file here still says that it is live
    assert read_record_file(tmp_path / NAME).is_live
    second = ensure_run(aws, settings(AWS_BUCKET="other-data"), folder=tmp_path)
    assert second.bucket == "other-data"


def test_the_fleet_of_an_upstream_run_is_taken_over(aws: Aws, tmp_path: Path) -> None:
    old = RunRecord(
        "Counting", "counting", "CountingQueue", "lab-data", "Counting",
        fleets=(FleetRecord("", {}, None, "sfr-old"),),
    )  # fmt: skip
    (tmp_path / NAME).write_text(old.to_json())
    record = ensure_run(aws, settings(), folder=tmp_path)
    assert record.run_id
    assert record.fleet_ids == ("sfr-old",)
    assert refresh(aws, old) == record


def test_an_upstream_record_whose_run_was_ended_since_is_seen_as_ended(aws: Aws) -> None:
    old = RunRecord(
        "Counting", "counting", "CountingQueue", "lab-data", "Counting",
        fleets=(FleetRecord("", {}, None, "sfr-old"),),
    )  # fmt: skip
    assert refresh(aws, old).is_live
    end(aws, old)
    assert not refresh(aws, old).is_live


def test_both_records_in_the_bucket_say_the_same(aws: Aws) -> None:
    record = ensure_run(aws, settings(), folder=None)
    texts = [
        aws.s3.get_object(Bucket="lab-data", Key=key)["Body"].read()
        for key in (record_key("Counting"), record.keys.record)
    ]
    assert texts[0] == texts[1] == record.to_json().encode()
