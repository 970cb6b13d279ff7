"""How runs that upstream began end, its own workers played: they write no ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.cli.screens.monitor_lines import show_outcome
from distributed_something.commands.cancelling.cancel import cancel, list_resources
from distributed_something.commands.runs.runs import choose_run
from distributed_something.commands.watching.monitor import (
    MonitorOutcome,
    RunProgress,
    find_watched,
    monitor,
)
from distributed_something.errors import NotFound
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.record import read_record_file
from distributed_something.resources.table import take_inventory
from tests.builders import settings
from tests.clock import Clock
from tests.lives import Life

from .begun import DEAD_LETTERS, UpstreamRun
from .test_lives import begin, buy, messages


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Simulator]:
    with Simulator(
        rules=Rules(deleted_queue_seconds=0.0, unseen_uses=0, is_throttled=False, clock=clock.now)
    ) as simulator:
        yield simulator


@pytest.fixture
def begun(simulator: Simulator, tmp_path: Path) -> UpstreamRun:
    """A run of four jobs, with its machines."""
    begun = begin(simulator, tmp_path, "Something")
    begun.set_up()
    begun.submit(messages(4))
    buy(begun)
    return begun


def life_of(begun: UpstreamRun, clock: Clock) -> Life:
    life = Life(begun.aws, settings(**begun.config), begun.folder / "files", clock)
    clock.during = life.tick
    life.tick()
    return life


def take(begun: UpstreamRun, count: int, seconds: int = 60) -> list[str]:
    """Receive jobs as workers do, one by one; their receipts."""
    return [
        begun.aws.sqs.receive_message(QueueUrl=begun.queue_url, VisibilityTimeout=seconds)[
            "Messages"
        ][0]["ReceiptHandle"]
        for _ in range(count)
    ]


def finish(begun: UpstreamRun, count: int) -> None:
    """Do jobs as upstream's workers do: the message is deleted, nothing is written down."""
    for receipt in take(begun, count):
        begun.aws.sqs.delete_message(QueueUrl=begun.queue_url, ReceiptHandle=receipt)


def watch(begun: UpstreamRun, life: Life, finish_first: int = 0) -> MonitorOutcome:
    """Watch the run to its end; after the first look so many jobs are done."""
    left = finish_first

    def work(_: RunProgress) -> None:
        nonlocal left
        finish(begun, left)
        left = 0

    record = read_record_file(begun.monitor_file)
    return monitor(begun.aws, record, folder=life.folder, on_progress=work, **life.times)


def said(outcome: MonitorOutcome, capsys: pytest.CaptureFixture[str]) -> str:
    show_outcome(outcome)
    return " ".join(capsys.readouterr().err.split())


def test_jobs_that_no_ledger_tells_of_are_counted_by_their_queue(
    begun: UpstreamRun, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = watch(begun, life_of(begun, clock), finish_first=4)
    assert outcome.is_complete
    assert "4 done, 0 in the dead-letter queue, 0 not done, of 4 jobs" in said(outcome, capsys)


def test_jobs_that_were_dead_lettered_are_not_counted_as_done(
    begun: UpstreamRun, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    life = life_of(begun, clock)
    dead = begun.aws.sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
    begun.aws.sqs.send_message(QueueUrl=dead, MessageBody="another app's")
    left = [3]

    def work(_: RunProgress) -> None:
        if left:
            finish(begun, left.pop())
            (receipt,) = take(begun, 1)
            begun.aws.sqs.send_message(QueueUrl=dead, MessageBody="given up")
            begun.aws.sqs.delete_message(QueueUrl=begun.queue_url, ReceiptHandle=receipt)

    record = read_record_file(begun.monitor_file)
    outcome = monitor(begun.aws, record, folder=life.folder, on_progress=work, **life.times)
    assert "3 done, 1 in the dead-letter queue, 0 not done, of 4 jobs" in said(outcome, capsys)


def test_a_run_whose_queue_is_empty_already_is_ended_and_its_jobs_are_not_counted_as_none(
    begun: UpstreamRun, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(begun, 4)
    outcome = watch(begun, life_of(begun, clock))
    assert not begun.aws.sqs.list_queues(QueueNamePrefix=begun.queue).get("QueueUrls")
    shown = said(outcome, capsys)
    assert "its queue was empty, so its jobs could not be counted" in shown
    assert "0 jobs" not in shown
    assert outcome.is_complete


def test_the_alarms_and_the_dashboard_that_upstream_made_are_removed(
    begun: UpstreamRun, clock: Clock
) -> None:
    begun.aws.cloudwatch.put_dashboard(DashboardName="Thing2", DashboardBody='{"widgets": []}')
    life = life_of(begun, clock)
    begun.guard()
    named = {one.name for one in list_resources(begun.aws, life.settings, folder=life.folder)}
    alarms = {
        f"ApproximateNumberOfMessages{which}isZero_Thing" for which in ("Visible", "NotVisible")
    }
    assert alarms <= named
    assert "Thing" in named
    watch(begun, life, finish_first=4)
    kinds = [one for one in take_inventory(begun.aws) if one.split()[0] in ("alarm", "dashboard")]
    assert kinds == ["dashboard Thing2"]


@pytest.mark.parametrize("clean", ["True", "False"])
def test_an_older_monitor_file_leaves_the_dashboard_to_the_config(
    begun: UpstreamRun, clock: Clock, clean: str
) -> None:
    old = json.JSONDecoder().raw_decode(begun.monitor_file.read_text())[0]
    assert "CLEAN_DASHBOARD" not in old
    begun.monitor_file.write_text(json.dumps(old))
    begun.aws.s3.delete_object(Bucket="lab-data", Key=f"monitors/{begun.monitor_file.name}")
    life = life_of(begun, clock)
    own = settings(**{**begun.config, "CLEAN_DASHBOARD": clean})
    cancel(begun.aws, own, folder=life.folder, **life.times)
    assert ("dashboard Thing" in take_inventory(begun.aws)) is (clean == "False")


def test_a_run_that_only_the_monitor_file_here_tells_of_is_cancelled_machines_and_all(
    begun: UpstreamRun, clock: Clock
) -> None:
    begun.aws.s3.delete_object(Bucket="lab-data", Key=f"monitors/{begun.monitor_file.name}")
    life = life_of(begun, clock)
    assert life.instances()
    ended = cancel(begun.aws, life.settings, folder=life.folder, **life.times)
    assert ended.unfinished.count == 4
    left = take_inventory(begun.aws)
    assert {one for one in left if one.split()[0] in ("fleet", "machine", "queue")} == {
        f"queue {DEAD_LETTERS}"
    }


@pytest.mark.parametrize("program", ["Something", "CellProfiler"])
def test_a_run_that_only_the_monitor_file_here_tells_of_is_watched_without_naming_it(
    simulator: Simulator, tmp_path: Path, clock: Clock, program: str
) -> None:
    begun = begin(simulator, tmp_path, program)
    begun.set_up()
    begun.submit(messages(4))
    buy(begun)
    begun.aws.s3.delete_object(Bucket="lab-data", Key=f"monitors/{begun.monitor_file.name}")
    life = life_of(begun, clock)
    with pytest.raises(NotFound):
        find_watched(begun.aws, life.settings, **life.times)
    record = find_watched(begun.aws, life.settings, folder=life.folder, **life.times)
    assert record.fleet_ids == (begun.fleet_id,)
    assert choose_run(begun.aws, life.settings, folder=life.folder).fleet_ids == record.fleet_ids
    finish(begun, 4)
    monitor(begun.aws, record, folder=life.folder, **life.times)
    left = take_inventory(begun.aws)
    assert {one for one in left if one.split()[0] in ("fleet", "machine", "queue")} == {
        f"queue {DEAD_LETTERS}"
    }
    ended = find_watched(begun.aws, life.settings, folder=life.folder, **life.times)
    assert not ended.is_live


def test_jobs_that_ran_come_back_before_the_queue_is_deleted(
    begun: UpstreamRun, clock: Clock
) -> None:
    life = life_of(begun, clock)
    take(begun, 2, seconds=60)
    ended = cancel(begun.aws, life.settings, folder=life.folder, **life.times)
    assert ended.unfinished.path is not None
    lines = ended.unfinished.path.read_text().splitlines()
    assert sorted(lines) == sorted(json.dumps(one) for one in messages(4))


def test_jobs_that_come_back_only_in_hours_are_not_waited_for_and_that_is_said(
    begun: UpstreamRun, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    begun.aws.sqs.set_queue_attributes(
        QueueUrl=begun.queue_url, Attributes={"VisibilityTimeout": "14400"}
    )
    life = life_of(begun, clock)
    take(begun, 1, seconds=14400)
    began = clock.now()
    ended = cancel(begun.aws, life.settings, folder=life.folder, **life.times)
    assert ended.unfinished.count == 3
    assert clock.now() - began < 300
    assert "1 job that ran when the machines were ended cannot be listed" in caplog.text


def test_jobs_of_a_queue_that_no_machine_was_bought_for_are_in_a_job_file(
    simulator: Simulator, tmp_path: Path, clock: Clock
) -> None:
    begun = begin(simulator, tmp_path, "Something")
    begun.set_up()
    begun.submit(messages(25))
    folder = tmp_path / "files"
    folder.mkdir()
    life = Life(begun.aws, settings(**begun.config), folder, clock)
    ended = cancel(begun.aws, life.settings, folder=folder, **life.times)
    assert ended.unfinished.count == 25
    assert ended.unfinished.path is not None
    assert len(ended.unfinished.path.read_text().splitlines()) == 25
