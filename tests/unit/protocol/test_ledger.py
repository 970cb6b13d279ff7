"""The ledger, against the simulated bucket: what is written is what is read and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.jobs import job_id
from distributed_something.protocol.ledger import ledger
from distributed_something.protocol.ledger.attempts import Attempt, Heartbeat
from distributed_something.protocol.ledger.keys import AttemptState, RunKeys
from distributed_something.protocol.ledger.survey import summarise
from worker.ledger import Burial, write_burial

BUCKET = "lab-data"
KEYS = RunKeys("Counting", "20261121-000000-abcd")
OTHER_RUN = RunKeys("Counting", "20261121-000000-abce")


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator() as simulator:
        clients = simulator.aws()
        clients.s3.create_bucket(Bucket=BUCKET)
        yield clients


def attempt(job: str, number: int = 1, **changes: Any) -> Attempt:
    values: dict[str, Any] = {"state": "done", "instance_id": "i-1", "slot": "s-1", "started": 1.0}
    return Attempt(job, f"name-{job}", f"000000000000{number}-ab", number, **{**values, **changes})


def write_attempt(aws: Aws, fact: Attempt, *states: AttemptState, keys: RunKeys = KEYS) -> None:
    for state in states:
        key = keys.attempt(fact.job_id, fact.attempt_id, state)
        aws.s3.put_object(Bucket=BUCKET, Key=key, Body=fact.to_json())


def submit(aws: Aws, count: int, chunk: str = "c") -> list[ledger.SubmittedJob]:
    bodies = [json.dumps({"group": {"n": n}, "chunk": chunk}) for n in range(count)]
    jobs = [ledger.SubmittedJob(job_id(json.loads(body)), "été", body) for body in bodies]
    ledger.write_job_list(aws.s3, BUCKET, KEYS, chunk, [job.to_line() for job in jobs])
    return jobs


def test_job_lists_are_read_back_whole_and_in_order(aws: Aws) -> None:
    first, second = submit(aws, 3, "a"), submit(aws, 2, "b")
    assert list(ledger.read_job_lists(aws.s3, BUCKET, KEYS)) == first + second
    assert ledger.count_submitted(aws.s3, BUCKET, KEYS) == 5
    assert ledger.count_submitted(aws.s3, BUCKET, OTHER_RUN) == 0


def test_the_same_chunk_written_again_is_not_counted_twice(aws: Aws) -> None:
    submit(aws, 3, "a")
    submit(aws, 3, "a")
    assert ledger.count_submitted(aws.s3, BUCKET, KEYS) == 3


def test_a_summary_counts_each_attempt_by_its_last_state(aws: Aws) -> None:
    submit(aws, 4)
    started, done = AttemptState.STARTED, AttemptState.DONE
    write_attempt(aws, attempt("aa", 1), started, AttemptState.FAILED)
    write_attempt(aws, attempt("aa", 2), started, AttemptState.INTERRUPTED)
    write_attempt(aws, attempt("aa", 3), started, done)
    write_attempt(aws, attempt("bb", 1), started)
    write_attempt(aws, attempt("cc", 1), AttemptState.FAILED)
    write_attempt(aws, attempt("cc", 1), started, keys=OTHER_RUN)
    aws.s3.put_object(Bucket=BUCKET, Key=KEYS.done("aa"), Body=attempt("aa").to_json())
    aws.s3.put_object(Bucket=BUCKET, Key=KEYS.dead("cc"), Body=attempt("cc").to_json())
    summary = summarise(aws.s3, BUCKET, KEYS)
    assert summary == ledger.LedgerSummary(
        submitted=4, done=1, dead=1, attempts=5, failed=2, interrupted=1, open=1
    )
    assert summary.unfinished == 2


def test_an_empty_ledger_counts_nothing(aws: Aws) -> None:
    assert summarise(aws.s3, BUCKET, KEYS) == ledger.LedgerSummary(0, 0, 0, 0, 0, 0, 0)


def test_a_ledger_of_many_pages_is_counted_once_over_all_its_ranges(aws: Aws) -> None:
    jobs = [job_id({"n": n}) for n in range(1003)]
    # Ids outside 0 to f too: nothing may fall out of the ranges.
    for job in (*jobs, "-first", "zz-last"):
        write_attempt(aws, attempt(job), AttemptState.STARTED)
    for job in jobs[:7]:
        write_attempt(aws, attempt(job), AttemptState.DONE)
    summary = summarise(aws.s3, BUCKET, KEYS)
    assert (summary.attempts, summary.open) == (1005, 998)


def test_the_last_word_on_every_attempt_is_read(aws: Aws) -> None:
    ended = attempt("aa", 1, exit_code=3, state="failed")
    write_attempt(aws, attempt("aa", 1, state="started"), AttemptState.STARTED)
    write_attempt(aws, ended, AttemptState.FAILED)
    running = attempt("bb", 1, state="started")
    write_attempt(aws, running, AttemptState.STARTED)
    assert list(ledger.read_attempts(aws.s3, BUCKET, KEYS)) == [ended, running]


def test_done_and_dead_markers_are_read(aws: Aws) -> None:
    aws.s3.put_object(Bucket=BUCKET, Key=KEYS.done("aa"), Body=attempt("aa").to_json())
    write_burial(aws.s3, BUCKET, KEYS, Burial("bb", "exit code 3", "message"))
    assert list(ledger.read_done(aws.s3, BUCKET, KEYS)) == [attempt("aa")]
    assert list(ledger.read_dead(aws.s3, BUCKET, KEYS)) == [ledger.DeadJob("bb", "exit code 3")]
    assert ledger.is_settled(aws.s3, BUCKET, KEYS, "aa")
    assert ledger.is_settled(aws.s3, BUCKET, KEYS, "bb")
    assert not ledger.is_settled(aws.s3, BUCKET, KEYS, "a")


def beat(aws: Aws, slot: str, job: str) -> None:
    heartbeat = Heartbeat("i-1", slot, written=0.0, job_id=job)
    key = KEYS.heartbeat(heartbeat.instance_id, heartbeat.slot)
    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=heartbeat.to_json())


def test_slots_at_a_job_are_told_from_idle_ones(aws: Aws) -> None:
    beat(aws, "s-1", "aa")
    beat(aws, "s-2", "")
    live = ledger.live_heartbeats(aws.s3, BUCKET, KEYS)
    assert [one.slot for one in live] == ["s-1"]


def test_a_heartbeat_is_aged_by_the_buckets_clock_not_by_what_a_worker_wrote(aws: Aws) -> None:
    beat(aws, "s-1", "aa")  # `written` says 1970
    assert ledger.live_heartbeats(aws.s3, BUCKET, KEYS)
    # The bucket answers as if five minutes had gone by since the heartbeat was written.
    aws.s3.meta.events.register("after-call.s3.ListObjectsV2", _five_minutes_later)
    assert ledger.live_heartbeats(aws.s3, BUCKET, KEYS) == []


def _five_minutes_later(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
    later = datetime.now(timezone.utc) + timedelta(minutes=5)
    parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = later.strftime("%a, %d %b %Y %H:%M:%S GMT")
