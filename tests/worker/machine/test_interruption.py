"""What a worker does when it must stop, when its machine goes, and when it loses a lease."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from functools import partial

import psutil
import pytest

from distributed_something.local.machines.metadata import FakeMetadata
from worker.environment import Pace
from worker.machine.instance import Metadata, identify, read_notices

from ..stuck_line import StuckLine
from ..world import World, children_named, loops_of, until

MACHINE = "i-0123456789abcdef0"

# Counts to `goal` with the last count in its checkpoint folder; a TERM ends it at any moment.
COUNTER = """
import os, pathlib, sys, time
folder, output, goal = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
saved = folder / "count"
count = int(saved.read_text()) if saved.exists() else 0
print("begins at", count)
while count < goal:
    time.sleep(0.05)
    count += 1
    (folder / "new").write_text(str(count))
    os.replace(folder / "new", saved)
(output / "count.txt").write_text(str(count))
"""


def counting(goal: int, **keys: object) -> dict[str, object]:
    command = [sys.executable, "-uc", COUNTER, "{checkpoint_dir}", "{output_dir}", str(goal)]
    return {"command": command, "checkpoint": True, "group": {"plate": "P1"}, **keys}


@pytest.fixture
def metadata() -> Iterator[FakeMetadata]:
    with FakeMetadata(MACHINE) as metadata:
        yield metadata


def test_a_machine_is_known_by_its_metadata(metadata: FakeMetadata) -> None:
    service = Metadata(metadata.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"])
    assert identify({}, service) == {
        "INSTANCE_ID": MACHINE,
        "INSTANCE_TYPE": "m5.xlarge",
        "INSTANCE_ZONE": "us-east-1a",
    }
    metadata.forget_tokens()
    assert service.get("meta-data/instance-id") == MACHINE
    assert not read_notices(service).stop and not read_notices(service).rebalance
    metadata.recommend_rebalance()
    assert read_notices(service).rebalance
    metadata.give_notice()
    assert read_notices(service).stop.startswith("spot notice: terminate at 20")


def test_a_machine_without_metadata_is_known_by_its_hosts_name() -> None:
    nobody = Metadata("http://127.0.0.1:9")
    assert identify({}, nobody)["INSTANCE_ID"]
    assert identify({"INSTANCE_ID": "i-1"}, nobody)["INSTANCE_ID"] == "i-1"


def test_a_spot_notice_gives_every_job_back_at_once_and_ends_the_worker(
    world: World, metadata: FakeMetadata
) -> None:
    jobs = [world.send({"command": "sleep 600", "group": {"plate": f"P{n}"}}) for n in range(2)]
    worker = world.start_worker(metadata.environment, docker_cores=2, sqs_message_visibility=3600)
    until(lambda: len(children_named(worker.pid, "sleep 600")) == 2, "both tools run")
    metadata.give_notice()
    assert worker.wait(30) == 0
    assert world.counts() == (2, 0)
    for job in jobs:
        (attempt,) = world.ended(job)
        assert attempt.state == "interrupted"
        assert "spot notice: terminate" in attempt.reason


def test_notices_are_asked_for_often_enough_to_give_a_job_back_in_five_seconds() -> None:
    assert Pace().notice_seconds <= 2.0  # the longest wait; to end a tool and tell takes under 3


@pytest.mark.slow
def test_an_interrupted_job_goes_on_from_its_checkpoint(world: World) -> None:
    job = world.send(counting(60))
    first = world.start_worker(sqs_message_visibility=60)
    count = until(
        lambda: list((world.folder / "work").rglob("checkpoint/count")), "it has counted"
    )[0]
    until(lambda: count.exists() and int(count.read_text() or 0) >= 5, "it has counted to 5")
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    assert world.keys.checkpoint(job) in world.object_keys(world.keys.prefix)
    world.start_worker(sqs_message_visibility=60)
    world.until_empty()
    world.stop()
    assert world.results() == {"P1/count.txt": b"60"}
    starts = [line for line in world.log("P1") if line.startswith("begins at")]
    assert starts[0] == "begins at 0"
    assert int(starts[1].split()[-1]) >= 5
    assert world.keys.checkpoint(job) not in world.object_keys(world.keys.prefix)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", ["300", "1"])
def test_a_checkpoint_that_cannot_be_sent_in_time_costs_an_interrupted_job_no_retry(
    world: World, seconds: str
) -> None:
    job = world.send(counting(100000))
    with StuckLine(world.simulator.endpoint_url, "/checkpoints/") as line:
        pace = {"WORKER_STOP_SECONDS": "5", "WORKER_CHECKPOINT_SECONDS": seconds}
        worker = world.start_worker(
            {**pace, "AWS_ENDPOINT_URL_S3": line.url}, sqs_message_visibility=60
        )
        until(lambda: list((world.folder / "work").rglob("checkpoint/count")), "it has counted")
        if seconds == "1":
            until(lambda: line.stuck, "a save now and then is under way")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        assert line.stuck
    (attempt,) = world.ended(job)
    assert attempt.state == "interrupted"
    assert world.counts() == (1, 0)


@pytest.mark.slow
def test_a_checkpoint_is_saved_now_and_then_so_that_a_killed_machine_loses_little(
    world: World,
) -> None:
    job = world.send(counting(100))
    first = world.start_worker({"WORKER_CHECKPOINT_SECONDS": "1"}, sqs_message_visibility=3)
    key = world.keys.checkpoint(job)
    until(lambda: key in world.object_keys(world.keys.prefix), "a checkpoint is saved")
    for process in psutil.Process(first.pid).children(recursive=True):
        process.kill()
    first.kill()
    world.start_worker(sqs_message_visibility=3)
    world.until_empty()
    world.stop()
    assert world.results() == {"P1/count.txt": b"100"}
    begun = [line for line in world.log("P1") if line.startswith("begins at")]
    assert int(begun[-1].split()[-1]) > 0


@pytest.mark.slow
def test_a_rebalance_recommendation_saves_the_checkpoint_and_stops_nothing(
    world: World, metadata: FakeMetadata
) -> None:
    job = world.send(counting(100000))
    worker = world.start_worker(metadata.environment)
    until(lambda: children_named(worker.pid, "checkpoint"), "the tool runs")
    metadata.recommend_rebalance()
    key = world.keys.checkpoint(job)
    until(lambda: key in world.object_keys(world.keys.prefix), "a checkpoint is saved")
    assert children_named(worker.pid, "checkpoint")
    world.stop()


@pytest.mark.slow
def test_a_job_interrupted_more_often_than_it_may_fail_finishes(world: World) -> None:
    flag = world.folder / "flag"
    job = world.send(
        {"command": f"sh -c 'test -e {flag} || exec sleep 612'", "group": {"plate": "P1"}}
    )
    for number in range(3):
        worker = world.start_worker(job_retries=2, sqs_message_visibility=60)
        until(partial(children_named, worker.pid, "sleep 612"), f"the tool runs ({number})")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    flag.touch()
    world.start_worker(job_retries=2, sqs_message_visibility=60)
    world.until_empty()
    world.stop()
    assert len(world.ended(job, "interrupted")) == 3
    assert len(world.ended(job, "done")) == 1
    assert world.dead_letters() == []


@pytest.mark.slow
def test_a_job_that_kills_its_worker_every_time_is_a_dead_letter_after_job_retries(
    world: World,
) -> None:
    script = "import os, signal; os.kill(os.getppid(), signal.SIGKILL); import time; time.sleep(60)"
    job = world.send({"command": [sys.executable, "-c", script], "group": {"plate": "P1"}})
    world.start_worker(job_retries=3, sqs_message_visibility=2)
    world.until_empty()
    world.stop()
    assert [state for state, _ in world.attempts(job)] == ["started"] * 3
    ((_, reason),) = world.dead_letters()
    assert reason.startswith("3 attempts failed or disappeared")


@pytest.mark.slow
def test_a_worker_that_lost_its_lease_stops_its_tool_and_publishes_nothing(world: World) -> None:
    once = world.folder / "once"
    script = (
        "import os, pathlib, sys, time\n"
        f"once = pathlib.Path({str(once)!r})\n"
        "if not once.exists():\n"
        "    once.touch()\n"
        "    pathlib.Path(sys.argv[1], 'stale.txt').write_text('stale')\n"
        "    time.sleep(611)\n"
        "pathlib.Path(sys.argv[1], 'fresh.txt').write_text('fresh')\n"
    )
    job = world.send(
        {"command": [sys.executable, "-c", script, "{output_dir}"], "group": {"plate": "P1"}}
    )
    first = world.start_worker(sqs_message_visibility=2)
    (tool,) = until(lambda: children_named(first.pid, "sleep(611)"), "the tool runs")
    until(once.exists, "the tool has begun")
    (loop,) = loops_of(first.pid)
    loop.suspend()  # a machine that hangs
    world.start_worker(sqs_message_visibility=2)
    until(lambda: world.done(), "another worker has done the job")
    loop.resume()
    until(lambda: not tool.is_running(), "the tool is stopped")
    world.until_empty()
    world.stop()
    assert world.results() == {"P1/fresh.txt": b"fresh"}
    assert sorted(a.state for a in world.ended(job)) == ["done", "interrupted"]
    assert "the lease is lost" in world.ended(job, "interrupted")[0].reason
