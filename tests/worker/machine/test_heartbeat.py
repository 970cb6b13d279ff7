"""A slot goes on saying what it does, whatever goes wrong meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.attempts import Heartbeat
from worker.environment import Pace, Place
from worker.machine.heartbeat import Heart

from ..model import APP, BUCKET, KEYS, S3, NoSuchKey
from ..world import until


class _Wavering:
    """A bucket whose first answer is one that nobody expects."""

    exceptions = S3.exceptions

    def __init__(self) -> None:
        self.asked = 0
        self.beats: list[Heartbeat] = []

    def put_object(self, Body: bytes, **_: Any) -> None:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("who expects this?")
        self.beats.append(Heartbeat.from_json(Body))

    def get_object(self, **_: Any) -> None:
        raise NoSuchKey


def test_a_beat_that_fails_in_a_way_that_nobody_expects_is_not_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = WorkerEnvironment(
        app_name=APP,
        aws_region="us-east-1",
        sqs_queue_url="queue",
        sqs_dead_letter_queue_url="dead",
        aws_bucket=BUCKET,
        log_group_name="",
        sqs_message_visibility=60,
    )
    place = Place(settings, Pace(heartbeat_seconds=0.01), tmp_path, "slot-1", "i-0")
    bucket = _Wavering()
    heart = Heart(bucket, place, gap=0.01)  # type: ignore[arg-type]
    heart.start()
    heart.busy(KEYS, "0" * 20, "a job", "an attempt")
    until(lambda: bucket.beats, "the slot beats again", patience=10)
    heart.end()
    assert (bucket.beats[0].job_id, bucket.beats[-1].job_id) == ("0" * 20, "")
    assert "who expects this?" in caplog.text
