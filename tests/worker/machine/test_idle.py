"""When an idle machine ends itself before its run is over, and what its fleet keeps then."""

from __future__ import annotations

from typing import Any

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.fleet_target import read_target
from distributed_something.protocol.ledger.facts import Heartbeat
from distributed_something.protocol.ledger.keys import record_key
from distributed_something.protocol.ledger.record import FleetRecord
from distributed_something.protocol.machine_alarm import APP_TAG
from worker.machine.duties import DutyClients
from worker.machine.idle import IdleEnd

from ..job.test_failures import machine_state
from ..world import World, until

JOB = Heartbeat("0" * 20, "a job", "1-a", 0.0)


class Run:
    """A run with a fleet of machines, of which the first `busy` work."""

    def __init__(self, world: World, machines: int, busy: int, **record: Any) -> None:
        self.world = world
        self.fleet_id, self.machines = buy(world, machines)
        bought = FleetRecord("token", {}, machines, self.fleet_id)
        facts = {"fleets": (bought,), "tasks_per_machine": 1, "docker_cores": 1, **record}
        world.write_record(**facts)
        world.ledger.write_job_list("1", [b"{}"])
        for place, name in enumerate(self.machines):
            world.ledger.machines.write_heartbeat(name, "s-1", JOB if place < busy else None)

    def take(self, count: int) -> None:
        """Have so many jobs in flight."""
        for number in range(count):
            self.world.send({"command": "true", "group": {"plate": f"P{number}"}})
            self.world.aws.sqs.receive_message(QueueUrl=self.world.queue_url, VisibilityTimeout=600)

    def may_end(self, place: int) -> bool:
        aws = self.world.aws
        clients = DutyClients(cloudwatch=aws.cloudwatch, ec2=aws.ec2, s3=aws.s3, sqs=aws.sqs)
        settings = WorkerEnvironment.from_environment(self.world.environment())
        return IdleEnd(clients, settings, self.machines[place]).may_end()

    @property
    def target(self) -> int:
        return read_target(self.world.aws.ec2, self.fleet_id).target


def buy(world: World, machines: int) -> tuple[str, list[str]]:
    """A spot fleet of the simulated EC2, tagged as ours are: its id and its machines'."""
    tags = [{"Key": APP_TAG, "Value": world.name}]
    tagged = {
        one: [{"ResourceType": one, "Tags": tags}] for one in ("spot-fleet-request", "instance")
    }
    specification = {"ImageId": "ami-12c6146b", "InstanceType": "m5.large"}
    config: Any = {
        "IamFleetRole": "arn:aws:iam::123456789012:role/fleet",
        "TargetCapacity": machines,
        "LaunchSpecifications": [{**specification, "TagSpecifications": tagged["instance"]}],
        "TagSpecifications": tagged["spot-fleet-request"],
    }
    ec2 = world.aws.ec2
    fleet_id = ec2.request_spot_fleet(SpotFleetRequestConfig=config)["SpotFleetRequestId"]
    found = ec2.describe_spot_fleet_instances(SpotFleetRequestId=fleet_id)["ActiveInstances"]
    return fleet_id, sorted(one["InstanceId"] for one in found)


def test_an_idle_machine_goes_and_its_fleet_keeps_those_that_work(world: World) -> None:
    run = Run(world, machines=4, busy=2)
    run.take(2)
    assert run.may_end(2)
    assert run.target == 2
    assert run.may_end(3), "at the same time, and nothing is lowered twice"
    assert run.target == 2


def test_machines_stay_for_jobs_in_flight_that_no_slot_is_at(world: World) -> None:
    run = Run(world, machines=4, busy=1)
    run.take(3)
    assert [run.may_end(place) for place in (1, 2, 3)] == [False, False, True]
    assert run.target == 3


def test_the_last_machine_stays_until_the_run_is_over(world: World) -> None:
    run = Run(world, machines=2, busy=0)
    assert [run.may_end(place) for place in (0, 1)] == [False, True]
    assert run.target == 1


def test_jobs_that_wait_in_a_stopped_run_keep_no_machine(world: World) -> None:
    run = Run(world, machines=3, busy=1)
    run.take(1)
    world.send({"command": "true", "group": {"plate": "waits"}})
    world.put(world.keys.stopped, "enough")
    assert run.may_end(2)
    assert run.target == 1


def test_a_machine_that_was_closed_ends_without_a_look_at_its_fleet(world: World) -> None:
    run = Run(world, machines=2, busy=0)
    world.ledger.machines.write_closed_machines([run.machines[0]])
    assert run.may_end(0)
    assert run.target == 2


def test_what_a_record_does_not_say_ends_no_machine(world: World) -> None:
    weighted = FleetRecord("t", {"Overrides": [{"WeightedCapacity": 4}]}, 2, "sfr-1")
    for facts in ({"tasks_per_machine": 2}, {"docker_cores": None}, {"fleets": (weighted,)}):
        run = Run(world, machines=2, busy=0, **facts)
        assert not run.may_end(1), facts
    assert not Run(world, machines=2, busy=0, ended=1.0).may_end(1), "its teardown ends it"


def test_no_machine_goes_before_anything_was_submitted(world: World) -> None:
    run = Run(world, machines=2, busy=0)
    for key in list(world.ledger.objects.keys(world.keys.job_lists)):
        world.ledger.objects.delete(key)
    assert not run.may_end(1)


def test_an_idle_worker_stops_its_loops_and_ends_its_machine(world: World) -> None:
    run = Run(world, machines=2, busy=0)
    worker = world.start_worker(
        {
            "INSTANCE_ID": run.machines[1],
            "WORKER_SPARE_SECONDS": "0",
            "WORKER_SPARE_LOOK_SECONDS": "1",
        }
    )
    until(
        lambda: machine_state(world, run.machines[1]) == "terminated", "the idle machine is ended"
    )
    assert run.target == 1
    assert machine_state(world, run.machines[0]) == "running"
    assert "has nothing to do, and is not needed any more" in world.worker_log()
    assert worker.poll() is None, "or its container would be started again"
    assert world.stop() == [0]


def test_a_closed_machine_ends_its_job_and_takes_no_other(world: World) -> None:
    run = Run(world, machines=2, busy=0, finish="cheap")
    world.ledger.machines.write_closed_machines([run.machines[1]])
    job = world.send({"command": "true", "group": {"plate": "P1"}})
    world.start_worker({"INSTANCE_ID": run.machines[1], "WORKER_SPARE_SECONDS": "600"})
    until(lambda: "this machine ends first" in world.worker_log(), "it hears of it")
    world.stop()
    # It may have asked for a job before it heard.
    assert len({attempt.attempt_id for _, attempt in world.attempts(job)}) <= 1


def test_a_record_that_cannot_be_read_ends_no_machine(world: World) -> None:
    run = Run(world, machines=2, busy=0)
    world.put(record_key(world.name), '{"fleets": [7]}')
    assert not run.may_end(1)
