"""A fleet of type `request`, which AWS lets nobody change: it is left as it is, and ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.commands.watching.monitor import monitor
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.resources.table import take_inventory, what_stays
from tests.account import simulated_ec2, write_fleet_file
from tests.lives import Held, Life, open_life, watch_calls


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path, CLUSTER_MACHINES=3) as life:
        yield life


def buy(life: Life) -> RunRecord:
    path = write_fleet_file(life.aws, life.folder, Type="request")
    record = start_cluster(life.aws, life.settings, path, folder=life.folder, **life.times)
    life.tick()
    return record


@pytest.mark.slow
def test_a_fleet_of_type_request_is_never_changed_and_its_run_ends_as_any_other(life: Life) -> None:
    before = take_inventory(life.aws)
    life.set_up()
    life.submit("a", "b")
    record = buy(life)
    busy, done_soon, _ = life.instances()
    held: list[Held] = [life.take(record, busy), life.take(record, done_soon)]
    there: list[set[str]] = []

    def go_on() -> None:
        life.tick()
        there.append(set(life.instances()))
        if len(there) == 2:
            life.finish(record, held[1])
        if len(there) == 12:
            life.finish(record, held[0])
        elif len(there) < 12:
            life.beat(record, busy, held[0].job)

    life.clock.during = go_on
    with watch_calls(life.aws) as calls:
        outcome = monitor(life.aws, record, folder=life.folder, **life.times)
    assert outcome.summary.done == 2 and outcome.is_complete
    assert "ModifySpotFleetRequest" not in calls
    assert there[11] == {busy}, "machines without work were given back, and not bought again"
    (fleet,) = simulated_ec2().spot_fleets.values()
    assert fleet.config["Type"] == "request" and fleet.state == "cancelled"
    assert take_inventory(life.aws) - before <= what_stays(outcome.record)
