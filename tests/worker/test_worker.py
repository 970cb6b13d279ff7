"""A worker as a real process on a simulated queue and bucket: one job after another."""

from __future__ import annotations

import json
import signal
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from distributed_something.protocol.jobs import job_id
from distributed_something.protocol.ledger.keys import RunKeys

from .world import World, children_named, loops_of, until

COPY = ["cp", "{input_dir}/plate.txt", "{output_dir}/{plate}.txt"]


def test_a_job_goes_from_the_queue_through_its_tool_to_the_bucket_and_the_ledger(
    world: World,
) -> None:
    world.put("plates/plate.txt", "wells\n")
    job = world.send({"command": COPY, "inputs": ["plates/plate.txt"], "group": {"plate": "P1"}})
    world.start_worker()
    world.until_empty()
    assert world.stop() == [0]

    assert world.results() == {"P1/P1.txt": b"wells\n"}
    assert world.done() == [job]
    assert [state for state, _ in world.attempts(job)] == ["done", "started"]
    (attempt,) = world.ended(job)
    assert (attempt.state, attempt.exit_code, attempt.number) == ("done", 0, 1)
    assert attempt.output == f"s3://{world.bucket}/results/{world.name}/P1"
    assert (attempt.output_files, attempt.output_bytes) == (1, 6)
    assert attempt.instance_id == "i-0123456789abcdef0"
    assert attempt.ended is not None and attempt.ended >= attempt.started
    assert list((world.folder / "work").iterdir()) == []


def test_what_a_tool_prints_is_in_its_own_stream_and_in_the_ledger(world: World) -> None:
    script = "import sys; print('to out'); sys.stderr.write('to err\\n'); print('{not a field}')"
    job = world.send(
        {
            "command": [sys.executable, "-u", "-c", script.replace("{", "{{").replace("}", "}}")],
            "name": "plate:*1 {curly}".replace("{", "{{").replace("}", "}}"),
            "group": {"plate": "P1"},
        }
    )
    world.start_worker()
    world.until_empty()
    world.stop()
    lines = world.log("plate__1 {curly}")
    assert lines[1:4] == ["to out", "to err", "{not a field}"]
    assert "to err" in world.ended(job)[0].log_tail
    assert "to out" not in world.worker_log()  # its lines are paid for once


def test_a_missing_log_group_stops_no_job(world: World) -> None:
    job = world.send({"command": "echo hello", "group": {"plate": "P1"}})
    world.start_worker(log_group_name="there-is-no-such-group")
    world.until_empty()
    world.stop()
    assert world.done() == [job]
    assert "has no log of its own" in world.worker_log()
    assert "| hello" in world.worker_log()


def test_a_failed_job_goes_back_and_the_next_one_still_runs(world: World) -> None:
    flag = world.folder / "flag"
    first = world.send(
        {"command": f"{sys.executable} -c 'import os; os.rename(\"{flag}\", \"{flag}2\")'",
         "group": {"plate": "fails until the flag is there"}}
    )  # fmt: skip
    second = world.send({"command": "true", "group": {"plate": "works"}})
    world.start_worker(job_retries=1000)
    until(lambda: second in world.done(), "the second job is done")
    until(lambda: world.ended(first, "failed"), "the first job fails")
    flag.touch()
    world.until_empty()
    world.stop()
    assert sorted(world.done()) == sorted([first, second])
    assert world.ended(first, "failed")[0].reason == "The command ended with exit code 1."
    assert world.ended(first, "done")[0].number > 1


def test_a_job_that_always_fails_becomes_a_dead_letter_after_job_retries(world: World) -> None:
    message = {"command": "sh -c 'echo no luck; exit 7'", "group": {"plate": "P1"}}
    job = world.send(message)
    world.start_worker(job_retries=3)
    world.until_empty()
    world.stop()
    assert [a.number for a in world.ended(job, "failed")] == [1, 2, 3]
    ((body, reason),) = world.dead_letters()
    assert '"P1"' in body
    assert reason == "3 attempts failed; the last one: The command ended with exit code 7."
    assert world.object_keys(world.keys.dead_markers) == [world.keys.dead(job)]
    assert "no luck" in world.ended(job)[0].log_tail
    assert world.done() == []


def test_an_exit_code_that_the_job_file_lists_is_not_tried_again(world: World) -> None:
    job = world.send(
        {"command": "sh -c 'exit 7'", "no_retry_exit_codes": [7], "group": {"plate": "P1"}}
    )
    world.start_worker()
    world.until_empty()
    world.stop()
    assert len(world.ended(job)) == 1
    assert "no_retry_exit_codes" in world.dead_letters()[0][1]


@pytest.mark.parametrize("body", ["{not json", "[1]", '{"command": "{nothing}", "group": {}}'])
def test_a_message_that_can_never_run_is_a_dead_letter_at_once(world: World, body: str) -> None:
    world.aws.sqs.send_message(QueueUrl=world.queue_url, MessageBody=body)
    world.start_worker()
    world.until_empty()
    world.stop()
    assert [letter for letter, _ in world.dead_letters()] == [body]


def test_a_missing_input_is_a_dead_letter_that_names_it(world: World) -> None:
    world.send({"command": "true", "inputs": ["no/such.tif"], "group": {"plate": "P1"}})
    world.send({"command": "true", "inputs": ["no/such/"], "group": {"plate": "P2"}})
    world.start_worker()
    world.until_empty()
    world.stop()
    reasons = sorted(reason for _, reason in world.dead_letters())
    assert reasons == [
        f"The input s3://{world.bucket}/no/such.tif does not exist.",
        f"There is nothing below the input s3://{world.bucket}/no/such/.",
    ]


def test_a_job_that_is_done_already_is_not_run_again(world: World) -> None:
    message = {"command": f"touch {world.folder}/ran", "group": {"plate": "P1"}}
    job = world.send(message)
    world.put(world.keys.done(job), "{}")
    world.start_worker()
    world.until_empty()
    world.stop()
    assert not (world.folder / "ran").exists()
    assert world.attempts(job) == []


def test_a_message_sent_by_hand_is_of_the_latest_run(world: World) -> None:
    world.write_record()
    job = world.send({"command": "true", "group": {"plate": "P1"}}, run_id="")
    world.start_worker()
    world.until_empty()
    world.stop()
    assert world.done() == [job]


def test_messages_sent_by_hand_to_a_queue_without_a_run_are_not_done_by_an_earlier_queues_jobs(
    world: World,
) -> None:
    made = world.aws.sqs.get_queue_attributes(
        QueueUrl=world.queue_url, AttributeNames=["CreatedTimestamp"]
    )["Attributes"]["CreatedTimestamp"]
    ended = {"run_id": world.keys.run_id, "ended": 1.0}
    world.put(f"monitors/{world.name}SpotFleetRequestId.json", json.dumps(ended))
    message = {"command": "true", "group": {"plate": "P1"}}
    world.put(world.keys.done(job_id(message)), "{}")
    world.send(message, run_id="")
    world.start_worker()
    world.until_empty()
    world.stop()
    keys = RunKeys(world.name, f"queue-{made}")
    assert world.object_keys(keys.done_markers) == [keys.done(job_id(message))]


def test_buckets_have_their_roles(world: World) -> None:
    for bucket in ("source", "destination"):
        world.aws.s3.create_bucket(Bucket=f"{bucket}-{world.name}")
    world.aws.s3.put_object(Bucket=f"source-{world.name}", Key="a/plate.txt", Body=b"x")
    world.send(
        {"command": COPY, "inputs": ["a/"], "output": "out/{plate}", "group": {"plate": "P1"}}
    )
    world.start_worker(
        source_bucket=f"source-{world.name}", destination_bucket=f"destination-{world.name}"
    )
    world.until_empty()
    world.stop()
    found = world.aws.s3.list_objects_v2(Bucket=f"destination-{world.name}")["Contents"]
    assert [item["Key"] for item in found] == ["out/P1/P1.txt"]


@pytest.mark.slow
def test_a_job_longer_than_its_lease_runs_once(world: World) -> None:
    job = world.send({"command": "sleep 5", "group": {"plate": "P1"}})
    world.start_worker(sqs_message_visibility=2, docker_cores=2)
    world.until_empty()
    world.stop()
    assert [state for state, _ in world.attempts(job)] == ["done", "started"]


def test_the_loops_of_a_worker_start_seconds_to_start_apart(world: World) -> None:
    worker = world.start_worker(docker_cores=3, seconds_to_start=2.0)
    loops = until(lambda: (len(found := loops_of(worker.pid)) == 3) and found, "all loops run")
    first, second, third = sorted(loop.create_time() for loop in loops)
    assert second - first > 1.5  # the clock of process starts ticks in hundredths of a second
    assert third - second > 1.5
    assert world.stop() == [0]


@pytest.mark.slow
def test_a_killed_loop_is_started_again_and_its_job_is_run_again_within_the_lease(
    world: World,
) -> None:
    flag = world.folder / "flag"
    script = f"import os, time; time.sleep(0 if os.path.exists('{flag}') else 600)"
    job = world.send({"command": [sys.executable, "-c", script], "group": {"plate": "P1"}})
    others = [world.send({"command": "true", "group": {"plate": f"Q{n}"}}) for n in range(10)]
    worker = world.start_worker(docker_cores=2)
    (tool,) = until(lambda: children_named(worker.pid, "time.sleep(0"), "the tool runs")
    loop = psutil.Process(tool.ppid())
    flag.touch()
    loop.kill()
    until(lambda: not tool.is_running(), "the dead loop's tool is killed")
    until(lambda: len(loops_of(worker.pid)) == 2, "the loop is started again")
    world.until_empty()
    assert world.stop() == [0]
    assert sorted(world.done()) == sorted([job, *others])
    assert [state for state, _ in world.attempts(job)] == ["started", "done", "started"]


def _files_that_stay_open(pid: int, seconds: float = 2.0) -> set[int]:
    """The file descriptors that a process has all the time; it opens others for a moment."""
    opened: set[int] | None = None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = {int(file.name) for file in Path(f"/proc/{pid}/fd").iterdir()}
        opened = now if opened is None else opened & now
        time.sleep(0.02)
    return opened or set()


def test_a_loop_that_cannot_be_started_is_tried_again_and_the_others_go_on(world: World) -> None:
    alone = {"INSTANCE_ID": "laptop", "AWS_EC2_METADATA_DISABLED": "true"}  # no chores open files
    worker = psutil.Process(world.start_worker(alone, docker_cores=2).pid)
    loop, other = until(lambda: _pair(loops_of(worker.pid)), "both loops run")
    _, most = worker.rlimit(psutil.RLIMIT_NOFILE)
    opened = _files_that_stay_open(worker.pid)
    _, second_free, *_ = sorted(set(range(len(opened) + 2)) - opened)
    worker.rlimit(psutil.RLIMIT_NOFILE, (second_free, most))  # one more file, no pipe
    loop.kill()
    until(lambda: "cannot be started, next try in 2 s" in world.worker_log(), "it is tried again")
    assert "Too many open files" in world.worker_log()
    worker.rlimit(psutil.RLIMIT_NOFILE, (most, most))
    until(lambda: len(loops_of(worker.pid)) == 2, "the loop is started again")
    assert worker.is_running() and other.is_running()
    job = world.send({"command": "true", "group": {"plate": "P1"}})
    world.until_empty()
    assert world.stop() == [0]
    assert world.done() == [job]


def _pair(loops: list[psutil.Process]) -> list[psutil.Process]:
    return loops if len(loops) == 2 else []


@pytest.mark.slow
def test_a_killed_worker_leaves_no_process_and_its_job_goes_to_another(world: World) -> None:
    flag = world.folder / "flag"
    script = f"import os, time; time.sleep(0 if os.path.exists('{flag}') else 600)"
    job = world.send({"command": [sys.executable, "-c", script], "group": {"plate": "P1"}})
    worker = world.start_worker()
    (tool,) = until(lambda: children_named(worker.pid, "time.sleep(0"), "the tool runs")
    (loop,) = loops_of(worker.pid)
    flag.touch()
    worker.send_signal(signal.SIGKILL)
    until(lambda: not loop.is_running() and not tool.is_running(), "nothing is left of the worker")
    world.start_worker()
    world.until_empty()
    world.stop()
    assert world.done() == [job]
    assert not world.ended(job, "interrupted")  # nobody told it to end: that counts


def test_a_job_that_kills_its_worker_is_given_up_though_its_loop_lives_to_tell(
    world: World,
) -> None:
    job = world.send({"command": "sleep 600", "group": {"plate": "deadly"}})
    for _ in range(2):
        worker = world.start_worker(job_retries=2)
        until(partial(children_named, worker.pid, "sleep 600"), "an attempt runs")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    world.start_worker(job_retries=2)
    world.until_empty()
    world.stop()
    ((_, reason),) = world.dead_letters()
    assert reason.startswith("2 attempts failed")
    assert len({one.attempt_id for _, one in world.attempts(job)}) == 2


def test_a_worker_told_to_stop_gives_its_job_back_at_once(world: World) -> None:
    job = world.send({"command": "sleep 600", "group": {"plate": "P1"}})
    worker = world.start_worker(sqs_message_visibility=3600)
    until(lambda: children_named(worker.pid, "sleep 600"), "the tool runs")
    assert world.stop() == [0]
    assert world.counts() == (1, 0)
    (attempt,) = world.ended(job)
    assert attempt.state == "interrupted"
    assert "SIGTERM" in attempt.reason
    assert world.heartbeats() == [None]


def test_a_tool_that_ignores_term_is_killed_with_its_children_before_its_job_is_given_back(
    world: World,
) -> None:
    script = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep', '603'], start_new_session=True)\n"
        "time.sleep(602)\n"
    )
    job = world.send({"command": [sys.executable, "-c", script], "group": {"plate": "P1"}})
    worker = world.start_worker(sqs_message_visibility=60)
    (child,) = until(lambda: children_named(worker.pid, "sleep 603"), "the tool's child runs")
    (tool,) = children_named(worker.pid, "time.sleep(602)")
    worker.send_signal(signal.SIGTERM)
    until(lambda: world.counts() == (1, 0), "the job is visible again")
    assert not tool.is_running() and not child.is_running()
    assert world.stop() == [0]
    assert world.ended(job)[0].state == "interrupted"


def test_a_slot_says_what_it_is_doing(world: World) -> None:
    flag = world.folder / "flag"
    job = world.send(
        {"command": f"sh -c 'until test -e {flag}; do sleep 0.1; done'", "group": {"plate": "P1"}}
    )
    world.start_worker()
    beats = until(world.busy, "a heartbeat names the job")
    assert (beats[0].job_id, beats[0].name) == (job, "P1")
    flag.touch()
    until(lambda: not world.busy(), "the heartbeat is idle again")
    world.stop()


def test_a_worker_without_its_settings_says_what_is_missing(world: World) -> None:
    worker = world.start_worker(variables={"SQS_MESSAGE_VISIBILITY": "soon"})
    assert worker.wait(30) == 2
    assert "SQS_MESSAGE_VISIBILITY is 'soon'" in world.worker_log()


@pytest.mark.slow
def test_a_job_longer_than_the_longest_lease_of_sqs_is_not_run_twice(world: World) -> None:
    pace = {"WORKER_LEASE_LIMIT_SECONDS": "6"}
    job = world.send({"command": "sleep 17", "group": {"plate": "P1"}})
    world.start_worker(pace, sqs_message_visibility=3)
    until(lambda: world.attempts(job), "the job is started")
    world.start_worker(pace, sqs_message_visibility=3)
    until(lambda: world.done(), "the job is done")
    world.until_empty()
    world.stop()
    assert [state for state, _ in world.attempts(job)] == ["done", "started"]
    assert "The lease goes on with a new receipt." in world.worker_log(0)
    assert "is passed on" in world.worker_log(1)
    assert not any("/leases/" in key for key in world.object_keys(world.keys.prefix))


@pytest.mark.slow
def test_a_job_whose_holder_dies_beyond_the_longest_lease_is_run_again(world: World) -> None:
    flag = world.folder / "flag"
    pace = {"WORKER_LEASE_LIMIT_SECONDS": "4"}
    job = world.send(
        {"command": f"sh -c 'test -e {flag} || exec sleep 600'", "group": {"plate": "P1"}}
    )
    first = world.start_worker(pace, sqs_message_visibility=3)
    claim = world.keys.lease_claim(job)
    until(lambda: claim in world.object_keys(world.keys.prefix), "the attempt claims its job")
    flag.touch()
    for process in loops_of(first.pid):
        process.kill()
    world.start_worker(pace, sqs_message_visibility=3)
    world.until_empty()
    world.stop()
    assert world.done() == [job]


def test_a_job_of_one_result_writes_four_objects_and_its_slot_a_few(world: World) -> None:
    jobs = 12
    world.aws.s3.put_bucket_versioning(
        Bucket=world.bucket, VersioningConfiguration={"Status": "Enabled"}
    )  # so that every write is kept
    for number in range(jobs):
        command = ["sh", "-c", "echo 1 > {output_dir}/result.txt"]
        world.send({"command": command, "group": {"plate": f"P{number}"}})
    world.start_worker()
    until(lambda: len(world.done()) == jobs, "all jobs are done")
    world.stop()
    pages = world.aws.s3.get_paginator("list_object_versions").paginate(Bucket=world.bucket)
    keys = [version["Key"] for page in pages for version in page.get("Versions", [])]
    beats = [key for key in keys if key.startswith(world.keys.heartbeats)]
    assert len(keys) - len(beats) == 4 * jobs  # its start, its end, its mark, its result
    assert len(beats) < jobs  # which took far less than a minute
