"""The report of a run, read off its page as a browser shows it."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.cli.verbs.report import leave_report
from distributed_something.commands.reading.report import make_report, to_json, write_page
from distributed_something.commands.reading.report.facts import RunReport
from distributed_something.commands.reading.report.histograms import histogram
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.record import FleetRecord, RunRecord, save_record
from tests.account import new_account
from tests.browser import open_page
from tests.builders import write_config
from tests.golden import check_golden, screen
from tests.lives import refusing
from tests.made_up_run import BEGAN, RUN, made_up_attempts, write_run

JOBS = 300
_PRICES = {"m5.xlarge": 0.0713, "m6a.xlarge": 0.0642}


@dataclass(frozen=True)
class Made:
    """A made-up run in a simulated account, and its report."""

    simulator: Simulator
    aws: Aws
    record: RunRecord
    report: RunReport


def answer_prices(aws: Aws) -> None:
    def act(parsed: dict[str, Any], **_: Any) -> None:
        parsed["SpotPriceHistory"] = [
            {
                "InstanceType": kind,
                "AvailabilityZone": f"us-east-1{zone}",
                "Timestamp": datetime.fromtimestamp(BEGAN - 100, timezone.utc),
                "SpotPrice": str(price),
            }
            for kind, price in _PRICES.items()
            for zone in "abc"
        ]
        parsed.pop("NextToken", None)

    aws.ec2.meta.events.register("after-call.ec2.DescribeSpotPriceHistory", act)


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    with Simulator() as simulator:
        aws = new_account(simulator)
        record = write_run(aws, JOBS)
        answer_prices(aws)
        yield Made(simulator, aws, record, make_report(aws, record))


@dataclass(frozen=True)
class Page:
    """A page as Chromium has it after its scripts have run."""

    dom: str
    log: str

    def text(self, place: str) -> str:
        """The text of the element with an id."""
        found = re.search(rf'<(\w+)[^>]* id="{place}"[^>]*>(.*?)</\1>', self.dom, re.DOTALL)
        assert found, place
        return html.unescape(re.sub(r"<[^>]+>", " ", found[2])).strip()

    def has_chart(self, place: str) -> bool:
        return bool(re.search(rf'id="{place}"[^>]*class="[^"]*js-plotly-plot', self.dom)) or bool(
            re.search(rf'class="[^"]*js-plotly-plot[^"]*"[^>]*id="{place}"', self.dom)
        )


def opened(path: Path, folder: Path) -> Page:
    """Open a page in headless Chromium."""
    dom, printed = open_page(path.resolve().as_uri(), folder)
    # What the page itself says, and no word of the browser's about this computer.
    log = "\n".join(line for line in printed.splitlines() if "CONSOLE" in line)
    return Page(dom, log)


def with_script(path: Path, script: str) -> Path:
    """The page with something that happens after its own scripts."""
    text = path.read_text()
    assert text.count("</body>") == 1
    path.write_text(text.replace("</body>", f"<script>{script}</script></body>"))
    return path


def test_the_numbers_on_the_page_are_the_ledgers(made: Made, tmp_path: Path) -> None:
    path = write_page(made.report, tmp_path / "report.html")
    page = opened(path, tmp_path)
    assert page.log == ""
    attempts, lives = made_up_attempts(JOBS, 8, 2)
    done = sum(one.state == "done" for one in attempts)
    assert page.text("done") == f"{done:,}"
    assert page.text("dead") == f"{JOBS - done}"
    assert page.text("attempts") == f"{len(attempts):,}"
    assert page.text("machines-count") == f"{len(lives)}"
    assert page.text("verdict") == f"{JOBS - done} of {JOBS} jobs are not done"
    drawn = re.search(r'data-ready="(\d+)"', page.dom)
    assert drawn and int(drawn[1]) == 5
    for place in ("jobs-over-time", "machines", "times", "memory", "attempts"):
        assert page.has_chart(f"chart-{place}"), place


def column(page: Page, place: str, number: int) -> list[str]:
    """The cells of a table's column as they stand, by what they are sorted by."""
    table = page.dom.split(f'id="{place}"')[1].partition("</table>")[0]
    rows = table.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
    cells = [re.findall(r"<td([^>]*)>([^<]*)", row)[number] for row in rows]
    return [n[1] if (n := re.search(r'data-n="([^"]*)"', kind)) else text for kind, text in cells]


def test_a_click_on_a_columns_head_sorts_the_table(made: Made, tmp_path: Path) -> None:
    plain = opened(write_page(made.report, tmp_path / "report.html"), tmp_path)
    slow = [float(one) for one in column(plain, "slowest", 1)]
    assert slow == sorted(slow, reverse=True) and len(set(slow)) > 10
    assert (names := column(plain, "slowest", 0)) != sorted(names)
    clicks = """
        const head = (place, number) => document.querySelectorAll(`#${place} th button`)[number];
        head("slowest", 1).click();
        head("slowest", 1).click();
        head("failures", 0).click();
        head("money", 6).click();
        head("machine-table", 0).click();
        head("machine-table", 0).click();
    """
    page = opened(with_script(write_page(made.report, tmp_path / "r.html"), clicks), tmp_path)
    assert page.log == ""
    assert [float(one) for one in column(page, "slowest", 1)] == slow[::-1]
    assert column(page, "failures", 0) == sorted(column(plain, "failures", 0))
    cost = [float(one) for one in column(page, "money", 6)]
    assert cost == sorted(cost, reverse=True)
    machines = column(plain, "machine-table", 0)
    assert column(page, "machine-table", 0) == sorted(machines, reverse=True)
    sorts = re.findall(r'aria-sort="(\w+)"', page.dom)
    assert sorted(sorts) == ["ascending", "ascending", "descending", "descending"]


def test_on_a_phone_the_page_is_no_wider_than_its_screen(made: Made, tmp_path: Path) -> None:
    long = "plate-" + "x" * 300
    slow = (replace(made.report.slowest[0], name=long),)
    failed = tuple(replace(one, reason=long, log_tail=long) for one in made.report.failures)
    wide = replace(made.report, slowest=slow, failures=failed, stopped=long, app_name=long)
    wide = replace(wide, provenance={"image": long, "config.py": f"X = 1\n{long}\n"})
    # A window of Chromium's is 500 pixels wide at least, a frame can be a phone.
    frame = tmp_path / "phone.html"
    frame.write_text('<iframe src="report.html" style="width: 390px; height: 844px"></iframe>')
    tell = "console.log('wide', innerWidth, document.documentElement.scrollWidth)"
    for report in (made.report, wide):
        path = write_page(report, tmp_path / "report.html")
        with_script(path, f"setTimeout(() => {tell}, 1000)")
        told = re.findall(r'"wide (\d+) (\d+)"', opened(frame, tmp_path).log)
        assert [int(inner) for inner, _ in told] == [390]
        assert int(told[0][1]) <= 390


def test_what_became_of_an_attempt_can_be_told_without_colour(made: Made, tmp_path: Path) -> None:
    page = opened(write_page(made.report, tmp_path / "report.html"), tmp_path)
    figures = json.loads(page.text("figures"))
    lanes = {
        one["name"]: one["marker"]["pattern"]["shape"]
        for one in figures["chart-machines"]["data"]
        if one["name"] != "idle"
    }
    assert {"done", "failed", "interrupted"} <= {*lanes}
    assert len({*lanes.values()}) == len(lanes)
    assert page.dom.count("<pattern ") >= len(lanes) - 1  # of jobs done none is needed
    dashes = [one["line"]["dash"] for one in figures["chart-jobs-over-time"]["data"]]
    assert len({*dashes}) == len(dashes) == 4
    taken = {lane.instance_id[-6:] for lane in made.report.lanes if lane.taken_away}
    marked = re.findall(r"…(\S{6}) \S+ ✕", page.dom)
    assert taken and {*marked} == taken


def test_no_axis_of_few_jobs_repeats_a_number(made: Made, tmp_path: Path) -> None:
    line, none = made.report.timeline, (0, 0, 0)
    few = replace(
        made.report,
        attempts_of_jobs={1: 3, 2: 1},
        time_histogram=histogram([1.0, 2.0, 3.0]),
        memory_histogram=histogram([100.0, 200.0, 200.0]),
        timeline=replace(line, ends=line.ends[:3], done=(1, 2, 3), failed=none, interrupted=none),
    )
    page = opened(write_page(few, tmp_path / "report.html"), tmp_path)
    assert page.log == ""
    charts = page.dom.split('class="yaxislayer-above"')[1:]
    ticks = [re.findall(r'class="ytick">.*?<text[^>]*>([^<]*)</text>', one) for one in charts]
    counts = [one for one in ticks if one and all(tick.isdigit() for tick in one)]
    assert len(counts) >= 4
    assert all(len(set(one)) == len(one) for one in counts)


def test_what_failed_and_the_first_chart_are_on_a_laptops_first_screen(
    made: Made, tmp_path: Path
) -> None:
    path = write_page(made.report, tmp_path / "report.html")
    place = "document.getElementById({!r}).getBoundingClientRect().{}"
    ends = [("failed", "bottom"), ("results", "bottom"), ("chart-jobs-over-time", "top")]
    told = ", ".join(place.format(*one) for one in ends)
    frame = tmp_path / "laptop.html"
    frame.write_text('<iframe src="report.html" style="width: 1366px; height: 650px"></iframe>')
    with_script(path, f"setTimeout(() => console.log('at', {told}), 1000)")
    found = re.search(r'"at ([\d.]+) ([\d.]+) ([\d.]+)"', opened(frame, tmp_path).log)
    assert found and max(map(float, found.groups())) < 650


def test_a_script_error_does_not_go_unseen(made: Made, tmp_path: Path) -> None:
    path = write_page(made.report, tmp_path / "report.html")
    path.write_text(path.read_text().replace("Plotly.newPlot(id", "Plotly.noPlot(id"))
    assert "noPlot is not a function" in opened(path, tmp_path).log


def test_the_page_needs_no_network(made: Made, tmp_path: Path) -> None:
    text = write_page(made.report, tmp_path / "report.html").read_text()
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", text)
    assert "@import" not in text.partition("<script>")[0]


def test_names_and_logs_cannot_break_out_of_the_page(made: Made, tmp_path: Path) -> None:
    name = "</script><script>document.body.id='broken'</script>"
    lane = made.report.lanes[0]
    works = (replace(lane.works[0], name=name), *lane.works[1:])
    slow = (replace(made.report.slowest[0], name=name),)
    wild = replace(made.report, lanes=(replace(lane, works=works),), slowest=slow, app_name=name)
    page = opened(write_page(wild, tmp_path / "report.html"), tmp_path)
    assert page.log == ""
    assert 'id="broken"' not in page.dom
    assert "<body data-ready=" in page.dom


def test_every_dollar_is_accounted_for(made: Made, tmp_path: Path) -> None:
    """Every machine worked out by hand: its hours, disk and address at the answered price."""
    _, lives = made_up_attempts(JOBS, 8, 2)
    by_hand = dict.fromkeys(_PRICES, 0.0)
    for one in lives:
        hours = (one.ended - one.launched) / 3600 if one.ended else 0.0
        compute = 0.0 if one.interrupted else hours * _PRICES[one.instance_type]
        by_hand[one.instance_type] += compute + hours * (0.08 * 40 / 720 + 0.005)
    assert {row.instance_type: row.total for row in made.report.money} == pytest.approx(by_hand)
    page = opened(write_page(made.report, tmp_path / "report.html"), tmp_path)
    total = sum(by_hand.values())
    assert page.text("cost") == f"${total:,.2f}"
    assert page.text("money-total") == f"${total:,.4f}"  # of less than a dollar
    assert [float(one) for one in column(page, "money", 6)] == pytest.approx(
        sorted(by_hand.values(), reverse=True)
    )
    left_out = page.text("money").partition("Not included: ")[2]
    for word in ("NAT gateways", "logs", "data transfer"):
        assert word in left_out
    row = next(row for row in made.report.money if row.instance_type == "m6a.xlarge")
    assert row.free > 0  # the one that EC2 took away in its first hour
    assert 0 < row.idle < row.total
    assert 0 < row.lost < row.total - row.idle


def test_where_nobody_may_read_prices_the_most_that_machines_cost_is_told(
    made: Made, tmp_path: Path
) -> None:
    """As `status` tells it; the same hours, disks and addresses at the cap."""
    capped = FleetRecord("token", {"SpotPrice": "0.25"}, 8, "sfr-1")
    with refusing(made.aws.ec2, "DescribeSpotPriceHistory"):
        report = make_report(made.aws, replace(made.record, fleets=(capped,)))
        nothing = make_report(made.aws, made.record)
    for row, known in zip(
        sorted(report.money, key=lambda one: one.instance_type),
        sorted(made.report.money, key=lambda one: one.instance_type),
        strict=True,
    ):
        at_cap = (known.compute + known.free) / _PRICES[row.instance_type] * 0.25
        assert row.compute + row.free == pytest.approx(at_cap)
        assert (row.disks, row.addresses) == (known.disks, known.addresses)
    assert not report.prices_known
    assert "the most that they can cost was taken" in page_text(report, tmp_path)
    assert "the most that they can cost" not in page_text(made.report, tmp_path)
    assert [row.compute for row in nothing.money] == [0.0, 0.0]


def page_text(report: RunReport, folder: Path) -> str:
    return write_page(report, folder / "report.html").read_text()


def test_busy_lost_and_idle_seconds_make_up_a_machines_time(made: Made) -> None:
    for lane in made.report.lanes:
        assert lane.busy + lane.idle == pytest.approx(lane.seconds * 2)
        assert lane.lost == pytest.approx(
            sum(work.ended - work.began for work in lane.works if work.state != "done")
        )
    assert sum(lane.done for lane in made.report.lanes) == made.report.counts.done


def test_failures_are_grouped_by_reason_with_one_log(made: Made) -> None:
    attempts, _ = made_up_attempts(JOBS, 8, 2)
    of_code = [one for one in attempts if one.state == "failed" and one.exit_code == 137]
    group = next(one for one in made.report.failures if "137" in one.reason)
    assert group.attempts == len(of_code)
    assert group.jobs == group.given_up == len({one.job_id for one in of_code})
    assert "MemoryError" in group.log_tail


def test_a_run_that_lives_and_one_that_never_began_have_a_page_too(
    made: Made, tmp_path: Path
) -> None:
    living = replace(made.record, ended=None)
    report = make_report(made.aws, living, now=lambda: BEGAN + 7200)
    assert not report.is_over
    assert opened(write_page(report, tmp_path / "living.html"), tmp_path).log == ""
    empty = replace(made.record, run_id="20260101-000000-0000", ended=None, started=BEGAN)
    save_record(made.aws.s3, empty, None)
    none = make_report(made.aws, empty, now=lambda: BEGAN + 60)
    page = opened(write_page(none, tmp_path / "empty.html"), tmp_path)
    save_record(made.aws.s3, made.record, None)
    assert page.log == ""
    assert page.text("done") == "0"


def test_the_verb_leaves_a_page_rows_and_numbers(made: Made, tmp_path: Path) -> None:
    write_config(tmp_path)
    code, out, seen = screen(["report"], tmp_path, made.simulator.environment)
    assert (code, out) == (0, f"reports/Counting-{RUN}.html\n"), seen
    assert (tmp_path / out.strip()).stat().st_size < 10e6
    check_golden("report", seen)
    words = ["report", "--csv", "-o", "attempts.csv", "--run", RUN]
    code, out, _ = screen(words, tmp_path, made.simulator.environment)
    assert (code, out) == (0, "")
    rows = list(csv.DictReader((tmp_path / "attempts.csv").open()))
    assert len(rows) == made.report.counts.attempts
    assert {row["state"] for row in rows} == {"done", "failed", "interrupted"}
    code, out, _ = screen(["report", "--json"], tmp_path, made.simulator.environment)
    assert json.loads(out)["counts"]["submitted"] == JOBS


def test_what_is_left_at_a_runs_end_costs_the_verb_nothing(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    leave_report(made.aws, made.record)
    assert (tmp_path / "reports" / f"Counting-{RUN}.html").is_file()
    (tmp_path / "reports").rename(tmp_path / "kept")
    (tmp_path / "reports").write_text("a file where the folder would be")
    leave_report(made.aws, made.record)  # raises nothing
    assert not (tmp_path / "reports").is_dir()


def test_a_run_that_is_not_there_is_said(made: Made, tmp_path: Path) -> None:
    write_config(tmp_path)
    code, _, seen = screen(["report", "--run", "nope"], tmp_path, made.simulator.environment)
    assert code == 1
    assert "No run nope of Counting" in seen


def test_numbers_are_plain_json(made: Made) -> None:
    told = json.loads(to_json(made.report))
    assert told["job_seconds"]["count"] == made.report.counts.done
    assert told["attempts_of_jobs"]["1"] > 250
