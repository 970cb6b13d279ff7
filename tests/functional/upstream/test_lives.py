"""A run that upstream began is watched and ended by us, its jobs done by real workers."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from distributed_something.cli.screens.monitor_lines import show_outcome
from distributed_something.cli.verbs.cancel import show_cancelled
from distributed_something.commands.cancelling.cancel import cancel
from distributed_something.commands.runs.runs import ensure_run
from distributed_something.commands.watching.monitor import (
    MonitorState,
    Pace,
    RunProgress,
    monitor,
    step,
)
from distributed_something.local.account import make_roles
from distributed_something.local.machines import runtimes
from distributed_something.local.pace import PACE
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.record import RunRecord, read_record_file
from distributed_something.resources.table import take_inventory, what_stays
from tests.builders import settings
from tests.clock import Clock
from tests.family_files import CONFIGS, JOB_FILES
from tests.functional.cli.test_switch import CELLPROFILER, write_program
from tests.functional.submitting.test_upstream_files import FORMS, KEY, fill_in
from tests.lives import Life
from tests.worker.job.test_something import clone_with

from .begun import UpstreamRun, workers

EXAMPLE = Path(__file__).parents[3] / "examples" / "cellprofiler" / "something.py"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(
        rules=Rules(deleted_queue_seconds=0.0, unseen_uses=0, is_throttled=False)
    ) as simulator:
        yield simulator


def begin(simulator: Simulator, folder: Path, program: str) -> UpstreamRun:
    """An empty account, and a program's config with its bucket for two machines of one loop."""
    simulator.empty()
    aws = simulator.aws()
    make_roles(aws)
    aws.ec2.create_key_pair(KeyName=KEY)
    aws.s3.create_bucket(Bucket="lab-data")
    aws.ecs.create_cluster(clusterName="default")
    config = {**CONFIGS[program], "CLUSTER_MACHINES": 2, "DOCKER_CORES": 1}
    for name in ("AWS_BUCKET", "SOURCE_BUCKET", "DESTINATION_BUCKET"):
        config |= {name: "lab-data"} if name in config else {}
    # Distributed-Something's own monitor file is not quite JSON.
    return UpstreamRun(aws, config, folder, is_malformed=program == "Something")


@pytest.fixture
def begun(simulator: Simulator, tmp_path: Path) -> UpstreamRun:
    return begin(simulator, tmp_path, "Something")


@dataclass(frozen=True)
class Work:
    """An app of a family, the messages that upstream sends for its jobs, and what they make."""

    begun: UpstreamRun
    messages: Sequence[dict[str, Any]]
    results: list[str]

    def found(self) -> list[str]:
        page = self.begun.aws.s3.list_objects_v2(Bucket="lab-data", Prefix="counts/")
        return sorted(one["Key"] for one in page.get("Contents", []))


def something_work(begun: UpstreamRun, count: int) -> Work:
    wells = [f"A{number:02d}" for number in range(1, count + 1)]
    command = "bash -c 'sleep 1; echo 7 > {output_dir}/count.txt'"
    shared = {"command": command, "output": "counts/{well}"}
    results = [f"counts/{well}/count.txt" for well in wells]
    return Work(begun, [{**shared, "group": {"well": well}} for well in wells], results)


def cellprofiler_work(begun: UpstreamRun, count: int) -> Work:
    sites = range(1, count + 1)
    rows = [f"s{site}.tif,/home/ubuntu/bucket/images,{site}\n" for site in sites]
    table = "FileName_DNA,PathName_DNA,Metadata_Site\n" + "".join(rows)
    files = {"a.cppipe": "a pipeline", "load_data.csv": table}
    files |= {f"images/s{site}.tif": "x" for site in sites}
    for key, text in files.items():
        begun.aws.s3.put_object(Bucket="lab-data", Key=key, Body=text.encode())
    (example,) = JOB_FILES["CellProfiler, text"].messages
    shared = {**example, "input": "images/", "output": "counts"}
    messages = [{**shared, "Metadata": f"Metadata_Site={site}"} for site in sites]
    return Work(begun, messages, [f"counts/{site}/Image.csv" for site in sites])


WORKS = {"Something": something_work, "CellProfiler": cellprofiler_work}


@pytest.fixture(params=WORKS)
def work(
    request: pytest.FixtureRequest,
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Work:
    """Six jobs of each family, with the worker that its image has."""
    program = str(request.param)
    made = WORKS[program](begin(simulator, tmp_path, program), 6)
    if program == "CellProfiler":
        clone = clone_with(tmp_path / "clone", EXAMPLE.read_text())
        monkeypatch.setattr(runtimes, "_APPLICATION", clone)
        write_program(
            tmp_path / "bin" / "cellprofiler", CELLPROFILER.replace("test", "sleep 1; test", 1)
        )
    return made


def path_of(work: Work) -> dict[str, str]:
    return {"PATH": f"{work.begun.folder / 'bin'}:{os.environ['PATH']}"}


def buy(begun: UpstreamRun) -> None:
    begun.start(fill_in(begun.aws, FORMS / "fleets" / "linux1.json", begun.folder))


def words(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def refuse_two_spaces(caplog: pytest.LogCaptureFixture) -> None:
    assert not [one for one in caplog.messages if "  " in one]


@pytest.mark.slow
def test_a_run_that_upstream_began_is_watched_to_its_end_and_nothing_of_it_is_left(
    work: Work,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO, logger="distributed_something")
    begun = work.begun
    before = take_inventory(begun.aws)
    begun.set_up()
    begun.submit(work.messages)
    buy(begun)
    wanted: list[int] = []

    def note(seen: RunProgress) -> None:
        if seen.waiting:
            wanted.append(begun.containers_wanted())
            assert wanted[-1] == 2, "the service lost its containers while jobs wait"

    with workers(simulator, begun.folder, **path_of(work)):
        begun.guard()
        record = read_record_file(begun.monitor_file)
        files = begun.folder / "files"
        outcome = monitor(begun.aws, record, folder=files, pace=PACE, on_progress=note)

    assert wanted, "no look saw a job that waits"
    assert work.found() == work.results
    assert outcome.is_complete
    assert (outcome.summary.done, outcome.summary.dead, outcome.summary.submitted) == (6, 0, 6)
    assert take_inventory(begun.aws) - before <= what_stays(outcome.record)
    show_outcome(outcome)
    said = words(capsys)
    assert f"The run of {begun.app} is over: 6 done, 0 in the dead-letter queue" in said
    refuse_two_spaces(caplog)


@pytest.mark.slow
def test_a_run_that_upstream_began_is_cancelled_half_way_and_its_jobs_are_in_a_job_file(
    work: Work,
    simulator: Simulator,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO, logger="distributed_something")
    begun = work.begun
    before = take_inventory(begun.aws)
    begun.set_up()
    begun.submit(work.messages)
    buy(begun)
    own = settings(**begun.config)
    with workers(simulator, begun.folder, **path_of(work)):
        begun.guard()
        until(lambda: len(work.found()) >= 2)
        ended = cancel(begun.aws, own, folder=begun.folder / "files")

    path = ended.unfinished.path
    assert path is not None
    left = [json.loads(line) for line in path.read_text().splitlines()]
    done = len(work.found())
    assert 2 <= done < 6
    assert ended.unfinished.count == len(left) == 6 - done
    assert all(message in work.messages for message in left)
    record = read_record_file(begun.monitor_file)
    assert take_inventory(begun.aws) - before <= what_stays(record)
    show_cancelled(begun.app, "us-east-1", ended)
    assert f"submitJob {path}" in words(capsys)
    refuse_two_spaces(caplog)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def messages(count: int) -> list[dict[str, object]]:
    return [{"group": {"well": f"A{number:02d}"}} for number in range(1, count + 1)]


def look(begun: UpstreamRun, record: RunRecord, seconds: float) -> None:
    """Look as a monitor does for so many seconds, which do not pass, while machines come and go."""
    life = Life(begun.aws, settings(**begun.config), begun.folder, Clock())
    life.tick()
    pace, state = Pace(), MonitorState(began=life.clock.now())
    while life.clock.now() < state.began + seconds:
        state, _ = step(begun.aws, record, state, pace=pace, now=life.clock.now)
        life.clock.sleep(pace.look_every)
        life.tick()


@pytest.mark.slow
def test_machines_of_an_upstream_run_are_not_replaced_at_its_end_and_none_that_works_is_ended(
    begun: UpstreamRun,
) -> None:
    begun.set_up()
    begun.submit(messages(1))
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
    begun.submit(messages(4))
    buy(begun)
    record = ensure_run(begun.aws, settings(**begun.config), folder=begun.folder / "files")
    assert [one.target_capacity for one in record.fleets] == [2]
    look(begun, record, seconds=60)
    assert begun.containers_wanted() == 2


def test_a_service_without_containers_gets_one_for_each_machine_while_jobs_wait(
    begun: UpstreamRun,
) -> None:
    begun.set_up()
    begun.submit(messages(4))
    buy(begun)
    begun.aws.ecs.update_service(cluster="default", service="ThingService", desiredCount=0)
    look(begun, read_record_file(begun.monitor_file), seconds=60)
    assert begun.containers_wanted() == 2
