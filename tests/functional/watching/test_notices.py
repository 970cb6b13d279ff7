"""People are told once when a run has ended and when it does not go on, whoever watches it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends

from distributed_something.commands.reading.retry import retry
from distributed_something.commands.runs.runs import refresh
from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.commands.watching.monitor import Pace, monitor
from distributed_something.commands.watching.notices import tell_end, tell_stall
from distributed_something.errors import DistributedSomethingError, UsageError
from distributed_something.local.simulator import ACCOUNT, REGION
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.builders import settings
from tests.lives import Life, add_lambda, handling, open_life, refusing

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:Counting_notices"
PACE = Pace(export_seconds=0.0)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path, NOTIFY_EMAIL="ada@example.org") as life:
        life.set_up()
        yield life


def told(topic: str = TOPIC) -> list[tuple[str, str]]:
    """The subject and text of every message that was sent to a topic."""
    sent = sns_backends[ACCOUNT][REGION].topics[topic].sent_notifications
    return [(one[2] or "", one[1]) for one in sent]


def begun(life: Life, *names: str) -> RunRecord:
    life.submit(*names)
    return life.buy()


def watched(life: Life, record: RunRecord) -> Any:
    life.clock.during = life.tick
    return monitor(life.aws, record, folder=life.folder, pace=PACE, **life.times)


def call(life: Life, record: RunRecord, minutes: float = 2.0) -> dict[str, Any]:
    """What the schedule does every other minute."""
    life.clock.time += 60 * minutes
    life.tick()
    return watch_once(
        life.aws,
        RunLedger.of(life.aws.s3, record),
        deadline=life.clock.time + 600,
        **life.times,
    )


def finish_all(life: Life, record: RunRecord, count: int) -> None:
    for number in range(count):
        instance = life.instances()[number % len(life.instances())]
        life.finish(record, life.take(record, instance))


def test_setup_makes_the_topic_and_asks_the_address_once(life: Life) -> None:
    life.set_up()
    found = life.aws.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    assert [one["Endpoint"] for one in found] == ["ada@example.org"]


def test_the_end_of_a_run_is_told_once_with_its_numbers(life: Life) -> None:
    record = begun(life, "a", "b", "c")
    assert record.topic == TOPIC
    finish_all(life, record, 3)
    watched(life, record)
    monitor(life.aws, record, folder=life.folder, pace=PACE, **life.times)
    (message,) = told()
    assert message[0] == "Counting: the run has ended, 3 of 3 jobs done"
    assert "done         3 of 3 jobs" in message[1]
    assert "cost         < $0.01" in message[1]
    assert "python run.py report" in message[1]
    assert "retry" not in message[1]


def test_the_lambda_tells_of_it_too_and_a_monitor_beside_it_does_not_again(life: Life) -> None:
    record = begun(life, "a")
    finish_all(life, record, 1)
    answers = [call(life, record) for _ in range(4)]
    assert answers[-1]["over"] is True
    watched(life, record)
    assert len(told()) == 1


def test_of_two_who_tell_the_same_only_the_first_is_heard(life: Life) -> None:
    record = begun(life, "a")
    for _ in range(2):
        tell_end(life.aws, record, life.clock.now())
        tell_stall(life.aws, record, "Why.", 3)
    assert len(told()) == 2


def hours_pass(record: RunRecord, what: str) -> None:
    """By the bucket's clock, since something was claimed."""
    key = record.keys.notice(what)
    stored = s3_backends[ACCOUNT]["aws"].get_object(record.bucket, key)
    assert stored is not None
    stored.last_modified -= timedelta(hours=2)


@contextmanager
def killed_at(client: Any, operation: str, *, after: bool) -> Iterator[None]:
    """The process is ended right before or right after AWS does one operation."""

    def end(**_: Any) -> None:
        raise KeyboardInterrupt

    with (
        handling([client], f"{'after' if after else 'before'}-call.*.{operation}", end),
        pytest.raises(KeyboardInterrupt),
    ):
        yield


def end_by_lambda(life: Life, record: RunRecord) -> None:
    while not call(life, record).get("over"):
        pass


@pytest.mark.parametrize("after", [False, True])
def test_a_lambda_that_is_ended_on_its_way_to_tell_tells_at_its_next_call(
    tmp_path: Path, after: bool
) -> None:
    with open_life(tmp_path, NOTIFY_EMAIL="ada@example.org", AUTO_MONITOR="True") as life:
        add_lambda(life.aws)
        life.set_up()
        record = begun(life, "a")
        finish_all(life, record, 1)
        with killed_at(life.aws.sns, "Publish", after=after):
            end_by_lambda(life, record)
        ended = refresh(life.aws, record)
        assert (ended.is_live, ended.notice_due) == (False, True)
        assert len(told()) == (1 if after else 0)
        # It has claimed the notice a moment ago, and may yet send it.
        assert call(life, record) == {"over": True, "told": False}
        assert f"schedule {record.schedule}" in take_inventory(life.aws)
        hours_pass(record, "end")
        assert call(life, record) == {"over": True}
        assert len(told()) == (2 if after else 1)  # rather twice than never
        assert not refresh(life.aws, record).notice_due
        assert not any(one.startswith("schedule ") for one in take_inventory(life.aws))
        watched(life, record)
        assert len(told()) == (2 if after else 1)


def test_a_monitor_that_is_killed_before_it_has_told_tells_when_it_is_run_again(
    life: Life,
) -> None:
    record = begun(life, "a")
    finish_all(life, record, 1)
    with killed_at(life.aws.sns, "Publish", after=False):
        watched(life, record)
    assert told() == []
    hours_pass(record, "end")
    watched(life, refresh(life.aws, record))
    assert len(told()) == 1
    assert not refresh(life.aws, record).notice_due


def test_one_who_may_not_tell_is_not_called_for_ever(tmp_path: Path) -> None:
    with open_life(tmp_path, NOTIFY_EMAIL="ada@example.org", AUTO_MONITOR="True") as life:
        add_lambda(life.aws)
        life.set_up()
        record = begun(life, "a")
        finish_all(life, record, 1)
        with refusing(life.aws.sns, "Publish"):
            end_by_lambda(life, record)
        assert not any(one.startswith("schedule ") for one in take_inventory(life.aws))


def test_a_stopped_run_is_told_with_its_reason(life: Life) -> None:
    record = begun(life, "a", "b")
    finish_all(life, record, 1)
    RunLedger.of(life.aws.s3, record).stop("MAX_COST is reached.")
    watched(life, record)
    ((subject, text),) = told()
    assert subject == "Counting: the run was stopped, 1 of 2 jobs done"
    assert "It was stopped: MAX_COST is reached." in text
    assert "python run.py retry, then startCluster" in text


def test_a_run_that_is_cancelled_is_told_once_with_what_is_left_over(life: Life) -> None:
    record = begun(life, "a", "b", "c")
    finish_all(life, record, 1)
    life.clock.during = life.tick
    life.cancel()
    watched(life, refresh(life.aws, record))  # as one who watched it beside the cancel
    life.cancel()
    ((subject, text),) = told()
    assert subject == "Counting: the run was cancelled, 1 of 3 jobs done"
    assert "unfinished   2" in text
    assert "cost         < $0.01" in text


def test_a_cancel_ends_all_though_nobody_can_be_told(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    record = begun(life, "a")
    life.clock.during = life.tick
    with refusing(life.aws.sns, "Publish"):
        life.cancel()
    assert "The mail about the run's end could not be sent" in caplog.text
    assert not refresh(life.aws, record).is_live


def test_a_run_that_goes_on_after_its_end_is_told_of_at_its_next_end(life: Life) -> None:
    begun(life, "a")
    life.clock.during = life.tick
    life.cancel()
    life.clock.time += 70  # a deleted queue's name is free again
    life.set_up()
    retry(life.aws, life.settings, folder=life.folder, sleep=life.clock.sleep)
    record = life.buy()
    finish_all(life, record, 1)
    watched(life, record)
    assert [subject for subject, _ in told()] == [
        "Counting: the run was cancelled, 0 of 1 jobs done",
        "Counting: the run has ended, 1 of 1 jobs done",
    ]


def test_a_run_that_does_not_go_on_is_told_once_for_each_standstill(life: Life) -> None:
    record = begun(life, "a", "b", "c")
    call(life, record)
    call(life, record, minutes=29)
    assert told() == []
    call(life, record)
    call(life, record, minutes=120)
    ((subject, text),) = told()
    assert subject == "Counting: the run is stalled"
    assert "3 jobs wait, and none has run for 31 minutes." in text
    finish_all(life, record, 1)
    call(life, record)
    call(life, record, minutes=31)
    assert len(told()) == 2


def test_a_run_at_work_is_no_standstill(life: Life) -> None:
    record = begun(life, "a", "b")
    life.take(record, life.instances()[0])
    for _ in range(3):
        life.beat(record, life.instances()[0], None)
        call(life, record, minutes=2)
    assert told() == []


def test_a_run_without_machines_is_told_at_once(life: Life) -> None:
    record = begun(life, "a")
    life.world.ec2.cancel_spot_fleet_requests(
        SpotFleetRequestIds=list(record.fleet_ids), TerminateInstances=True
    )
    with pytest.raises(DistributedSomethingError, match="No machine runs"):
        watched(life, record)
    ((_, text),) = told()
    assert "All spot fleets of Counting have ended" in text


def test_a_topic_of_ones_own_is_told_and_never_made(tmp_path: Path) -> None:
    with open_life(tmp_path, NOTIFY_TOPIC="lab") as life:
        life.set_up()
        assert "topic lab" not in take_inventory(life.aws)
        arn = life.world.sns.create_topic(Name="lab")["TopicArn"]
        record = begun(life, "a")
        assert record.topic == arn
        finish_all(life, record, 1)
        watched(life, record)
        assert len(told(arn)) == 1


def test_the_topic_stays_and_nothing_else_does(life: Life) -> None:
    before = take_inventory(life.aws)
    record = begun(life, "a")
    finish_all(life, record, 1)
    watched(life, record)
    left = take_inventory(life.aws)
    assert "topic Counting_notices" in before & left & what_stays(record)
    assert left - what_stays(record) <= before


def test_a_run_goes_on_and_ends_though_nobody_can_be_told(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    with refusing(life.aws.sns, "CreateTopic"):
        assert begun(life, "a").topic == ""
    assert "NOTIFY_EMAIL will get no mail" in caplog.text
    record = life.buy()
    finish_all(life, record, 1)
    with refusing(life.aws.sns, "Publish"):
        watched(life, record)
    assert "The mail about the run's end could not be sent" in caplog.text


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"NOTIFY_EMAIL": "ada"}, "must be a mail address"),
        ({"NOTIFY_TOPIC": "a topic"}, "must be an SNS topic's ARN or name"),
        ({"NOTIFY_EMAIL": "a@b.org", "NOTIFY_TOPIC": "lab"}, "set only one"),
    ],
)
def test_what_cannot_be_told_is_refused_in_the_config(
    constants: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        settings(**constants)


def test_unset_is_nobody() -> None:
    assert settings(NOTIFY_EMAIL="", NOTIFY_TOPIC="False").notify_topic == ""
