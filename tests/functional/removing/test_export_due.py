"""Whoever ends a run may be killed before the export: its record says that it is due."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.cancelling.cancel import cancel
from distributed_something.commands.runs.runs import find_run, refresh
from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.commands.watching.monitor import Pace, monitor
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.functional.removing.test_export import CLOSED, refusing_exports
from tests.lives import Life, handling, open_life, watch_calls


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        life.clock.during = life.tick
        yield life


def live_through(life: Life, name: str = "a") -> RunRecord:
    """A run whose one job is done, with its log groups in use."""
    life.set_up()
    life.submit(name)
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    return record


def watch(life: Life, record: RunRecord, seconds: float = 900.0) -> list[str]:
    """The calls of a monitor."""
    with watch_calls(life.aws) as calls:
        pace = Pace(export_seconds=seconds)
        monitor(life.aws, record, folder=life.folder, pace=pace, **life.times)
    return calls


class Gone(BaseException):
    """The process was killed."""


def kill(**_: Any) -> None:
    raise Gone


@pytest.mark.parametrize("operation", ["CreateExportTask", "DescribeExportTasks"])
def test_an_export_that_a_kill_kept_from_being_made_is_made_by_the_next_monitor(
    life: Life, operation: str
) -> None:
    record = live_through(life)
    with handling([life.aws.logs], f"before-call.*.{operation}", kill), pytest.raises(Gone):
        watch(life, record)
    ended = find_run(life.aws, life.settings)
    assert not ended.is_live
    assert ended.export_due
    assert "CreateExportTask" in watch(life, ended)
    assert not refresh(life.aws, ended).export_due
    assert "CreateExportTask" not in watch(life, ended)


def test_the_logs_of_a_run_that_the_lambda_ended_are_exported_by_the_next_monitor(
    life: Life,
) -> None:
    record = live_through(life)
    with watch_calls(life.aws) as calls:
        for _ in range(5):
            life.clock.sleep(120.0)
            deadline = life.clock.now() + 600
            watch_once(life.aws, RunLedger.of(life.aws.s3, record), deadline=deadline, **life.times)
    assert not refresh(life.aws, record).is_live
    assert "CreateExportTask" not in calls
    assert "CreateExportTask" in watch(life, record)


def test_an_export_that_was_refused_is_tried_again_by_cancel_and_no_run_after_it_is_touched(
    life: Life,
) -> None:
    record = live_through(life)
    with refusing_exports(life.aws, CLOSED):
        watch(life, record)
    assert refresh(life.aws, record).export_due
    with watch_calls(life.aws) as calls:
        cancel(life.aws, life.settings, folder=life.folder, **life.times)
    assert "CreateExportTask" in calls
    assert not refresh(life.aws, record).export_due


def test_the_late_export_of_a_run_leaves_the_next_runs_record_alone(life: Life) -> None:
    record = live_through(life)
    with refusing_exports(life.aws, CLOSED):
        watch(life, record)
    later = live_through(life, "b")
    assert "CreateExportTask" in watch(life, record)
    assert find_run(life.aws, life.settings) == refresh(life.aws, later)


def test_a_run_that_is_not_to_be_exported_does_not_ask_for_it_later(life: Life) -> None:
    record = live_through(life)
    watch(life, record, seconds=0.0)
    assert "CreateExportTask" not in watch(life, record)


def test_an_export_that_takes_long_is_left_to_cloudwatch_and_not_asked_for_again(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    record = live_through(life)

    def unfinished(parsed: dict[str, Any], **_: Any) -> None:
        for task in parsed["exportTasks"]:
            task["status"]["code"] = "RUNNING"

    with handling([life.aws.logs], "after-call.*.DescribeExportTasks", unfinished):
        watch(life, record)
    assert "CloudWatch continues" in caplog.text
    assert "CreateExportTask" not in watch(life, record)
