"""`status` and `logs` of a run that goes on: every job counted once, machines, money, lines."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from rich.console import Console

from distributed_something.aws.monitoring.log_lines import LogLine
from distributed_something.cli.screens.status_screen import (
    MOST_MACHINES,
    fitted_screen,
    status_screen,
)
from distributed_something.commands.reading.job_logs import (
    follow,
    job_lines,
    lines_since,
    machine_lines,
    machine_lines_since,
    run_lines,
)
from distributed_something.commands.reading.report import make_report
from distributed_something.commands.reading.status import Status, status
from distributed_something.commands.runs.failed_jobs import failed_jobs
from distributed_something.commands.runs.runs import refresh
from distributed_something.commands.watching.monitor import MonitorState, Pace, step
from distributed_something.local.account import make_roles
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.attempts import Attempt, AttemptState
from distributed_something.protocol.ledger.facts import Heartbeat
from distributed_something.protocol.ledger.keys import new_attempt_id
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.account import simulated_ec2
from tests.answers import answering
from tests.builders import settings, write_config
from tests.clock import Clock
from tests.golden import check_golden, screen
from tests.lives import Life

DONE, FAILED, INTERRUPTED = AttemptState.DONE, AttemptState.FAILED, AttemptState.INTERRUPTED
STARTED = AttemptState.STARTED


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def cents(kind: str, price: float) -> None:
    """A spot price in every zone, that of all time."""
    for zone in "abcdef":
        simulated_ec2().spot_prices[kind, f"us-east-1{zone}"] = [(0.0, price)]


@pytest.fixture
def life(simulator: Simulator, tmp_path: Path) -> Life:
    """A run of 12 jobs on two machines, an hour ago by its own clock."""
    clock = Clock()
    simulator.empty(Rules(deleted_queue_seconds=0.0, clock=clock.now))
    aws = simulator.aws()
    aws.s3.create_bucket(Bucket="lab-data")
    make_roles(aws)
    cents("m5.xlarge", 0.0713)
    life = Life(aws, settings(MACHINE_PRICE=None, MAX_COST=5), tmp_path, clock)
    life.set_up()
    life.submit(*(f"plate-{number}" for number in range(12)))
    return life


def put(life: Life, key: str, body: bytes = b"x") -> None:
    life.world.s3.put_object(Bucket="lab-data", Key=key, Body=body)


def attempt(
    life: Life,
    record: RunRecord,
    number: int,
    state: AttemptState,
    *,
    machine: str = "i-1",
    minutes: int = 10,
    **facts: Any,
) -> str:
    """Write an attempt at job-<number>, so many minutes ago; returns the job's id."""
    job_id, name = f"{number:x}".rjust(20, "0"), f"plate-{number}"
    started = life.clock.now() - 60 * minutes
    one = Attempt(
        *(job_id, name, new_attempt_id(started), 1, state.value, machine, "s", started), **facts
    )
    ledger = RunLedger.of(life.world.s3, record)
    for each in {STARTED, state}:
        ledger.write_attempt(replace(one, state=each.value))
    return job_id


def beat(life: Life, record: RunRecord, machine: str, number: int) -> None:
    """A worker of a machine says that it has been at a job for 25 minutes."""
    job_id = attempt(life, record, number, STARTED, machine=machine, minutes=25)
    work = Heartbeat(job_id, f"plate-{number}", "a", life.clock.now() - 1500)
    RunLedger.of(life.world.s3, record).machines.write_heartbeat(machine, "s", work)


def make_progress(life: Life) -> RunRecord:
    """Of 12 jobs 4 done, 1 running, 2 failed, 1 interrupted, 1 vanished, 1 given up, 2 waiting."""
    record = life.buy()
    step(life.aws, record, MonitorState(began=0.0), pace=Pace(), now=life.clock.now)
    life.clock.time += 4830  # 80 minutes and a half: what takes seconds here changes none
    for number in range(4):
        put(life, record.keys.done(attempt(life, record, number, DONE)))
    beat(life, record, life.instances()[0], 4)
    reason = "The command ended with exit code 1."
    for number in (5, 6):
        attempt(life, record, number, FAILED, reason=reason, exit_code=1)
    attempt(life, record, 7, INTERRUPTED, reason="spot notice")
    attempt(life, record, 8, STARTED)
    given_up = attempt(life, record, 9, FAILED, reason=reason, exit_code=1)
    put(
        life,
        record.keys.dead(given_up),
        json.dumps({"job_id": given_up, "reason": reason}).encode(),
    )
    return record


def seen(life: Life, record: RunRecord) -> Status:
    return status(life.aws, record, now=life.clock.now)


def drawn(shown: Status, width: int = 100) -> str:
    """A screen as it is on a terminal of this width."""
    text = io.StringIO()
    Console(file=text, width=width, no_color=True).print(status_screen(shown), highlight=False)
    return text.getvalue()


def test_every_job_is_counted_once(life: Life) -> None:
    jobs = seen(life, make_progress(life)).jobs
    assert (jobs.submitted, jobs.done, jobs.running, jobs.dead) == (12, 4, 1, 1)
    assert (jobs.failed, jobs.interrupted, jobs.waiting) == (2, 2, 2)
    assert jobs.left == 7


def test_machines_say_what_they_are_at_and_since_when(life: Life) -> None:
    shown = seen(life, make_progress(life))
    worker = life.instances()[0]
    rows = {one.instance_id: one for one in shown.machines}
    assert {one.state for one in shown.machines} == {"works", "idle"}
    assert [(job.name, round(shown.now - job.since)) for job in rows[worker].jobs] == [
        ("plate-4", 1500)
    ]
    assert shown.target == 2


def test_money_is_what_the_machines_cost_by_the_price_history(life: Life) -> None:
    money = seen(life, make_progress(life)).money
    assert money is not None
    hour = 2 * (0.0713 + 30 * 0.08 / 720)
    # The machines were launched seconds before the time that passed on the run's clock.
    assert money.so_far == pytest.approx(hour * 4830 / 3600, rel=0.02)
    assert money.per_hour == pytest.approx(hour)
    assert money.expected is not None and money.expected > money.so_far
    assert (money.max_cost, money.capped, money.unpriced) == (5, 0, 0)


def test_the_screen_of_a_run_that_goes_on(life: Life) -> None:
    record = make_progress(life)
    text = drawn(seen(life, record))
    text = re.sub(r"[\d,]+ jobs an hour, about .* left", "N jobs an hour, about T left", text)
    text = re.sub(r"about \$[\d.]+ in the end", "about $N in the end", text)
    check_golden("status", text)


def test_the_screen_of_a_run_whose_machines_do_not_join(life: Life) -> None:
    record = life.buy(joins=False)
    life.clock.time += 630
    said = (
        "[   11.204215] cloud-init[2213]: Cloud-init v. 22.2.2 running 'modules:final'\r\n"
        '[   14.020871] ecs[2450]: level=error msg="Unable to register as a container instance"\n'
    )
    with answering(life.aws.ec2, "GetConsoleOutput", lambda parsed: parsed.update(Output=said)):
        check_golden("status_stuck", drawn(seen(life, record)))


def test_the_way_to_log_in_is_shown_where_there_is_one(life: Life) -> None:
    record = make_progress(life)

    def give_addresses(parsed: dict[str, Any]) -> None:
        for reservation in parsed["Reservations"]:
            for machine in reservation["Instances"]:
                machine |= {"PublicIpAddress": "203.0.113.7", "KeyName": "lab"}

    with answering(life.aws.ec2, "DescribeInstances", give_addresses):
        with_key = status(life.aws, record, "lab.pem", now=life.clock.now)
        without = status(life.aws, record, "", now=life.clock.now)
    assert {one.ssh for one in with_key.machines} == {"ssh -i lab.pem ec2-user@203.0.113.7"}
    assert {one.ssh for one in without.machines} == {""}
    assert "ssh -i lab.pem ec2-user@203.0.113.7" in drawn(with_key)


def test_many_machines_are_counted_by_type_and_zone(life: Life) -> None:
    shown = seen(life, make_progress(life))
    idle = next(one for one in shown.machines if one.state == "idle")
    many = tuple(replace(idle, instance_id=f"i-{n}") for n in range(MOST_MACHINES + 1))
    text = drawn(replace(shown, machines=many))
    assert re.search(rf"m5\.xlarge +us-east-1\w +{MOST_MACHINES + 1} +idle", text)
    assert "i-7" not in text


def test_at_80x24_money_and_why_stand_above_as_many_machines_as_fit(life: Life) -> None:
    found = seen(life, make_progress(life))
    many = replace(
        found, machines=tuple(replace(found.machines[0], instance_id=f"i-{n}") for n in range(30))
    )
    for shown in (found, many):
        text = io.StringIO()
        console = Console(file=text, width=80, height=24, no_color=True)
        console.print(fitted_screen(shown, console))
        lines = text.getvalue().splitlines()
        assert len(lines) < 24
        (money,) = (place for place, line in enumerate(lines) if line.startswith("Money:"))
        (machines,) = (place for place, line in enumerate(lines) if line.startswith("Machines:"))
        assert money < machines


def test_the_screen_fits_narrow_terminals(life: Life) -> None:
    lines = drawn(seen(life, make_progress(life)), width=60).splitlines()
    assert max(len(line) for line in lines) <= 60


def test_a_job_given_up_without_a_failed_attempt_has_the_reason_of_its_mark(life: Life) -> None:
    record = life.record()
    vanished = attempt(life, record, 1, STARTED)
    interrupted = attempt(life, record, 2, INTERRUPTED, reason="spot notice")
    unreadable = "f" * 20
    why = "3 attempts failed or disappeared, 3 of them disappeared."
    for job_id, reason in (
        (vanished, why),
        (interrupted, why),
        (unreadable, "The message is no JSON."),
    ):
        mark = json.dumps({"job_id": job_id, "reason": reason}).encode()
        put(life, record.keys.dead(job_id), mark)
    ledger = RunLedger.of(life.aws.s3, record)
    survey = ledger.survey()
    told = {one.name: (one.state, one.reason) for one in failed_jobs(ledger, survey)}
    assert told == {
        "plate-1": ("dead", why),
        "plate-2": ("dead", why),
        unreadable: ("dead", "The message is no JSON."),
    }
    groups = make_report(life.aws, record, now=life.clock.now).failures
    assert {one.reason: one.given_up for one in groups} == {why: 2, "The message is no JSON.": 1}


def write_lines(life: Life, group: str, stream: str, *lines: str) -> None:
    logs = life.world.logs
    told: Any = [{"timestamp": int(life.clock.now() * 1000), "message": one} for one in lines]
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    if not logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=told)


def test_a_log_is_followed_until_its_job_is_over_and_no_line_is_told_twice(life: Life) -> None:
    record = life.record()
    write_lines(life, "Counting", "plate-1", "first", "second")
    write_lines(life, "Counting", "plate-2", "another's")
    looks = 0

    def is_over() -> bool:
        nonlocal looks
        looks += 1
        if looks == 2:
            write_lines(life, "Counting", "plate-1", "third")
        return looks == 3

    look = lines_since(life.aws, record, "plate-1")
    told = follow(look, is_over, since=record.started, sleep=life.clock.sleep)
    assert [line.text for line in told] == ["first", "second", "third"]


def test_a_machines_log_is_found_by_its_id(life: Life) -> None:
    record = life.buy()
    group = "Counting_perInstance"
    write_lines(life, group, "Counting/worker/1", "2 loops on i-0a1 for Counting.", "of i-0a1")
    write_lines(life, group, "Counting/worker/2", "2 loops on i-0b2 for Counting.", "other")
    told = machine_lines(life.aws, record, "i-0a1")
    assert [line.text for line in told] == ["2 loops on i-0a1 for Counting.", "of i-0a1"]
    assert list(machine_lines(life.aws, record, "i-0c3")) == []


def test_a_machines_log_is_followed_through_containers_that_begin_later(life: Life) -> None:
    record = life.buy()
    group = "Counting_perInstance"
    write_lines(life, group, "Counting/worker/1", "2 loops on i-0a1 for Counting.", "took a job")
    looks = 0

    def is_over() -> bool:
        nonlocal looks
        looks += 1
        if looks == 2:
            write_lines(life, group, "Counting/worker/1", "ended")
            write_lines(life, group, "Counting/worker/2", "mounted", "2 loops on i-0a1")
        return looks == 3

    look = machine_lines_since(life.aws, record, "i-0a1", now=life.clock.now)
    told = follow(look, is_over, since=record.started, sleep=life.clock.sleep)
    first = ["2 loops on i-0a1 for Counting.", "took a job"]
    assert [line.text for line in told] == [*first, "ended", "mounted", "2 loops on i-0a1"]


@pytest.mark.parametrize("what", ["machine", "job that nobody takes"])
def test_a_log_is_followed_until_its_run_ends(
    life: Life, simulator: Simulator, tmp_path: Path, what: str
) -> None:
    life.buy()
    machine = life.instances()[0]
    write_lines(life, "Counting_perInstance", "Counting/worker/1", f"of {machine}")
    write_lines(life, "Counting", "plate-1", "of plate-1")
    write_config(tmp_path)
    whose = ["--machine", machine] if what == "machine" else ["plate-1"]
    end = Timer(6, life.cancel)
    end.start()
    code, out, text = screen(["logs", *whose, "--follow"], tmp_path, simulator.environment)
    end.join()
    assert (code, out) == (0, f"of {whose[-1]}\n"), text


def test_a_run_that_has_ended_shows_no_line_of_a_later_run(life: Life) -> None:
    def text(lines: Iterator[LogLine]) -> list[str]:
        return [line.text for line in lines]

    records = []
    for words in ("first", "second"):
        life.set_up()
        life.submit("plate-1")
        write_lines(life, "Counting", "plate-1", words)
        write_lines(life, "Counting_perInstance", "Counting/worker/1", f"{words} on i-0a1")
        records.append(life.record())
        life.cancel()
        life.clock.time += 600
    for record, words in zip(records, ("first", "second"), strict=True):
        over = refresh(life.aws, record)
        assert over.ended is not None
        assert text(job_lines(life.aws, over, "plate-1")) == [words]
        assert text(run_lines(life.aws, over)) == [words]
        assert text(machine_lines(life.aws, over, "i-0a1")) == [f"{words} on i-0a1"]
