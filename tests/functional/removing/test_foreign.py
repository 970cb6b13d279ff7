"""What a job wrote into its run's record or its bucket turns no teardown against another's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.cancelling.cancel import cancel
from distributed_something.commands.removing.tear_down import tear_down
from distributed_something.commands.watching.monitor import monitor
from distributed_something.definitions.policies.roles import task_policy
from distributed_something.definitions.policies.scope import Scope
from distributed_something.protocol.ledger.keys import record_key
from distributed_something.protocol.ledger.record import RunRecord, find_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory
from distributed_something.run.machine_book import read_machine_book, write_machine_book
from tests.lives import Life, open_life

FOREIGN = {"distributed-something:app": "Other"}


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        life.set_up()
        yield life


def make_foreign(life: Life, record: RunRecord) -> dict[str, Any]:
    """Another app's queues, fleet, template and dashboard; what a record that names them says."""
    world: Any = life.world
    world.sqs.create_queue(QueueName="OtherJobs", tags=FOREIGN)
    world.sqs.create_queue(QueueName="Untagged")
    tags = [{"Key": key, "Value": value} for key, value in FOREIGN.items()]
    world.ec2.create_launch_template(
        LaunchTemplateName="others",
        LaunchTemplateData={"InstanceType": "m5.large"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )
    world.cloudwatch.put_dashboard(DashboardName="Others", DashboardBody='{"widgets": []}')
    fleets = json.loads(record.to_json())["fleets"]
    request = {
        "IamFleetRole": "arn:aws:iam::123456789012:role/aws-ec2-spot-fleet-tagging-role",
        "AllocationStrategy": "lowestPrice",
        "TargetCapacity": 1,
        "LaunchSpecifications": [{"ImageId": "ami-12c6146b", "InstanceType": "m5.large"}],
        "TagSpecifications": [{"ResourceType": "spot-fleet-request", "Tags": tags}],
    }
    fleet_id = world.ec2.request_spot_fleet(SpotFleetRequestConfig=request)["SpotFleetRequestId"]
    return {
        "fleets": [*fleets, {**fleets[0], "client_token": "others", "fleet_id": fleet_id}],
        "launch_templates": [*record.launch_templates, "others"],
        "dashboard": "Others",
        "CLEAN_DASHBOARD": "True",
        "schedule": "others",
    }


def tamper(life: Life, record: RunRecord, changes: dict[str, Any]) -> None:
    values = {**json.loads(record.to_json()), **changes}
    for key in (record_key(record.app_name), record.keys.record):
        body = json.dumps(values).encode()
        life.world.s3.put_object(Bucket=record.bucket, Key=key, Body=body)


def end(life: Life) -> None:
    """As the Lambda does, which knows of a run what the bucket says."""
    record = find_record(life.aws.s3, "lab-data", "Counting")
    assert record is not None
    tear_down(life.aws, record, folder=None, **life.times)


@pytest.mark.parametrize("remove", [end, Life.cancel])
@pytest.mark.parametrize("queue", ["OtherJobs", "Untagged"])
def test_a_tampered_record_has_nothing_foreign_removed(
    life: Life, remove: Callable[[Life], object], queue: str
) -> None:
    life.clock.during = life.tick
    record = life.buy()
    mine = take_inventory(life.world)
    changes = make_foreign(life, record)
    foreign = take_inventory(life.world) - mine
    assert len(foreign) >= 5
    tamper(life, record, {**changes, "MONITOR_QUEUE_NAME": queue})
    remove(life)
    assert foreign - take_inventory(life.world) == set()
    gone = mine - take_inventory(life.world)
    assert any("spot fleet" in one for one in gone)


def test_a_monitor_leaves_a_foreign_fleet_in_a_tampered_record_as_it_is(life: Life) -> None:
    life.submit("a", "b")
    record = life.buy()
    mine = take_inventory(life.world)
    changes = make_foreign(life, record)
    foreign = take_inventory(life.world) - mine
    fleet_id = changes["fleets"][-1]["fleet_id"]
    held = [life.take(record, name) for name in life.instances()[:2]]
    looks = 0

    def happen() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            tamper(life, record, changes)
        if looks == 4:
            life.finish(record, *held)
        life.tick()

    life.clock.during = happen
    monitor(life.aws, record, folder=life.folder, **life.times)
    assert foreign - take_inventory(life.world) == set()
    ask = life.world.ec2.describe_spot_fleet_requests
    (left,) = ask(SpotFleetRequestIds=[fleet_id])["SpotFleetRequestConfigs"]
    assert left["SpotFleetRequestState"] == "active"
    assert left["SpotFleetRequestConfig"]["TargetCapacity"] == 1


def test_a_tampered_ledger_has_nothing_foreign_ended_or_lowered(life: Life) -> None:
    """Each object that names machines names another app's: broken, closed, idle, in the book."""
    life.submit("a", "b")
    record = life.buy()
    mine = take_inventory(life.world)
    make_foreign(life, record)
    (machine,) = life.world.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)[
        "Instances"
    ]
    theirs, ledger = machine["InstanceId"], RunLedger.of(life.aws.s3, record)
    foreign = take_inventory(life.world) - mine
    assert f"machine {theirs}" in foreign
    held = [life.take(record, name) for name in life.instances()[:2]]
    looks = 0

    def happen() -> None:
        nonlocal looks
        looks += 1
        if looks in (1, 3):
            ledger.machines.write_broken_machine(theirs, "odd", life.clock.now())
            ledger.machines.write_closed_machines([theirs])
            ledger.machines.write_heartbeat(theirs, "0", None)
            book = read_machine_book(ledger)
            life_of_one = next(iter(book.machines.values()), None)
            if life_of_one is not None:
                named = replace(life_of_one, instance_id=theirs)
                write_machine_book(ledger, replace(book, machines={**book.machines, theirs: named}))
        if looks == 5:
            assert theirs in read_machine_book(ledger).machines
            life.finish(record, *held)
        life.tick()

    life.clock.during = happen
    monitor(life.aws, record, folder=life.folder, **life.times)
    assert foreign - take_inventory(life.world) == set()
    (left,) = life.world.ec2.describe_instances(InstanceIds=[theirs])["Reservations"]
    assert left["Instances"][0]["State"]["Name"] == "running"


def test_a_record_of_another_app_under_this_ones_key_is_not_believed(life: Life) -> None:
    record = life.buy()
    tamper(life, record, {"MONITOR_APP_NAME": "Other"})
    life.clock.during = life.tick
    cancel(life.aws, life.settings, folder=life.folder, **life.times)
    life.tick()
    assert life.instances() == []


def test_the_task_role_may_write_no_record() -> None:
    scope = Scope("123456789012", ("us-east-1",), ("lab-data",))
    (denied,) = (one for one in task_policy(scope)["Statement"] if one["Effect"] == "Deny")
    assert set(denied["Action"]) == {"s3:PutObject", "s3:DeleteObject"}
    assert denied["Resource"] == [
        "arn:aws:s3:::lab-data/monitors/*",
        "arn:aws:s3:::lab-data/runs/*/record.json",
    ]
