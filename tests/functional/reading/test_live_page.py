"""`status --web`: the report in a browser while the run goes on, and for no one else."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.reading.live.pictures import MOST_SHOWN, Picture
from distributed_something.commands.reading.live.run import LiveRun, Look
from distributed_something.commands.reading.live.server import PageServer
from distributed_something.commands.reading.report import make_report
from distributed_something.commands.reading.report.page import page
from distributed_something.commands.reading.status import status
from distributed_something.errors import UsageError
from distributed_something.local.simulator import Simulator
from tests.account import new_account
from tests.browser import open_page
from tests.builders import write_config
from tests.lives import Life, open_life, watch_calls
from tests.made_up_run import write_run
from tests.terminals import CTRL_C, Terminal

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0"
    "00000301010018dd8db00000000049454e44ae426082"
)
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """A run of six jobs, of which one is done and one runs."""
    with open_life(tmp_path, MACHINE_PRICE=None) as life:
        life.set_up()
        life.submit(*(f"plate-{number}" for number in range(6)))
        record = life.buy()
        machine = life.instances()[0]
        life.clock.sleep(60)
        life.finish(record, life.take(record, machine))
        life.take(record, machine)
        yield life


class Turning(PageServer):
    """A page that shows the next look each time it is asked for one."""

    turns: list[Look | None]

    @property
    def look(self) -> Look | None:
        return self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]

    @look.setter
    def look(self, look: Look | None) -> None:
        self.turns = [look]


def test_the_page_shows_what_the_report_does(life: Life) -> None:
    look = LiveRun(life.aws, life.record(), now=life.clock.now).look()
    report = page(make_report(life.aws, life.record(), now=life.clock.now))
    tiles = r'<b id="([\w-]+)">([^<]*)</b>'
    assert re.findall(tiles, look.html) == re.findall(tiles, report)
    assert dict(re.findall(tiles, look.html))["done"] == "1"
    assert "Still running: 5 jobs are left" in look.html


def test_a_browser_shows_the_next_look_in_the_place_of_the_last(life: Life, tmp_path: Path) -> None:
    run = LiveRun(life.aws, life.record(), now=life.clock.now)
    server = Turning("a run", run.pictures.read)
    first = run.look()
    life.clock.sleep(60)
    life.finish(life.record(), life.take(life.record(), life.instances()[0]))
    server.turns = [first, run.look()]
    with server.serving():
        dom, printed = open_page(server.address, tmp_path)
    assert "CONSOLE" not in printed, printed  # neither an error nor a breach of its policy
    assert '<b id="done">2</b>' in dom
    assert "js-plotly-plot" in dom
    assert ">Live<" in dom


def test_pictures_among_the_newest_results_are_shown_and_nothing_else_is(tmp_path: Path) -> None:
    with Simulator() as simulator:
        aws = new_account(simulator)
        record = write_run(aws, 60)
        newest = [one.job for one in pictures_of(LiveRun(aws, record), aws, PNG)]
        fake = newest[0]
        aws.s3.put_object(Bucket="lab-data", Key=f"results/{fake}/b.png", Body=SCRIPT)
        run = LiveRun(aws, record)
        server = PageServer("a run", run.pictures.read)
        server.look = run.look()
        shown = re.findall(r'<img src="(picture/\d+)" alt="b.png of ([\w-]+)"', server.look.html)
        assert [job for _, job in shown] == newest and "a.svg" not in server.look.html
        with server.serving():
            dom, _ = open_page(server.address, tmp_path)
            answers = {job: ask(server, f"/{server.token}/{place}") for place, job in shown}
        assert dom.count("<img") == len(shown)
        assert answers.pop(fake).status == 404  # its name alone is a picture's
        for answer in answers.values():
            assert (answer.status, answer.getheader("Content-Type")) == (200, "image/png")
            assert answer.getheader("X-Content-Type-Options") == "nosniff"
            assert "sandbox" in (answer.getheader("Content-Security-Policy") or "")


def pictures_of(run: LiveRun, aws: Aws, body: bytes) -> list[Picture]:
    """The pictures that a run shows once every job has one, and a drawing that could run code."""
    for number in range(60):
        name = f"Plate01-{'ABCDEFGH'[number // 12 % 8]}{number % 12 + 1:02d}"
        for file, content in (("a.svg", SCRIPT), ("b.png", body)):
            aws.s3.put_object(Bucket="lab-data", Key=f"results/{name}/{file}", Body=content)
    run.look()
    survey = run.ledger.survey(keeps_attempts=True)
    found = run.pictures.look(run.ledger, survey, is_last=True)
    assert len(found) == MOST_SHOWN
    return found


def ask(server: PageServer, path: str, host: str = "", method: str = "GET") -> HTTPResponse:
    """One request, with any Host that a browser could be made to send."""
    where = urlsplit(server.address).netloc
    connection = HTTPConnection(where, timeout=20)
    connection.request(method, path, headers={"Host": host or where})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_only_who_knows_the_address_gets_an_answer(life: Life) -> None:
    run = LiveRun(life.aws, life.record(), now=life.clock.now)
    server = PageServer("a run", run.pictures.read)
    server.look = run.look()
    own = f"/{server.token}/"
    port = urlsplit(server.address).port
    with server.serving():
        assert ask(server, own).status == 200
        assert ask(server, own, f"localhost:{port}").status == 200
        for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
            assert ask(server, own, host).status == 403
            assert ask(server, f"{own}stop", host, "POST").status == 403
        for path in ("/", "/look", f"/{server.token[:-1]}/", f"/{server.token}", f"/x{own}"):
            assert ask(server, path).status == 403
        for path in ("../config.py", "picture/1/2", "picture/-1", "picture/99", "page.html"):
            assert ask(server, own + path).status == 404
        assert ask(server, f"{own}stop").status == 404  # a GET, as a link makes it
        assert not server.stopped.is_set()
        assert ask(server, f"{own}stop", method="POST").status == 200
        assert server.stopped.is_set()
    with pytest.raises(OSError):
        ask(server, own)


def test_a_page_has_a_policy_that_runs_its_own_scripts_alone(life: Life) -> None:
    run = LiveRun(life.aws, life.record(), now=life.clock.now)
    server = PageServer("</title><script>alert(1)</script>", run.pictures.read)
    server.look = run.look()
    with server.serving(), urllib.request.urlopen(server.address) as answer:
        policy, text = answer.headers["Content-Security-Policy"], answer.read().decode()
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce and policy.startswith("default-src 'none'") and "unsafe-eval" not in policy
    assert text.count(f'<script nonce="{nonce[1]}">') == 2
    assert "<script>alert" not in text


def test_it_asks_no_more_of_aws_than_status_does(life: Life) -> None:
    """Over the same looks at the same run, in which jobs fail, run and are done."""
    record = life.record()
    for reason in ("exit code 1", "exit code 2"):
        life.fail(record, life.take(record, life.instances()[0]), reason)
    looks = 20
    with watch_calls(life.aws) as of_status:
        for _ in range(looks):
            status(life.aws, record, now=life.clock.now)
    run = LiveRun(life.aws, record, now=life.clock.now)
    with watch_calls(life.aws) as of_page:
        for _ in range(looks):
            run.look()
    refreshed = looks - 1  # `status --watch` reads the record before each further look, too
    assert 0 < len(of_page) - refreshed <= len(of_status)


def test_a_busy_port_is_said(life: Life) -> None:
    run = LiveRun(life.aws, life.record(), now=life.clock.now)
    first = PageServer("a run", run.pictures.read)
    with first.serving(), pytest.raises(UsageError, match="Leave --port out"):
        PageServer("a run", run.pictures.read, port=urlsplit(first.address).port or 0)


def test_the_verb_serves_until_ctrl_c(tmp_path: Path) -> None:
    with Simulator() as simulator:
        write_run(new_account(simulator), 12)
        write_config(tmp_path)
        terminal = Terminal(["status", "--web"], tmp_path, simulator.environment)
        address = re.compile(r"http://127\.0\.0\.1:\d+/[\w-]{32}/")
        terminal.wait_for(lambda shown: bool(address.search(shown)))
        found = address.search(terminal.shown)
        assert found
        with urllib.request.urlopen(found[0]) as answer:
            assert "All 12 jobs are done" in answer.read().decode()
        terminal.type(CTRL_C)
        assert terminal.end() == 0
        assert "no longer served" in terminal.shown
