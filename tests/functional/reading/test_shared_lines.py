"""`logs` finds a job's lines wherever CloudWatch has them: its own stream or its machine's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distributed_something.aws.session import Aws
from distributed_something.commands.reading.job_logs import job_lines, run_lines
from tests.lives import open_life


def put(aws: Aws, group: str, stream: str, *lines: tuple[float, str]) -> None:
    aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events: Any = [{"timestamp": int(when * 1000), "message": text} for when, text in lines]
    aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_lines_of_a_job_without_a_stream_of_its_own_are_found_in_its_machines(
    tmp_path: Path,
) -> None:
    with open_life(tmp_path) as life:
        life.set_up()
        life.submit("A", "BA")
        record, now = life.record(), life.clock.time
        begin = "2026-12-01 12:00:00,123 slot-1"
        put(
            life.aws,
            "Counting_perInstance",
            "worker/worker/1",
            (now + 1, f"{begin} A | shared | line"),
            (now + 2, f"{begin} BA | another's"),
            (now + 3, f"{begin} Machine: 1 slots busy"),
        )
        put(life.aws, "Counting", "A", (now, "own line"), (now + 4, "own again"))
        mine = [line.text for line in job_lines(life.aws, record, "A")]
        assert mine == ["own line", "shared | line", "own again"]
        every = [(line.stream, line.text) for line in run_lines(life.aws, record)]
        assert every[1:3] == [("A", "shared | line"), ("BA", "another's")]
        assert len(every) == 4
