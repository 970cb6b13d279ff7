"""A run that upstream began is watched and ended by us, its jobs done by real workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.commands.runs.runs import ensure_run
from distributed_something.commands.watching.monitor import (
    MonitorState,
    Pace,
    RunProgress,
    monitor,
    step,
)
from distributed_something.local.account import make_roles
from distributed_something.local.pace import PACE
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.record import RunRecord, read_record_file
from tests.builders import settings
from tests.clock import Clock
from tests.family_files import CONFIGS
from tests.functional.submitting.test_upstream_files import FORMS, KEY, fill_in
from tests.lives import Life

from .begun import UpstreamRun, workers


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(rules=Rules(deleted_queue_seconds=0.0, unseen_uses=0)) as simulator:
        yield simulator


@pytest.fixture
def begun(simulator: Simulator, tmp_path: Path) -> UpstreamRun:
    """An empty account, and a config with its bucket for two machines of one loop each."""
    simulator.empty()
    aws = simulator.aws()
    make_roles(aws)
    aws.ec2.create_key_pair(KeyName=KEY)
    aws.s3.create_bucket(Bucket="lab-data")
    filled_in = {"AWS_BUCKET": "lab-data", "CLUSTER_MACHINES": 2, "DOCKER_CORES": 1}
    config = {**CONFIGS["Something"], **filled_in}
    return UpstreamRun(aws, config, tmp_path, is_malformed=True)


def messages(count: int, command: str) -> list[dict[str, object]]:
    return [
        {"command": command, "output": "counts/{well}", "group": {"well": f"A{number:02d}"}}
        for number in range(1, count + 1)
    ]


def buy(begun: UpstreamRun) -> None:
    begun.start(fill_in(begun.aws, FORMS / "fleets" / "linux1.json", begun.folder))


def results(begun: UpstreamRun) -> list[str]:
    page = begun.aws.s3.list_objects_v2(Bucket="lab-data", Prefix="counts/")
    return [one["Key"] for one in page.get("Contents", [])]


@pytest.mark.slow
def test_the_service_of_an_upstream_run_keeps_its_containers_while_jobs_wait(
    begun: UpstreamRun, simulator: Simulator
) -> None:
    begun.set_up()
    begun.submit(messages(6, "bash -c 'sleep 1; echo 7 > {output_dir}/count.txt'"))
    buy(begun)
    wanted: list[int] = []

    def note(seen: RunProgress) -> None:
        if seen.waiting:
            wanted.append(begun.containers_wanted())
            assert wanted[-1] == 2, "the service lost its containers while jobs wait"

    with workers(simulator, begun.folder):
        record = read_record_file(begun.monitor_file)
        monitor(begun.aws, record, folder=begun.folder / "files", pace=PACE, on_progress=note)

    assert wanted, "no look saw a job that waits"
    assert results(begun) == [f"counts/A{number:02d}/count.txt" for number in range(1, 7)]


def look(begun: UpstreamRun, record: RunRecord, seconds: float) -> None:
    """Look as a monitor does for so many seconds, which do not pass, while machines come and go."""
    life = Life(begun.aws, settings(**begun.config), begun.folder, Clock())
    life.tick()
    pace, state = Pace(), MonitorState(began=life.clock.now())
    while life.clock.now() < state.began + seconds:
        state, _ = step(begun.aws, record, state, pace=pace, now=life.clock.now)
        life.clock.sleep(pace.look_every)
        life.tick()


def test_machines_of_an_upstream_run_are_not_replaced_at_its_end_and_none_that_works_is_ended(
    begun: UpstreamRun,
) -> None:
    begun.set_up()
    begun.submit(messages(1, "true"))
    buy(begun)
    begun.aws.sqs.receive_message(QueueUrl=begun.queue_url, VisibilityTimeout=3600)
    record = read_record_file(begun.monitor_file)
    look(begun, record, seconds=900)
    (fleet,) = begun.aws.ec2.describe_spot_fleet_requests()["SpotFleetRequestConfigs"]
    assert fleet["SpotFleetRequestConfig"]["TargetCapacity"] == 1
    joined = begun.aws.ecs.list_container_instances(cluster="default", status="ACTIVE")
    assert len(joined["containerInstanceArns"]) == 2
    assert begun.containers_wanted() == 2


def test_a_run_of_ours_that_takes_over_upstreams_machines_keeps_containers_for_them(
    begun: UpstreamRun,
) -> None:
    begun.set_up()
    begun.submit(messages(4, "true"))
    buy(begun)
    record = ensure_run(begun.aws, settings(**begun.config), folder=begun.folder / "files")
    assert [one.target_capacity for one in record.fleets] == [2]
    look(begun, record, seconds=60)
    assert begun.containers_wanted() == 2


def test_a_service_without_containers_gets_one_for_each_machine_while_jobs_wait(
    begun: UpstreamRun,
) -> None:
    begun.set_up()
    begun.submit(messages(4, "true"))
    buy(begun)
    begun.aws.ecs.update_service(cluster="default", service="ThingService", desiredCount=0)
    look(begun, read_record_file(begun.monitor_file), seconds=60)
    assert begun.containers_wanted() == 2
