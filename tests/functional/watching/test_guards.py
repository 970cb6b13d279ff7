"""MAX_COST and MAX_HOURS: the monitor stops the run in good order and says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.commands.watching.guards import ends_by
from distributed_something.commands.watching.monitor import Pace, RunProgress, monitor
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.run.machine_book import read_machine_book
from tests.account import simulated_ec2
from tests.lives import Life, open_life, refusing

PACE = Pace(look_every=60.0)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """Two machines at $0.06 an hour each; simulated machines have no public addresses."""
    with open_life(tmp_path, CLUSTER_MACHINES=2, MAX_COST=0.02, MAX_HOURS=10) as life:
        prices = simulated_ec2().spot_prices
        for zone in "abcdef":
            prices["m5.xlarge", f"us-east-1{zone}"] = [(0.0, 0.06)]
        life.set_up()
        yield life


def test_a_run_that_costs_too_much_takes_no_more_jobs_and_ends_when_the_last_is_done(
    life: Life,
) -> None:
    life.submit("a", "b", "c")
    record = life.buy()
    held = [life.take(record, machine) for machine in life.instances()]
    seen: list[RunProgress] = []

    def work() -> None:
        """Both jobs end once the run has been stopped."""
        if held and seen and "MAX_COST" in seen[-1].note:
            life.finish(record, *held)
            held.clear()
        life.tick()

    life.clock.during = work
    began = life.clock.now()
    outcome = monitor(life.aws, record, on_progress=seen.append, **common(life))
    assert "it has cost $0.02, and MAX_COST is $0.02" in outcome.stopped
    assert not outcome.is_complete
    assert (outcome.summary.done, outcome.unfinished.count) == (2, 1)
    assert outcome.unfinished.path and outcome.unfinished.path.is_file()
    stopped = next(one.time for one in seen if "MAX_COST" in one.note)
    # $0.02 / (2 x ($0.06 + 30 GiB x $0.08 / 720 h)) = 0.1579 h
    assert 568 <= stopped - began < 568 + 2 * PACE.look_every
    book = read_machine_book(RunLedger.of(life.aws.s3, record))
    assert {one.instance_type for one in book.machines.values()} == {"m5.xlarge"}
    assert {one.disk_gib for one in book.machines.values()} == {30}


def test_jobs_that_go_on_for_too_long_after_it_are_ended(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    life.take(record, life.instances()[0])
    life.clock.during = life.tick
    seen: list[RunProgress] = []
    outcome = monitor(life.aws, record, on_progress=seen.append, **common(life))
    assert "MAX_COST" in outcome.stopped
    assert outcome.unfinished.count == 1
    stopped = [one.time for one in seen if "MAX_COST" in one.note]
    # The idle machine was given back; $0.002 more are 114 s of the other's.
    assert 114 - PACE.look_every <= stopped[-1] - stopped[0] <= 114 + PACE.look_every


def test_before_the_machines_end_by_themselves_no_more_jobs_are_begun(life: Life) -> None:
    life.settings = life.settings.model_copy(update={"max_cost": 0.0})
    life.submit("a", "b")
    record = life.buy()
    until = ends_by(record)
    assert until is not None and abs(until - life.clock.now() - 36000) < 5
    held = [life.take(record, life.instances()[0])]
    life.clock.during = life.tick
    assert look_once(life, record)["note"] == ""
    life.clock.time = until - 901
    assert look_once(life, record)["note"] == ""
    life.clock.time = until - 890
    said = str(look_once(life, record)["note"])
    assert "its machines end in 15 minutes, when MAX_HOURS are over" in said
    life.finish(record, *held)
    answers = [look_again(life, record) for _ in range(5)]
    assert answers[-1] == {"over": True}


def test_where_nobody_may_read_prices_the_most_that_machines_cost_is_counted(life: Life) -> None:
    life.submit("a", "b")
    record = life.buy()
    life.clock.during = life.tick
    with refusing(life.aws.ec2, "DescribeSpotPriceHistory"):
        assert look_once(life, record)["note"] == ""
        life.clock.sleep(300)
        assert look_once(life, record)["note"] == ""
        life.clock.sleep(60)  # $0.02 / (2 x ($0.10 + $0.0033)) = 348 s
        assert "MAX_COST is $0.02" in str(look_once(life, record)["note"])


def test_where_nothing_tells_what_machines_cost_it_is_said_and_their_time_is_kept(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    life.settings = life.settings.model_copy(update={"machine_price": None, "max_cost": 99.0})
    life.submit("a")
    record = life.buy()
    until = ends_by(record)
    assert until is not None
    with refusing(life.aws.ec2, "DescribeSpotPriceHistory"):
        look_once(life, record)
        assert "MAX_COST cannot be enforced: the cost of 2 machines is unknown" in caplog.text
        life.clock.time = until - 890
        assert "MAX_HOURS are over" in str(look_once(life, record)["note"])


def test_a_book_that_cannot_be_read_ends_no_watch(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    life.aws.s3.put_object(Bucket=record.bucket, Key=record.keys.machine_book, Body=b"[1]")
    look_once(life, record)
    book = read_machine_book(RunLedger.of(life.aws.s3, record))
    assert len(book.machines) == 2


def common(life: Life) -> dict[str, Any]:
    return {"folder": life.folder, "pace": PACE, **life.times}


def look_once(life: Life, record: RunRecord) -> dict[str, object]:
    """One look as the Lambda takes it."""
    deadline = life.clock.now() + 600
    return watch_once(life.aws, RunLedger.of(life.aws.s3, record), deadline=deadline, **life.times)


def look_again(life: Life, record: RunRecord) -> dict[str, object]:
    life.clock.sleep(60)
    return look_once(life, record)
