"""One listing of a ledger: what it says of every job, and how it is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.s3.models import s3_backends

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import ACCOUNT, Simulator
from distributed_something.protocol.jobs import job_id
from distributed_something.protocol.ledger.attempts import AttemptKey, AttemptState
from distributed_something.protocol.ledger.keys import RunKeys
from distributed_something.protocol.ledger.objects import Objects
from distributed_something.protocol.ledger.survey import (
    LastAttempt,
    cut_ranges,
    first_cut,
    survey_run,
)
from tests.lives import handling, watch_calls

BUCKET = "lab-data"
KEYS = RunKeys("Counting", "20261121-000000-abcd")
STARTED, DONE, FAILED, INTERRUPTED = (
    AttemptState.STARTED,
    AttemptState.DONE,
    AttemptState.FAILED,
    AttemptState.INTERRUPTED,
)
SIDE_BY_SIDE = 8  # parts of a ledger of fifty pages
IDS = [job_id({"n": n}) for n in range(3000)]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def aws(simulator: Simulator) -> Aws:
    simulator.empty()
    aws = simulator.aws()
    aws.s3.create_bucket(Bucket=BUCKET)
    return aws


def put(aws: Aws, *keys: str) -> None:
    """Put objects straight into the simulated bucket: 4,000 requests would take a minute."""
    for key in keys:
        s3_backends[ACCOUNT]["aws"].put_object(BUCKET, key, b"x")


def tried(job: str, number: int, *states: AttemptState) -> list[str]:
    """The keys of an attempt, which began `number` seconds after 1970."""
    return [KEYS.attempt(key(job, number, state)) for state in states]


def key(job: str, number: int, state: AttemptState) -> AttemptKey:
    reason = "ab12cd34" if state is FAILED else ""
    return AttemptKey(job, f"{number * 1000:013d}-ab", state, "i-1", "s", reason=reason)


def test_every_job_stands_where_its_marks_and_its_last_attempt_say(aws: Aws) -> None:
    done, dead, failed, taken, begun, twice, again = IDS[:7]
    put(
        aws,
        *tried(done, 1, STARTED, FAILED),
        *tried(done, 2, STARTED, DONE),
        KEYS.done(done),
        *tried(dead, 1, STARTED, FAILED),
        KEYS.dead(dead),
        *tried(failed, 1, STARTED, INTERRUPTED),
        *tried(failed, 2, STARTED, FAILED),
        *tried(failed, 3, STARTED, FAILED),
        *tried(again, 1, STARTED, FAILED),
        *tried(again, 5, STARTED),
        *tried(taken, 3, STARTED, INTERRUPTED),
        *tried(begun, 4, STARTED),
        *tried(twice, 1, STARTED),
        KEYS.done(twice),
        KEYS.dead(twice),
        KEYS.heartbeat("i-1", "s"),
        KEYS.broken_machine("i-2"),
        KEYS.machine_book,
        KEYS.job_list("0001", 40),
        KEYS.job_list("0002", 2),
        RunKeys("Counting", "20261121-000000-abce").done(done),
    )
    with watch_calls(aws) as calls:
        seen = survey_run(Objects(aws.s3, BUCKET), KEYS)
    assert calls == ["ListObjectsV2"]
    assert (seen.submitted, sorted(seen.done)) == (42, sorted([done, twice]))
    first = key(dead, 1, FAILED)
    assert seen.dead == {dead: LastAttempt(first, 1, 1, first)}
    last = key(failed, 3, FAILED)
    assert seen.open == {
        failed: LastAttempt(last, 3, 2, last),
        taken: LastAttempt(key(taken, 3, INTERRUPTED), 1),
        begun: LastAttempt(key(begun, 4, STARTED), 1),
        again: LastAttempt(key(again, 5, STARTED), 2, 1, key(again, 1, FAILED)),
    }
    assert seen.open[taken].key.started == 3.0
    assert seen.attempts == Counter({FAILED: 5, INTERRUPTED: 2, STARTED: 3, DONE: 1})
    assert [(beat.instance_id, beat.slot, beat.is_busy) for beat in seen.beats] == [
        ("i-1", "s", True)
    ]
    assert [*seen.at_work()] == [again]  # the last that the slot has begun
    assert seen.broken == {"i-2"}
    assert seen.watched is not None and abs(seen.looked - seen.watched) < 60
    assert not seen.is_stopped
    assert seen.done_between(seen.looked - 600, seen.looked) == 2
    assert seen.done_between(seen.looked - 1200, seen.looked - 600) == 0


def put_many(aws: Aws) -> None:
    """1,100 jobs that failed once, of which 900 were done then, 100 taken away, 50 given up."""
    jobs = IDS[:1200]
    put(
        aws,
        *(key for job in jobs[:1100] for key in tried(job, 1, STARTED, FAILED)),
        *(key for job in jobs[:900] for key in tried(job, 2, STARTED, DONE)),
        *(key for job in jobs[900:1000] for key in tried(job, 2, STARTED, INTERRUPTED)),
        *(KEYS.done(job) for job in jobs[:900]),
        *(KEYS.dead(job) for job in jobs[1000:1050]),
        KEYS.job_list("0001", 1200),
        KEYS.stopped,
    )


def test_a_ledger_of_many_pages_is_counted_like_one_read_in_order(aws: Aws) -> None:
    put_many(aws)
    with watch_calls(aws) as calls:
        seen = survey_run(Objects(aws.s3, BUCKET), KEYS)
    keys = [*Objects(aws.s3, BUCKET).keys(KEYS.prefix)]
    assert len(calls) <= 1.2 * -(-len(keys) // 1000)
    assert (seen.submitted, len(seen.done), len(seen.dead)) == (1200, 900, 50)
    assert Counter(last.state for last in seen.open.values()) == {INTERRUPTED: 100, FAILED: 50}
    assert seen.attempts == Counter({FAILED: 1100, DONE: 900, INTERRUPTED: 100})
    assert {last.attempts for last in seen.open.values()} == {1, 2}
    assert seen.is_stopped


def test_the_pages_of_a_long_ledger_are_asked_for_side_by_side(aws: Aws) -> None:
    put_many(aws)
    begun: list[str] = []
    all_wait = Event()

    def wait_for_others(model: Any, **_: Any) -> None:
        begun.append(model.name)
        if len(begun) == 1:
            return  # the first page, which says how many there may be
        if len(begun) > SIDE_BY_SIDE:
            all_wait.set()
        # No answer comes before so many are asked for: one after another they would wait for ever.
        assert all_wait.wait(20), "a page was asked for only after the answer to another"

    def shorten(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 100  # S3 may answer with fewer keys than 1,000

    with (
        handling([aws.s3], "before-parameter-build.s3.ListObjectsV2", shorten),
        handling([aws.s3], "before-call.s3.ListObjectsV2", wait_for_others),
    ):
        seen = survey_run(Objects(aws.s3, BUCKET), KEYS)
    assert (seen.submitted, len(seen.done), len(seen.dead)) == (1200, 900, 50)


def test_what_no_worker_of_ours_wrote_is_left_out_and_counted(
    aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    done, other = IDS[:2]
    strange = [
        f"{KEYS.attempts_of(other)}0000000001000-ab.mended",
        f"{KEYS.attempts_of(other)}0000000002000-ab.failed.i-1.s.x",
        f"{KEYS.job_lists}what.jsonl.gz",
    ]
    put(aws, *tried(done, 1, STARTED, DONE), KEYS.done(done), *strange)
    seen = survey_run(Objects(aws.s3, BUCKET), KEYS)
    assert sorted(seen.left_out.keys) == sorted(strange)
    assert (seen.done, seen.open, seen.submitted) == ([done], {}, 0)
    assert len(caplog.records) == 1 and strange[0] in caplog.text


@given(st.floats(0.0005, 0.9), st.lists(st.sampled_from(IDS), min_size=1, max_size=40))
def test_the_cuts_leave_no_key_out_and_take_none_twice(share: float, jobs: list[str]) -> None:
    last = f"{KEYS.attempts}{int(share * 16**20):020x}/1-ab.done.i-1.s.0.1.1.1.1.1.-.-"
    after, until = first_cut(KEYS, last)
    ranges = cut_ranges(KEYS.prefix, after)
    keys = {KEYS.done(job) for job in jobs} | {KEYS.dead(job) for job in jobs}
    keys |= {key for job in jobs for key in tried(job, 1, STARTED, DONE)}
    keys |= {KEYS.machine_book, KEYS.stopped, KEYS.heartbeat("i-1", "s"), last}
    for key in keys:
        times = int(until is not None and key < until)
        times += sum(cut < key and (end is None or key < end) for cut, end in ranges)
        assert times == 1, key
    for job in jobs:
        found = {
            place
            for place, (cut, end) in enumerate(ranges)
            for key in tried(job, 1, STARTED, DONE)
            if cut < key and (end is None or key < end)
        }
        assert len(found) <= 1, "a job's attempts are read together"


def test_a_first_page_that_ends_elsewhere_is_gone_on_with_from_there() -> None:
    last = KEYS.done("f" * 20)
    assert first_cut(KEYS, last) == (last, None)
    assert cut_ranges(KEYS.prefix, last) == [(last, None)]
