"""A worker that runs many jobs closes the log of each."""

from __future__ import annotations

import logging
import threading

from worker.job.log_stream import JobLog, wait_until_sent

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
