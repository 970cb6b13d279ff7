"""What the report says first: the jobs that did not end well, and where the results are."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distributed_something.commands.reading.report import make_report
from distributed_something.commands.reading.report.facts import RunReport
from distributed_something.commands.reading.report.not_done import MOST_LISTED, read_not_done
from distributed_something.commands.reading.report.page import page
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp, SubmittedJob
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.lives import Life, open_life
from tests.made_up_run import made_up_record

_WAYS = {
    "A02": ("exit code 3", 3, "no such plate: A02"),
    "B01": ("its timeout of 15 s was over", None, "segmenting..."),
    "C04": ("The input s3://lab-data/C04.tif does not exist.", None, ""),
}


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        yield life


def write_jobs(life: Life, record: RunRecord) -> None:
    """Six jobs: one is done, three were given up in three ways, one interrupted, one untried."""
    ledger = RunLedger.of(life.aws.s3, record)
    names = ["A01", *_WAYS, "D01", "E01"]
    ids = {name: f"{number:020x}" for number, name in enumerate(names)}
    lines = [SubmittedJob(ids[name], name, "{}").to_line() for name in names]
    ledger.write_job_list("0", lines)
    for name, (reason, code, line) in _WAYS.items():
        log = f"start run 1\n{line}\nAttempt 1 failed" if line else ""
        failed = attempt(ids[name], name, "failed")
        ledger.write_attempt(replace(failed, reason=reason, exit_code=code, log_tail=log))
        ledger.write_given_up(GivenUp(ids[name], reason))
    ledger.write_attempt(attempt(ids["D01"], "D01", "interrupted"))
    done = replace(attempt(ids["A01"], "A01", "done"), output="s3://lab-data/out/A01")
    ledger.write_attempt(done)
    ledger.mark_done(done)


def attempt(job_id: str, name: str, state: str) -> Attempt:
    return Attempt(job_id, name, "1700000000000-a", 1, state, "i-1", "s", 1.7e9, 1.7e9 + 60)


def rows(report: RunReport) -> dict[str, list[str]]:
    """The table of jobs that did not end well, as the page has it: cells by name."""
    table = page(report).split('id="not-done"')[1].partition("</table>")[0].split("<tr>")[1:]
    cells = [[html.unescape(one) for one in re.findall(r"<td[^>]*>([^<]*)", row)] for row in table]
    return {row[0]: row[1:] for row in cells if row}


def test_every_job_that_did_not_end_well_is_in_a_table_with_its_reason_and_last_line(
    life: Life,
) -> None:
    record = made_up_record(1.7e9 + 600)
    write_jobs(life, record)
    report = make_report(life.aws, record)
    found = rows(report)
    assert set(found) == {*_WAYS, "D01", "E01"}
    for name, (reason, _, line) in _WAYS.items():
        assert found[name] == ["given up", "1", reason, line]
    assert found["D01"][:2] == ["not done", "1"] and "interrupted" in found["D01"][2]
    assert found["E01"][:2] == ["not done", "0"] and "not tried" in found["E01"][2]
    block = page(report).split('id="failed"')[1].partition("</ul>")[0]
    for cause in (
        "exit code 3 (1): A02: no such",
        "timed out after 15 s (1): B01",
        "input missing",
    ):
        assert cause in block


def test_a_run_that_goes_on_lists_what_failed_alone(life: Life) -> None:
    record = made_up_record(None)
    write_jobs(life, record)
    assert set(rows(make_report(life.aws, record))) == set(_WAYS)


def test_of_many_jobs_the_first_are_listed_and_the_others_counted(life: Life) -> None:
    record = made_up_record(1.7e9)
    ledger = RunLedger.of(life.aws.s3, record)
    lines = [SubmittedJob(f"{n:020x}", f"job-{n}", "{}").to_line() for n in range(MOST_LISTED + 7)]
    ledger.write_job_list("0", lines)
    found = read_not_done(ledger, ledger.survey(), is_over=True)
    assert (len(found.jobs), found.more) == (MOST_LISTED, 7)
    text = page(make_report(life.aws, record))
    assert f"And 7 more: <code>python run.py status --failed --json --run {record.run_id}" in text


def test_the_page_says_where_the_results_are_and_how_to_get_them(life: Life) -> None:
    record = made_up_record(1.7e9 + 600)
    write_jobs(life, record)
    report = make_report(life.aws, record)
    assert report.results == "s3://lab-data/out/A01"
    text = page(report)
    assert "<code>s3://lab-data/out/A01</code>" in text
    assert f"<code>python run.py download --run {record.run_id}</code>" in text
    rehearsal = page(make_report(life.aws, record, is_rehearsal=True))
    assert "in this page&#39;s folder" in rehearsal or "in this page's folder" in rehearsal
    assert "download --run" not in rehearsal
