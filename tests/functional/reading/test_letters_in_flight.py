"""Dead-letter messages are read as far as SQS hands them out, and the rest stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.aws.messaging import queues
from distributed_something.aws.messaging.dead_letters import hold_letters
from distributed_something.local.simulator import sqs
from distributed_something.protocol.jobs import JOB_ID_ATTRIBUTE, RUN_ID_ATTRIBUTE
from tests.lives import open_life


def test_where_sqs_hands_out_no_more_messages_those_that_came_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with open_life(tmp_path) as life:
        life.set_up()
        url = queues.find_queue(life.aws.sqs, life.settings.sqs_dead_letter_queue)
        jobs = [f"job-{number}" for number in range(60)]
        for job in jobs:
            values = {RUN_ID_ATTRIBUTE: "run", JOB_ID_ATTRIBUTE: job}
            life.aws.sqs.send_message(
                QueueUrl=url,
                MessageBody="{}",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in values.items()
                },
            )
        monkeypatch.setattr(sqs, "MAX_IN_FLIGHT", 20)
        held = hold_letters(life.aws.sqs, url, "run", set(jobs))
        assert len(held) <= 20
        assert "no more dead-letter messages at the same time" in caplog.text
        counts = queues.count_jobs(life.aws.sqs, url)
        assert counts.total == 60
