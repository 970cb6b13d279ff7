"""The export of the logs: it waits its turn, has an end, and nothing depends on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.removing.export import export_logs
from distributed_something.protocol.ledger.record import RunRecord
from tests.account import open_account
from tests.clock import Clock
from tests.lives import handling, watch_calls

RECORD = RunRecord("Counting", "counting", "CountingQueue", "lab-data", "Counting", run_id="1")
LIMIT = 900.0
BUSY = "LimitExceededException"
CLOSED = "InvalidParameterException"


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with open_account() as aws:
        for name in ("Counting", "Counting_perInstance"):
            aws.logs.create_log_group(logGroupName=name)
            aws.logs.create_log_stream(logGroupName=name, logStreamName="a")
        yield aws


def export(aws: Aws, clock: Clock) -> bool:
    return export_logs(aws, RECORD, LIMIT, sleep=clock.sleep, now=clock.now)


@contextmanager
def refusing_exports(aws: Aws, code: str, times: int = 10_000) -> Iterator[None]:
    """CloudWatch refuses so many exports; raised here, as botocore itself would try for long."""
    left = times

    def refuse(**_: Any) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            error: Any = aws.logs.exceptions.from_code(code)
            raise error({"Error": {"Code": code, "Message": "No."}}, "CreateExportTask")

    with handling([aws.logs], "before-call.*.CreateExportTask", refuse):
        yield


def test_both_groups_are_written_where_upstreams_readers_look(aws: Aws) -> None:
    asked: list[tuple[str, str]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append((params["logGroupName"], params["destinationPrefix"]))

    with handling([aws.logs], "provide-client-params.*.CreateExportTask", note):
        assert export(aws, Clock())
    assert asked == [
        ("Counting", "exportedlogs/Counting"),
        ("Counting_perInstance", "exportedlogs/Counting_perInstance"),
    ]


def test_it_waits_while_another_export_of_the_account_runs(aws: Aws) -> None:
    clock = Clock()
    with refusing_exports(aws, BUSY, times=2):
        assert export(aws, clock)
    assert len(clock.slept) >= 2


def test_it_gives_up_in_time_when_its_turn_does_not_come(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    began = clock.now()
    with refusing_exports(aws, BUSY):
        assert not export(aws, clock)
    assert LIMIT <= clock.now() - began < LIMIT + 60
    assert "one at a time" in caplog.text


def test_a_bucket_that_is_closed_to_cloudwatch_is_told_with_the_policy_it_needs(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        refusing_exports(aws, CLOSED),
    ):
        assert not export(aws, Clock())
    assert '"logs.us-east-1.amazonaws.com"' in caplog.text
    assert "arn:aws:s3:::lab-data" in caplog.text


def test_a_limit_of_zero_asks_for_nothing(aws: Aws) -> None:
    with watch_calls(aws) as calls:
        assert not export_logs(aws, RECORD, 0.0)
    assert calls == []


def test_a_group_that_cannot_be_exported_keeps_no_other_from_it(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    with refusing_exports(aws, "ResourceNotFoundException", times=1), watch_calls(aws) as calls:
        assert not export(aws, Clock())
    assert calls == ["CreateExportTask", "DescribeExportTasks"]  # of the second group
    assert "The logs of Counting were not exported" in caplog.text
    assert "Counting_perInstance" not in caplog.text
