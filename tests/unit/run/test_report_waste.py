"""The line of a report that says what a run cost against its useful work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributed_something.commands.reading.report import money_rows
from distributed_something.commands.reading.report.facts import MoneyRow, RunReport
from distributed_something.commands.reading.report.page import page
from distributed_something.commands.reading.report.waste import waste_line, waste_of
from distributed_something.run.money import MachineLife, Prices, cost_of, is_free
from distributed_something.run.requests import requests_of
from tests.made_up_run import made_up_attempts, made_up_report
from tests.unit.run.test_report_sums import attempt, collected


@pytest.fixture(scope="module")
def report() -> RunReport:
    return made_up_report(*made_up_attempts(40, 4, 2), 2)


def spent(report: RunReport, finish: str = "fast", **parts: float) -> RunReport:
    """The report of a run that cost $10, with these parts of it."""
    known: dict[str, Any] = dict.fromkeys(("idle", "lost", "starting", "ending"), 0.0) | parts
    row = MoneyRow("m5.large", 1, 100.0, 10.0, 0.0, 0.0, 10.0, free=0.0, **known)
    return replace(report, money=(row,), finish=finish)


def test_what_a_run_cost_is_its_work_and_four_kinds_of_waste(report: RunReport) -> None:
    made = spent(report, idle=3.0, starting=1.0, ending=0.5, lost=1.0)
    assert waste_of(made) == {"starting": 1.0, "waiting": 1.5, "lost": 1.0, "ending": 0.5}
    assert waste_line(made) == (
        "It cost 1.67 times its useful work ($6.00). The rest went: $1.00 on machines that "
        "started, $1.50 on slots without a job, $1.00 on lost work, $0.50 after a machine's last "
        'job. What would have saved most: fewer machines at the end (FINISH = "cheap" in '
        "config.py)."
    )


@pytest.mark.parametrize(
    ("parts", "finish", "setting"),
    [
        ({"idle": 2.0, "starting": 2.0}, "fast", 'FINISH = "cheap"'),
        ({"idle": 2.0, "starting": 2.0}, "cheap", "CLUSTER_MACHINES"),
        ({"idle": 2.0}, "cheap", "`weight` in the job file"),
        ({"lost": 2.0}, "fast", '`"checkpoint": true`'),
        ({"idle": 2.0, "ending": 2.0}, "fast", "AUTO_MONITOR"),
    ],
)
def test_the_advice_is_about_the_largest_waste(
    report: RunReport, parts: dict[str, float], finish: str, setting: str
) -> None:
    assert setting in waste_line(spent(report, finish, **parts))


def test_a_run_without_waste_gets_no_advice_and_one_without_cost_no_line(
    report: RunReport,
) -> None:
    assert "saved" not in waste_line(spent(report, lost=0.01))
    assert waste_line(replace(report, money=())) == ""


def test_a_machines_idle_time_is_before_between_and_after_its_jobs() -> None:
    found = collected(attempt(1, 300.0, 400.0), attempt(2, 500.0, 700.0))
    life = MachineLife("i-1", "m5.large", "z", 0.0, 1000.0)
    (lane,) = found.lanes({"i-1": life}, 1, 0.0, 1000.0)
    assert (lane.starting, lane.ending, lane.idle) == (300.0, 300.0, 700.0)
    (row,) = money_rows([life], [lane], Prices(cap=3.6), 1000.0)
    assert (row.starting, row.ending) == pytest.approx((row.total * 0.3, row.total * 0.3))


def test_the_page_has_the_line_and_a_row_for_requests(report: RunReport) -> None:
    html = page(replace(report, requests=1.25, kept_seconds=7200.0))
    assert "times its useful work" in html
    assert 'id="requests">Requests to S3, SQS and CloudWatch: about $1.25' in html
    assert "Checkpoints kept up to 2.0 h" in html or "Checkpoints kept up to" in html
    assert "requests to S3 and SQS" not in html, "they are not left out any more"


def test_a_machine_that_is_taken_in_its_first_hour_is_on_a_rehearsals_page_at_nothing(
    report: RunReport,
) -> None:
    life = MachineLife("i-1", "m5.large", "z", 0.0, 1800.0, interrupted=True)
    assert is_free(life, 1800.0) and cost_of(life, Prices(cap=1.0), 1800.0).machines == 0.0
    html = page(replace(report, money=(), is_rehearsal=True, taken_free=("i-1",)))
    assert '<td>i-1</td><td class="n">$0.00' in html


def test_requests_of_short_jobs_cost_more_of_a_run_than_those_of_long_ones() -> None:
    short, long = (
        requests_of(1000, 1000 * took, 1000 * took / 4, files=1000, lease_seconds=60)
        for took in (30.0, 3600.0)
    )
    assert short.puts / 1000 <= 4.5, "S3 PUTs of a job of 30 s"
    assert short.dollars / 30 > 2 * long.dollars / 3600


def test_requests_of_a_million_jobs_of_half_a_minute_are_an_eighth_of_their_machines_at_most() -> (
    None
):
    jobs, machine_hours, dollars = 1_000_000, 1000 * 1.15, 237.0
    found = requests_of(jobs, jobs * 30.0, machine_hours * 3600, files=jobs, lease_seconds=60)
    assert found.puts / jobs == pytest.approx(4.5)
    assert found.dollars <= 0.12 * dollars
