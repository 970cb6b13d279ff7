"""The ledger, against the simulated bucket: what is written is what is read and counted."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.jobs import job_id
from distributed_something.protocol.ledger.attempts import (
    Attempt,
    AttemptKey,
    AttemptState,
    reason_hash,
    reason_of,
)
from distributed_something.protocol.ledger.facts import (
    GivenUp,
    Heartbeat,
    LedgerSummary,
    SubmittedJob,
)
from distributed_something.protocol.ledger.keys import RunKeys, parse_attempt, parse_heartbeat
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.protocol.ledger.unreadable import Unreadable
from tests.lives import watch_calls

BUCKET = "lab-data"
APP, RUN = "Counting", "20261121-000000-abcd"
KEYS = RunKeys(APP, RUN)
STARTED, DONE, FAILED, INTERRUPTED = (
    AttemptState.STARTED,
    AttemptState.DONE,
    AttemptState.FAILED,
    AttemptState.INTERRUPTED,
)


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator() as simulator:
        clients = simulator.aws()
        clients.s3.create_bucket(Bucket=BUCKET)
        yield clients


@pytest.fixture
def ledger(aws: Aws) -> RunLedger:
    return RunLedger(aws.s3, BUCKET, APP, RUN)


@pytest.fixture
def other_run(aws: Aws) -> RunLedger:
    return RunLedger(aws.s3, BUCKET, APP, "20261121-000000-abce")


def attempt(job: str, number: int = 1, **changes: Any) -> Attempt:
    values: dict[str, Any] = {"state": "done", "instance_id": "i-1", "slot": "s-1"}
    name = f"000000000{number}000-ab"
    return Attempt(
        job, f"name-{job}", name, number, **{**values, "started": float(number), **changes}
    )


def write(ledger: RunLedger, fact: Attempt, *states: AttemptState) -> None:
    for state in states:
        ledger.write_attempt(replace(fact, state=state.value))


def submit(ledger: RunLedger, count: int, chunk: str = "c") -> list[SubmittedJob]:
    bodies = [json.dumps({"group": {"n": n}, "chunk": chunk}) for n in range(count)]
    jobs = [SubmittedJob(job_id(json.loads(body)), "été", body) for body in bodies]
    ledger.write_job_list(chunk, [job.to_line() for job in jobs])
    return jobs


_names = st.text(max_size=20) | st.sampled_from(["-", "", "i-0abc.d", "ip-10-0-0-1_x"])
_numbers = st.integers(0, 10**13)
_keys = st.builds(
    AttemptKey,
    job_id=st.integers(0, 16**20 - 1).map(lambda number: f"{number:020x}"),
    attempt_id=st.integers(0, 10**13 - 1).map(lambda time: f"{time:013d}-a1b2c3"),
    state=st.sampled_from(AttemptState),
    instance_id=_names,
    slot=_names,
    exit_code=st.none() | st.integers(-255, 255),
    seconds=st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000),
    memory_mib=_numbers,
    disk_mib=_numbers,
    files=_numbers,
    bytes=_numbers,
    gave_up=st.booleans(),
    passed_over=st.booleans(),
    reason=st.just("") | st.text(max_size=300).map(reason_hash),
)


@given(_keys)
def test_every_fact_of_an_attempt_is_read_back_from_its_key(key: AttemptKey) -> None:
    if key.state is STARTED:  # which says where it is, and no more
        began = AttemptKey(key.job_id, key.attempt_id, STARTED, key.instance_id, key.slot)
        assert parse_attempt(KEYS.attempt(key)) == began
        return
    text = KEYS.attempt(key)
    assert parse_attempt(text) == key
    assert re.fullmatch(r"[A-Za-z0-9/._-]+", text)  # what S3 takes anywhere, as it is
    assert len(text) <= 1024 - 255 - len(APP)  # whatever the app's name
    started = replace(key, state=STARTED)
    assert text < KEYS.attempt(started)  # a listing comes to an end before its start


@given(st.sampled_from(AttemptState), st.text(), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_key_of_an_attempt_says_what_its_body_does(
    state: AttemptState, reason: str, seconds: float, memory: float
) -> None:
    one = attempt(
        "ab" * 10,
        state=state.value,
        reason=reason,
        ended=1.0 + seconds,
        peak_memory_mib=memory,
        exit_code=3,
        gave_up=state is FAILED,
    )
    key = one.key
    assert Attempt.from_json(one.to_json()) == one
    assert (key.state, key.instance_id, key.slot, key.started) == (state, "i-1", "s-1", 1.0)
    if state is not STARTED:
        assert key.seconds == pytest.approx(seconds, abs=0.001)
        assert key.memory_mib == math.ceil(memory)
        assert (key.exit_code, key.gave_up) == (3, state is FAILED)
        assert key.reason == ("" if state is DONE else reason_hash(reason_of(one)))


def test_jobs_that_fail_alike_have_the_same_reason_in_their_keys() -> None:
    reasons = {
        attempt(job, state="failed", reason=f"s3://lab/{job}.tif of name-{job} is gone").key.reason
        for job in ("aa", "bb")
    }
    assert len(reasons) == 1
    assert attempt("aa", state="failed", reason="another").key.reason not in reasons


@pytest.mark.parametrize(
    "name",
    ["", "x", "1-a.done", "1-a.started.i.s.0", "a.started.i.s", "1-a.failed.i.s.0.x.1.1.1.1.-.-"],
)
def test_a_key_that_is_none_of_an_attempts_is_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        AttemptKey.parse("ab", name)


def test_no_prefix_gets_more_writes_than_s3_takes_at_ten_thousand_machines() -> None:
    slots, job_seconds, most = 10_000 * 8, 60.0, 3500
    jobs = [job_id({"n": number}) for number in range(4096)]
    one = attempt(jobs[0])
    attempts = [KEYS.attempt(replace(one, job_id=job).key) for job in jobs]
    beats = [KEYS.heartbeat(f"i-0{number:016x}", "s") for number in range(4096)]
    for prefix, keys, writes in (
        (KEYS.attempts, attempts, 2 * slots / job_seconds),
        (KEYS.done_markers, [KEYS.done(job) for job in jobs], slots / job_seconds),
        (KEYS.heartbeats, beats, slots / 60),
    ):
        below = Counter(key[: len(prefix) + 1] for key in keys)
        assert len(below) == 16  # where S3 may cut
        assert max(below.values()) / len(keys) * writes < most / 10
    assert parse_heartbeat(KEYS.heartbeat("i-1", "s-2")) == ("i-1", "s-2")


def test_job_lists_are_read_back_whole_and_in_order(
    ledger: RunLedger, other_run: RunLedger
) -> None:
    first, second = submit(ledger, 3, "a"), submit(ledger, 2, "b")
    assert list(ledger.submitted_jobs()) == first + second
    assert ledger.count_submitted() == 5
    assert other_run.count_submitted() == 0


def test_the_same_chunk_written_again_is_not_counted_twice(ledger: RunLedger) -> None:
    submit(ledger, 3, "a")
    submit(ledger, 3, "a")
    assert ledger.count_submitted() == 3


def test_a_summary_counts_each_attempt_by_its_last_state(
    ledger: RunLedger, other_run: RunLedger
) -> None:
    submit(ledger, 4)
    write(ledger, attempt("aa", 1), STARTED, FAILED)
    write(ledger, attempt("aa", 2), STARTED, INTERRUPTED)
    write(ledger, attempt("aa", 3), STARTED, DONE)
    write(ledger, attempt("bb", 1), STARTED)
    write(ledger, attempt("cc", 1), FAILED)
    write(other_run, attempt("cc", 1), STARTED)
    ledger.mark_done(attempt("aa", 3))
    ledger.write_given_up(GivenUp("cc", "exit code 1"))
    summary = ledger.summary()
    assert summary == LedgerSummary(
        submitted=4, done=1, dead=1, attempts=5, failed=2, interrupted=1, open=1
    )
    assert summary.unfinished == 2


def test_an_empty_ledger_counts_nothing(ledger: RunLedger) -> None:
    assert ledger.summary() == LedgerSummary(0, 0, 0, 0, 0, 0, 0)


def test_a_ledger_of_many_pages_is_counted_once_over_all_its_ranges(ledger: RunLedger) -> None:
    jobs = [job_id({"n": n}) for n in range(1003)]
    # Ids at both ends too: nothing may fall out of the ranges.
    for job in (*jobs, "0", "f" * 20):
        write(ledger, attempt(job), STARTED)
    for job in jobs[:7]:
        write(ledger, attempt(job), DONE)
    summary = ledger.summary()
    assert (summary.attempts, summary.open) == (1005, 998)


def test_the_last_word_on_every_attempt_is_read(ledger: RunLedger) -> None:
    ended = attempt("aa", 1, exit_code=3, state="failed", ended=2.5)
    write(ledger, ended, STARTED, FAILED)
    running = attempt("bb", 1, state="started")
    write(ledger, running, STARTED)
    keys = list(ledger.attempts())
    assert keys == [ended.key, running.key]
    assert list(ledger.read_attempts(keys)) == [ended, running]
    assert list(ledger.attempts("bb")) == [running.key]


def test_an_attempt_that_was_done_as_another_was_counts_as_what_became_of_it(
    ledger: RunLedger,
) -> None:
    first, late = attempt("aa", 1), attempt("aa", 2)
    write(ledger, first, STARTED, DONE)
    write(ledger, late, STARTED, DONE)
    assert ledger.mark_done(first)
    assert not ledger.mark_done(late)
    write(ledger, late, INTERRUPTED)
    assert [key.state for key in ledger.attempts()] == [DONE, INTERRUPTED]
    assert (ledger.summary().done, ledger.summary().interrupted) == (1, 1)
    assert list(ledger.done_attempts()) == [first.key]


def test_the_marks_of_done_and_given_up_jobs_are_read(ledger: RunLedger) -> None:
    write(ledger, attempt("aa"), DONE)
    ledger.mark_done(attempt("aa"))
    given_up = GivenUp("bb", "exit code 3", "message")
    ledger.write_given_up(given_up)
    assert list(ledger.done_attempts()) == [attempt("aa").key]
    assert list(ledger.given_up_jobs()) == [given_up]
    assert ledger.has_ended("aa") and ledger.has_ended("bb") and not ledger.has_ended("a")


def test_a_done_marker_repeats_nothing_of_what_the_attempt_says(
    aws: Aws, ledger: RunLedger
) -> None:
    ledger.mark_done(attempt("aa"))
    assert aws.s3.get_object(Bucket=BUCKET, Key=KEYS.done("aa"))["Body"].read() == (
        attempt("aa").attempt_id.encode()
    )


def test_one_body_tells_a_reason_that_many_attempts_share(ledger: RunLedger) -> None:
    for number, job in enumerate(("aa", "bb", "cc")):
        reason = "exit code 9" if number else f"name-{job} is too large"
        write(ledger, attempt(job, reason=reason), FAILED)
    found = ledger.explain(ledger.attempts())
    assert sorted(one.reason for one in found.values()) == ["exit code 9", "name-aa is too large"]
    assert {one.key.reason for one in found.values()} == set(found)


def test_an_empty_object_stops_the_run_and_gives_no_reason(ledger: RunLedger) -> None:
    assert ledger.why_stopped() == ""
    ledger.stop("")
    assert ledger.why_stopped() == "no reason is given."


def test_a_body_that_is_not_ours_is_left_out_with_its_key(
    aws: Aws, ledger: RunLedger, caplog: pytest.LogCaptureFixture
) -> None:
    for job, body in (("aa", b"\xff"), ("bb", b"[]"), ("cc", b"{}")):
        aws.s3.put_object(Bucket=BUCKET, Key=KEYS.dead(job), Body=body)
    ledger.write_given_up(GivenUp("dd", "exit code 3"))
    assert [job.job_id for job in ledger.given_up_jobs()] == ["dd"]
    assert ledger.left_out.keys == [KEYS.dead(job) for job in ("aa", "bb", "cc")]
    assert len(caplog.records) == 1 and KEYS.dead("aa") in caplog.text


def test_busy_slots_are_told_from_idle_ones_by_a_listing_alone(aws: Aws, ledger: RunLedger) -> None:
    work = Heartbeat("aa", "name", "1-a", 5.0)
    ledger.machines.write_heartbeat("i-1", "s-1", work)
    ledger.machines.write_heartbeat("i-1", "s-2", None)
    with watch_calls(aws) as calls:
        (busy,) = ledger.machines.busy_slots()
    assert calls == ["ListObjectsV2"]
    assert (busy.instance_id, busy.slot) == ("i-1", "s-1")
    assert list(ledger.machines.read_heartbeats([busy])) == [(busy, work)]


def test_a_heartbeat_is_aged_by_the_buckets_clock(aws: Aws, ledger: RunLedger) -> None:
    ledger.machines.write_heartbeat("i-1", "s-1", Heartbeat("aa", "name", "1-a", since=0.0))  # 1970
    assert ledger.machines.busy_slots()
    # The bucket answers as if five minutes had gone by since the heartbeat was written.
    aws.s3.meta.events.register("after-call.s3.ListObjectsV2", _five_minutes_later)
    assert ledger.machines.busy_slots() == []


def _five_minutes_later(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
    later = datetime.now(timezone.utc) + timedelta(minutes=5)
    parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = later.strftime("%a, %d %b %Y %H:%M:%S GMT")
