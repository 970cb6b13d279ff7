"""A slot goes on saying what it does, whatever goes wrong meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.facts import Heartbeat
from distributed_something.protocol.ledger.run_ledger import RunLedger
from worker.environment import Pace, Place
from worker.machine.heartbeat import Heart

from ..model import APP, BUCKET, RUN, S3, NoSuchKey
from ..world import until


class _Bucket:
    """A bucket that keeps what slots write, and whose first answer is one that is not expected."""

    exceptions = S3.exceptions

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.beats: list[Heartbeat | None] = []

    def put_object(self, Body: bytes, **_: Any) -> None:
        if self.fails:
            self.fails = False
            raise RuntimeError("who expects this?")
        self.beats.append(Heartbeat.from_json(Body) if Body else None)

    def get_object(self, **_: Any) -> None:
        raise NoSuchKey


def heart_of(folder: Path, heartbeat_seconds: float, gap: float) -> Heart:
    settings = WorkerEnvironment(
        app_name=APP,
        aws_region="us-east-1",
        sqs_queue_url="queue",
        sqs_dead_letter_queue_url="dead",
        aws_bucket=BUCKET,
        log_group_name="",
        sqs_message_visibility=60,
    )
    pace = Pace(heartbeat_seconds=heartbeat_seconds)
    return Heart(Place(settings, pace, folder, "slot-1", "i-0"), gap=gap)


def ledger_in(bucket: _Bucket) -> RunLedger:
    return RunLedger(bucket, BUCKET, APP, RUN)  # type: ignore[arg-type]


def test_a_beat_that_fails_in_a_way_that_nobody_expects_is_not_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = _Bucket(fails=True)
    heart = heart_of(tmp_path, heartbeat_seconds=0.01, gap=0.01)
    heart.start()
    heart.busy(ledger_in(bucket), "0" * 20, "a job", "an attempt")
    until(lambda: bucket.beats, "the slot beats again", patience=10)
    heart.end()
    first, last = bucket.beats[0], bucket.beats[-1]
    assert first is not None and first.job_id == "0" * 20
    assert last is None
    assert "who expects this?" in caplog.text


def test_a_slot_that_goes_from_job_to_job_beats_once_a_minute(tmp_path: Path) -> None:
    bucket, heart = _Bucket(), heart_of(tmp_path, heartbeat_seconds=600, gap=300)
    ledger = ledger_in(bucket)
    heart.busy(ledger, "0" * 20, "first", "1-a")
    assert heart.seconds_until_due() == 0  # the slot was silent until now
    heart.write()
    for name in ("second", "third"):
        heart.idle()
        assert 0 < heart.seconds_until_due() <= 300  # it may get another job before
        heart.busy(ledger, "1" * 20, name, "2-a")
        assert heart.seconds_until_due() > 300  # it was busy, and is
    heart.write()
    assert [beat and beat.name for beat in bucket.beats] == ["first", "third"]


def test_a_slot_says_at_once_that_it_turned_busy_and_soon_that_it_turned_idle(
    tmp_path: Path,
) -> None:
    bucket, heart = _Bucket(), heart_of(tmp_path, heartbeat_seconds=600, gap=0)
    ledger = ledger_in(bucket)
    heart.begin(ledger)
    heart.write()
    assert heart.seconds_until_due() > 0
    heart.busy(ledger, "0" * 20, "a job", "1-a")
    assert heart.seconds_until_due() == 0
    heart.write()
    assert heart.seconds_until_due() > 0
    heart.idle()
    assert heart.seconds_until_due() == 0
    heart.write()
    assert [beat and beat.name for beat in bucket.beats] == [None, "a job", None]
