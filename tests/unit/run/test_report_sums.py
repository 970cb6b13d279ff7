"""What a report adds up: bins, lanes and groups, for few attempts and for many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.commands.reading.report import write_page
from distributed_something.commands.reading.report.collect import (
    BINS,
    MOST_DRAWN,
    Collector,
)
from distributed_something.commands.reading.report.histograms import histogram, spread
from distributed_something.protocol.ledger.attempts import Attempt, reason_of
from distributed_something.run.money import MachineLife
from tests.made_up_run import made_up_attempts, made_up_report


def attempt(
    job: int, started: float, ended: float | None, state: str = "done", machine: str = "i-1"
) -> Attempt:
    name = f"{int(started * 1000):013d}-{job:x}"
    return Attempt(f"{job:020x}", f"job-{job}", name, 1, state, machine, "s", started, ended)


def collected(*attempts: Attempt, now: float = 1000.0, **ends: float) -> Collector:
    found = Collector(now, {name.replace("_", "-"): end for name, end in ends.items()})
    for one in attempts:
        found.add(one.key)
    found.end()
    found.learn({}, attempts)
    return found


@given(
    st.lists(
        st.tuples(st.floats(0, 900), st.floats(0.1, 100), st.sampled_from(["done", "failed"])),
        min_size=1,
        max_size=30,
    )
)
def test_no_second_and_no_job_is_lost_in_the_bins(
    spans: list[tuple[float, float, str]],
) -> None:
    found = collected(
        *(attempt(n, start, start + took, state) for n, (start, took, state) in enumerate(spans))
    )
    line = found.timeline(0.0, 1000.0)
    width = 1000.0 / BINS
    assert line.done[-1] == sum(state == "done" for *_, state in spans)
    assert line.failed[-1] == sum(state == "failed" for *_, state in spans)
    assert sum(line.running) * width == pytest.approx(
        sum(took for _, took, _ in spans), abs=width * BINS * 0.001
    )


def test_an_attempt_without_an_end_goes_on_until_now_or_its_machines_end() -> None:
    running = attempt(1, 100, None, "started")
    gone = attempt(2, 100, None, "started", machine="i-2")
    found = collected(running, gone, i_2=300.0)
    lanes = {lane.instance_id: lane for lane in found.lanes({}, 1, 0.0, 1000.0)}
    assert lanes["i-1"].busy == 900
    assert lanes["i-2"].busy == lanes["i-2"].lost == 200


def test_a_machine_that_never_had_a_job_has_a_lane_of_idleness() -> None:
    life = MachineLife("i-9", "m5.xlarge", "us-east-1a", launched=100.0, ended=400.0)
    found = collected(attempt(1, 100, 200))
    lanes = {lane.instance_id: lane for lane in found.lanes({"i-9": life}, 2, 0.0, 1000.0)}
    assert (lanes["i-9"].idle, lanes["i-9"].busy) == (600.0, 0.0)
    assert lanes["i-9"].use[0] is None  # it was not there yet
    assert lanes["i-9"].use[BINS // 4] == 0


def test_jobs_are_counted_by_their_attempts() -> None:
    found = collected(
        attempt(1, 0, 1, "failed"), attempt(1, 2, 3), attempt(2, 0, 1), attempt(3, 0, 1)
    )
    assert found.attempts_of_jobs == {1: 2, 2: 1}


def test_reasons_are_grouped_without_what_is_a_jobs_own() -> None:
    one = replace(attempt(1, 0, 1, "failed"), reason="s3://lab/P1.tif of job-1 does not exist")
    other = replace(attempt(2, 0, 1, "failed"), reason="s3://lab/P2.tif of job-2 does not exist")
    assert reason_of(one) == reason_of(other) == "s3://… of … does not exist"
    assert reason_of(replace(one, reason="", exit_code=3)) == "exit code 3"
    found = collected(one, other)
    (group,) = found.failures({one.job_id})
    assert (group.attempts, group.jobs, group.given_up) == (2, 2, 1)


def test_jobs_given_up_without_a_failed_attempt_are_grouped_by_the_reason_of_their_marks() -> None:
    vanished = [attempt(number, time, None, "started") for number in (1, 2) for time in (0, 5)]
    found = collected(*vanished, attempt(3, 0, 1, "failed"), attempt(4, 0, None, "started"))
    dead = {f"{number:020x}" for number in (1, 2, 3, 9)}
    unexplained = found.unexplained(dead)
    assert unexplained == sorted(dead - {f"{3:020x}"})
    for job_id in unexplained:
        told = "no JSON" if job_id.endswith("9") else "2 attempts vanished"
        found.add_given_up(job_id, told)
    groups = {
        one.reason: (one.attempts, one.jobs, one.given_up, one.example)
        for one in found.failures(dead)
    }
    assert groups == {
        "2 attempts vanished": (4, 2, 2, "job-1"),
        "no JSON": (0, 1, 1, f"{9:020x}"),
        "no reason was given": (1, 1, 1, "job-3"),
    }


def test_a_job_that_was_passed_over_has_no_time_of_its_own() -> None:
    skipped = [replace(attempt(n, 5, 5), reason="The results were there.") for n in range(1, 4)]
    found = collected(attempt(0, 0, 60), *skipped)
    assert list(found.seconds) == [60.0]
    assert [one.name for one in found.slowest()] == ["job-0"]
    assert found.attempts_of_jobs == {1: 4}


def test_the_slowest_come_first_and_no_more_than_fifty() -> None:
    found = collected(*(attempt(n, 0, 1 + n) for n in range(80)), now=2000.0)
    slow = found.slowest()
    assert [one.name for one in slow[:2]] == ["job-79", "job-78"]
    assert len(slow) == 50


def test_a_run_of_many_attempts_is_drawn_by_shares() -> None:
    attempts, lives = made_up_attempts(MOST_DRAWN + 500, 20, 2)
    found = collected(*attempts, now=attempts[0].started + 1e6)
    assert found.began and found.ended
    lanes = found.lanes({one.instance_id: one for one in lives}, 2, found.began, found.ended)
    assert all(not lane.works for lane in lanes)
    assert max(share for lane in lanes for share in lane.use if share is not None) == 1.0
    assert sum(lane.done + lane.failed + lane.interrupted for lane in lanes) == len(attempts)


@pytest.mark.slow
def test_the_page_of_a_hundred_thousand_jobs_is_below_ten_megabytes(tmp_path: Path) -> None:
    report = made_up_report(*made_up_attempts(100_000, 60, 2), slots=2)
    page = write_page(report, tmp_path / "report.html")
    assert report.counts.done > 98_000
    assert 1e6 < page.stat().st_size < 10e6


def test_spreads_and_histograms_of_nothing_and_of_one() -> None:
    assert spread([]) is None
    assert histogram([]) is None
    one = spread([3.0])
    assert one and (one.least, one.median, one.most) == (3.0, 3.0, 3.0)
    same = histogram([2.0, 2.0])
    assert same and sum(same.counts) == 2


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_every_value_is_in_one_column(values: list[float]) -> None:
    found = histogram(values)
    assert found and sum(found.counts) == len(values)


@pytest.mark.parametrize(("count", "most"), [(3, 4), (12, 6), (100, 12), (100_000, 32)])
def test_few_jobs_have_few_columns_with_round_edges(count: int, most: int) -> None:
    values = [61.0 + 43.7 * n / count for n in range(count)]
    found = histogram(values)
    assert found and 2 <= len(found.counts) <= most
    width = found.edges[1] - found.edges[0]
    assert f"{width:g}".strip("0.") in ("1", "2", "25", "5")
    assert found.edges[0] <= min(values) and found.edges[-1] > max(values)


def test_columns_of_minutes_are_round_in_minutes() -> None:
    found = histogram([60.0 * n for n in range(1, 13)], 60.0)
    assert found and all(edge % 60 == 0 for edge in found.edges)
