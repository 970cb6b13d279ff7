"""A worker that runs many jobs closes the log of each."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.protocol.log_streams import parse_shared_line
from worker.job.log_stream import JobLog, Streams, wait_until_sent

from ..world import World, until


def test_the_logs_of_many_jobs_leave_neither_threads_nor_handlers_and_mix_no_lines(
    world: World,
) -> None:
    def run(number: int) -> None:
        log = JobLog(world.aws.logs, world.name, f"job {number}")
        log.write(f"line {number}")
        log.close()

    run(0)
    wait_until_sent()
    threads = threading.active_count()
    handlers = [list(one.handlers) for one in (logging.getLogger(), logging.getLogger("worker"))]
    for number in range(1, 9):
        run(number)
    wait_until_sent()
    until(lambda: threading.active_count() <= threads, "the threads have ended", patience=10)
    assert handlers == [
        list(one.handlers) for one in (logging.getLogger(), logging.getLogger("worker"))
    ]
    for number in range(9):
        assert world.log(f"job {number}") == [f"line {number}"]


class Full:
    """CloudWatch Logs that makes no more streams, and counts who asks."""

    class exceptions:
        ResourceAlreadyExistsException = type("Exists", (Exception,), {})

    def __init__(self, code: str) -> None:
        self.asked = 0
        self._error: Any = {"Error": {"Code": code, "Message": "Rate exceeded"}}

    def create_log_stream(self, **_: str) -> None:
        self.asked += 1
        raise ClientError(self._error, "CreateLogStream")


def test_where_streams_are_throttled_no_job_waits_and_no_line_is_lost(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    full: Any = Full("ThrottlingException")
    streams = Streams()
    with caplog.at_level(logging.INFO, "worker"):
        logging.getLogger("worker").propagate = True
        for number in range(20):
            log = JobLog(world.aws.logs, world.name, f"job {number}", brisk=full, streams=streams)
            log.write(f"line {number} | of it")
            log.close()
    assert full.asked == 1  # the others of the run need the quota too
    assert caplog.messages == [f"job {n} | line {n} | of it" for n in range(20)]
    line = f"2026-12-01 12:00:00,123 slot-1 {caplog.messages[7]}"
    assert parse_shared_line(line, "job 7") == ("job 7", "line 7 | of it")
    assert parse_shared_line(line, "7") is None
    assert parse_shared_line("job 7 | line", "job 7") is None


def test_a_stream_that_may_not_be_made_is_said_and_asked_for_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    closed: Any = Full("AccessDeniedException")
    logging.getLogger("worker").propagate = True
    for _ in range(2):
        JobLog(world.aws.logs, world.name, "job", brisk=closed, streams=Streams()).write("x")
    assert closed.asked == 2
    assert caplog.text.count("has no log of its own") == 2


def test_lines_are_shown_as_well_where_somebody_looks_at_the_containers_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("worker").propagate = True
    with caplog.at_level(logging.INFO, "worker"):
        log = JobLog(world.aws.logs, world.name, "seen", shows=True)
        log.write("hello")
        log.close()
        wait_until_sent()
    assert caplog.messages == ["seen | hello"]
    assert world.log("seen") == ["hello"]
