"""Machines that never join, alarms of dead ones, fleets that ended: said and not refilled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from distributed_something.aws.compute import fleet, instances
from distributed_something.aws.monitoring import alarms
from distributed_something.aws.session import Aws
from distributed_something.commands.watching.machine_care import guard_new
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
from distributed_something.protocol.machine_alarm import PERIOD, PERIODS
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
    state = MonitorState(began=0.0)
    moment = life.clock.time + after
    return step(life.aws, record, state, pace=PACE, now=lambda: moment)[1]


def buy(life: Life) -> RunRecord:
    return life.buy(joins=False)


def end_machines(life: Life, record: RunRecord) -> None:
    """What the alarms do, and the fleet after them."""
    ids = fleet.fleet_members(life.aws.ec2, record.fleet_ids[0])
    instances.terminate_instances(life.aws.ec2, ids)


def test_a_machine_that_does_not_join_is_said_to_and_gets_the_alarm_that_ends_it(
    life: Life,
) -> None:
    record = buy(life)
    assert look(life, record, PACE.late_seconds - 60).note == ""
    seen = look(life, record, PACE.late_seconds + 60)
    assert seen.late == 2
    assert seen.note.startswith("Machines that do not join the cluster: 2. Likely it has no")
    names = alarms.find_machine_alarms(life.aws.cloudwatch, record.app_name)
    bought = fleet.fleet_members(life.aws.ec2, record.fleet_ids[0])
    assert set(names) == set(bought)
    found = life.aws.cloudwatch.describe_alarms(AlarmNames=list(names.values()))["MetricAlarms"]
    assert {one["TreatMissingData"] for one in found} == {"breaching"}


def periods(life: Life) -> dict[str, int]:
    """For how many minutes each machine's alarm waits for a word."""
    found = life.aws.cloudwatch.describe_alarms()["MetricAlarms"]
    return {one["AlarmName"].rpartition("_")[2]: one["EvaluationPeriods"] for one in found}


def test_a_machine_has_an_alarm_from_the_purchase_on_though_nobody_watches(life: Life) -> None:
    record = buy(life)
    bought = fleet.fleet_members(life.aws.ec2, record.fleet_ids[0])
    assert periods(life) == dict.fromkeys(bought, 60)
    now = datetime.fromtimestamp(life.clock.time, timezone.utc)
    for name in bought:
        words = life.aws.cloudwatch.get_metric_statistics(
            Namespace="DistributedSomething",
            MetricName="BusySlots",
            Dimensions=[{"Name": "InstanceId", "Value": name}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        assert [word["Maximum"] for word in words] == [1.0]


@pytest.mark.parametrize("joins", [True, False])
def test_the_monitor_puts_the_common_alarm_in_the_place_of_the_patient_one(
    life: Life, joins: bool
) -> None:
    record = life.buy(joins=joins)
    life.aws.ecs.update_service(cluster="counting", service="CountingService", desiredCount=0)
    life.tick()
    look(life, record, PACE.late_seconds - 60)
    assert set(periods(life).values()) == {60}
    look(life, record, PACE.late_seconds + 60)
    assert set(periods(life).values()) == {15}


def test_an_alarm_that_a_worker_has_made_already_stays(life: Life) -> None:
    record = life.buy()
    name, other = life.instances()
    life.aws.cloudwatch.delete_alarms(AlarmNames=[f"Counting_{one}" for one in (name, other)])
    put_alarm(life.aws, f"Counting_{name}")
    guard_new(life.aws, record, record.fleet_ids[0], life.clock.time)
    assert periods(life) == {name: 15, other: 60}


def test_a_purchase_does_without_alarms_that_it_may_not_make(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    with refusing(life.aws.cloudwatch, "PutMetricAlarm"):
        record = life.buy()
    assert fleet.describe_fleet(life.aws.ec2, record.fleet_ids[0]).is_live
    assert "have no alarm yet" in caplog.text


def test_machines_that_do_not_join_are_replaced_three_times_and_then_the_run_stops(
    life: Life,
) -> None:
    record = buy(life)
    bought: set[str] = set()
    for _ in range(6):
        bought |= set(fleet.fleet_members(life.aws.ec2, record.fleet_ids[0]))
        look(life, record, PACE.late_seconds + 60)
        end_machines(life, record)
    assert len(bought) == 2 + 3
    assert RunLedger.of(life.aws.s3, record).broken_machines() == bought
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
    clock = [life.clock.time]
    workers: dict[str, Duties] = {}
    for _ in range(minutes):
        life.tick()
        for name in live_machines(life, record):
            if name not in workers:
                workers[name] = make_duties(life, record, name, clock)
                workers[name].begin()
            workers[name].do()
        clock[0] += PERIOD
        for name in live_machines(life, record):
            if in_alarm(life, name, clock[0]):
                instances.terminate_instances(life.aws.ec2, [name])


def live_machines(life: Life, record: RunRecord) -> list[str]:
    return fleet.fleet_members(life.aws.ec2, record.fleet_ids[0])


def in_alarm(life: Life, name: str, now: float) -> bool:
    """What CloudWatch finds: no busy slot in any period, and no word is as bad."""
    points = life.aws.cloudwatch.get_metric_statistics(
        Namespace="DistributedSomething",
        MetricName="BusySlots",
        Dimensions=[{"Name": "InstanceId", "Value": name}],
        StartTime=datetime.fromtimestamp(now - PERIOD * PERIODS, timezone.utc),
        EndTime=datetime.fromtimestamp(now, timezone.utc),
        Period=PERIOD,
        Statistics=["Maximum"],
    )["Datapoints"]
    return all(point["Maximum"] < 1 for point in points)


def make_duties(life: Life, record: RunRecord, instance_id: str, clock: list[float]) -> Duties:
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
        now=lambda: clock[0],
    )
