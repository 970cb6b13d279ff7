"""What a test on AWS saw is written down, and names no account."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from distributed_something.local.simulator import ACCOUNT
from tests.account import open_account
from tests.aws.seen import note_alarms, watching
from tests.lives import put_alarm


def test_calls_errors_and_alarms_are_written_down_without_the_account(tmp_path: Path) -> None:
    with open_account() as aws:
        put_alarm(aws, "Counting_i-0abc")
        with pytest.raises(ClientError), watching(aws, tmp_path) as seen:
            note_alarms(aws, "Counting", seen)
            note_alarms(aws, "Counting", seen)
            aws.sqs.get_queue_url(QueueName=f"of-{ACCOUNT}")
    (path,) = tmp_path.glob("aws-seen-*.json")
    found = json.loads(path.read_text())
    assert [one["operation"] for one in found["calls"]] == [
        "cloudwatch:DescribeAlarms",
        "cloudwatch:DescribeAlarms",
        "sqs:GetQueueUrl",
    ]
    assert "NonExistentQueue" in found["calls"][-1]["error"]
    assert len(found["notes"]["alarms"]) == 1
    assert ACCOUNT not in path.read_text()
