"""Machines that never join, alarms of dead ones, fleets that ended: said and not refilled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.compute import fleet
from distributed_something.aws.monitoring import alarms
from distributed_something.aws.session import Aws
from distributed_something.commands.watching.monitor import (
    MonitorState,
    Pace,
    RunProgress,
    monitor,
    step,
)
from distributed_something.errors import DistributedSomethingError
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.record import RunRecord, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.protocol.machine_alarm import PERIOD
from distributed_something.resources.table import take_inventory
from tests.lives import Life, answer, clients, open_life, put_alarm, refusing, watch_calls
from worker.environment import Pace as WorkerPace
from worker.machine.duties import Duties, DutyClients

EXPIRED = answer(403, b'{"__type":"ExpiredToken","message":"The security token has expired"}')
PACE = Pace(alarms_every=0.0)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with open_life(tmp_path_factory.mktemp("account"), CLUSTER_MACHINES=2) as life:
        life.set_up()
        yield life


@pytest.fixture
def life(account: Life) -> Iterator[Life]:
    """A run with two machines that have not joined, in an account that is emptied after it."""
    account.clock.time = time.time()
    account.submit("a", "b")
    yield account
    account.clock.during = lambda: None
    account.cancel()
    account.machines.joined.clear()
    account.set_up()


def look(life: Life, record: RunRecord, after: float = 0.0) -> RunProgress:
    """What one look sees `after` seconds from now."""
    life.clock.time += after
    state = MonitorState(began=0.0)
    return step(life.aws, record, state, pace=PACE, now=life.clock.now)[1]


def buy(life: Life) -> RunRecord:
    return life.buy(joins=False)


def machines_of(life: Life, record: RunRecord) -> set[str]:
    return set(fleet.fleet_members(life.aws.ec2, record.fleet_ids[0]))


def test_a_machine_that_joins_late_is_reported_and_not_ended(life: Life) -> None:
    record = buy(life)
    bought = machines_of(life, record)
    assert look(life, record, PACE.late_seconds - 60).note == ""
    seen = look(life, record, 120)
    assert seen.late == 2
    assert seen.note.startswith("Machines that do not join the cluster: 2. Likely it has no")
    look(life, record, PACE.hopeless_seconds - PACE.late_seconds - 120)
    assert machines_of(life, record) == bought
    assert RunLedger.of(life.aws.s3, record).machines.broken_machines() == set()
    life.tick()
    look(life, record, 3600)
    assert machines_of(life, record) == bought


@pytest.mark.parametrize("off", [-600.0, 600.0])
def test_a_machine_is_as_old_as_ec2s_own_clock_says(life: Life, off: float) -> None:
    record = buy(life)
    bought = machines_of(life, record)
    state = MonitorState(began=0.0)
    for after, left in ((PACE.hopeless_seconds - 60, bought), (120, set())):
        life.clock.time += after
        step(life.aws, record, state, pace=PACE, now=lambda: life.clock.time + off)
        assert machines_of(life, record) & bought == left


def test_no_machine_is_ended_for_not_joining_while_ecs_cannot_be_read(life: Life) -> None:
    record = buy(life)
    bought = machines_of(life, record)
    life.clock.time += PACE.hopeless_seconds + 60
    with refusing(life.aws.ecs, "DescribeClusters"):
        look(life, record)
    with refusing(life.aws.ecs, "ListContainerInstances"), pytest.raises(ClientError):
        look(life, record)
    gone = replace(record, cluster="no-such-cluster")
    look(life, gone)
    assert machines_of(life, record) == bought
    look(life, record)
    assert not machines_of(life, record) & bought


def test_a_machine_that_joined_and_never_ran_a_container_ends_in_the_end(life: Life) -> None:
    record = life.buy()
    idle, works = life.instances()
    life.aws.ecs.update_service(cluster="counting", service="CountingService", desiredCount=0)
    life.tick()
    put_alarm(life.aws, f"Counting_{works}")  # a worker was there, and made it
    look(life, record, PACE.hopeless_seconds - 60)
    assert {idle, works} <= machines_of(life, record)
    look(life, record, 120)
    assert idle not in machines_of(life, record)
    assert works in machines_of(life, record)


def test_no_alarm_is_made_before_a_worker_reports(life: Life) -> None:
    with watch_calls(life.aws) as calls:
        record = buy(life)
        look(life, record, PACE.hopeless_seconds + 60)
    assert "PutMetricAlarm" not in calls


def test_machines_that_never_join_are_replaced_three_times_and_then_the_run_stops(
    life: Life,
) -> None:
    record = buy(life)
    bought: set[str] = set()
    for _ in range(6):
        bought |= machines_of(life, record)
        look(life, record, PACE.hopeless_seconds + 60)
    assert len(bought) == 2 + 3
    assert RunLedger.of(life.aws.s3, record).machines.broken_machines() == bought
    assert fleet.describe_fleet(life.aws.ec2, record.fleet_ids[0]).target == 0
    assert "did not join" in RunLedger.of(life.aws.s3, record).why_stopped()


def test_the_alarms_of_dead_machines_go_in_batches_and_those_of_live_ones_stay(
    life: Life,
) -> None:
    record = life.buy()
    live = life.instances()
    names = [f"i-{number:017x}" for number in range(250)]
    for name in [*names, *live]:
        put_alarm(life.aws, f"{record.app_name}_{name}")
    put_alarm(life.aws, f"{record.app_name}_x_i-0123456789abcdef0")
    with watch_calls(life.aws) as calls:
        look(life, record)
    assert calls.count("DeleteAlarms") == 3
    assert set(alarms.find_machine_alarms(life.aws.cloudwatch, record.app_name)) == set(live)
    assert f"alarm {record.app_name}_x_i-0123456789abcdef0" in take_inventory(life.aws)
    alarms.delete_alarms(life.aws.cloudwatch, [f"{record.app_name}_x_i-0123456789abcdef0"])


def test_a_fleet_that_ended_with_jobs_left_ends_the_wait_and_keeps_the_jobs(life: Life) -> None:
    record = life.buy()
    fleet.cancel_fleet(life.aws.ec2, record.fleet_ids[0])
    with pytest.raises(DistributedSomethingError, match=r"goes on with them; .*cancel") as error:
        monitor(life.aws, record, folder=life.folder, **life.times)
    assert "while jobs remain" in str(error.value)
    assert look(life, record).waiting == 2
    again = life.buy()
    held = [life.take(again, life.instances()[0]) for _ in range(2)]
    life.clock.during = life.tick
    life.finish(again, *held)
    outcome = monitor(life.aws, again, folder=life.folder, **life.times)
    assert outcome.is_complete
    life.set_up()


def test_new_clients_are_made_when_the_credentials_have_run_out(life: Life) -> None:
    record = life.buy()
    held = [life.take(record, life.instances()[0]) for _ in range(2)]
    stale = replace(life.aws)
    made: list[Aws] = []
    life.clock.during = lambda: expire(stale, life)

    def reconnect() -> Aws:
        life.clock.during = life.tick
        life.finish(record, *held)
        made.append(replace(life.aws))
        return made[-1]

    outcome = monitor(
        stale,
        record,
        folder=life.folder,
        reconnect=reconnect,
        **life.times,
    )
    assert len(made) == 1
    assert outcome.summary.done == 2
    life.set_up()


def expire(stale: Aws, life: Life) -> None:
    """From now on these clients' token is refused."""
    for client in clients(stale):
        client.meta.events.register("before-send", lambda **_: EXPIRED)
    life.clock.during = life.tick


def test_when_the_monitor_is_killed_for_good_no_machine_is_left(life: Life) -> None:
    record = life.buy()
    life.finish(record, *[life.take(record, name) for name in life.instances()])
    left_alone(life, record, minutes=25)
    assert fleet.describe_fleet(life.aws.ec2, record.fleet_ids[0]).target == 0
    assert not any(one.startswith("machine ") for one in take_inventory(life.aws))


def test_when_a_purchase_was_never_written_down_no_machine_is_left_either(life: Life) -> None:
    record = life.buy()
    life.finish(record, *[life.take(record, name) for name in life.instances()])
    fleets = tuple(replace(one, fleet_id="") for one in record.fleets)
    save_record(life.aws.s3, replace(record, fleets=fleets), life.folder)
    left_alone(life, record, minutes=8)
    assert fleet.describe_fleet(life.aws.ec2, record.fleet_ids[0]).target == 0
    assert not any(one.startswith("machine ") for one in take_inventory(life.aws))


def left_alone(life: Life, record: RunRecord, minutes: int) -> None:
    """What happens by itself: workers do their duties, alarms end machines, the fleet refills."""
    workers: dict[str, Duties] = {}
    for _ in range(minutes):
        life.tick()
        for name in machines_of(life, record):
            if name not in workers:
                workers[name] = make_duties(life, record, name)
                workers[name].begin()
            workers[name].do()
        life.clock.time += PERIOD


def make_duties(life: Life, record: RunRecord, instance_id: str) -> Duties:
    """What a worker on a machine does besides jobs, with the environment that ECS gives it."""
    aws = life.aws
    task = aws.ecs.describe_task_definition(taskDefinition=record.task_family)["taskDefinition"]
    variables = {
        one["name"]: one["value"] for one in task["containerDefinitions"][0]["environment"]
    }
    return Duties(
        DutyClients(cloudwatch=aws.cloudwatch, ec2=aws.ec2, s3=aws.s3, sqs=aws.sqs),
        WorkerEnvironment.from_environment(variables),
        instance_id,
        lambda: 0,
        life.folder,
        idle_seconds=WorkerPace().idle_seconds,
        now=life.clock.now,
    )
