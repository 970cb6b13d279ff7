"""`monitor`: when a run is over, what is given back before, and what a bad moment does to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from distributed_something.aws.compute import cluster, fleet
from distributed_something.aws.messaging import queues
from distributed_something.aws.session import Aws
from distributed_something.commands.runs.runs import refresh
from distributed_something.commands.watching.monitor import (
    MonitorOutcome,
    Pace,
    RunProgress,
    find_watched,
    monitor,
)
from distributed_something.errors import DistributedSomethingError, TeardownIncomplete
from distributed_something.protocol.fleet_target import lower_target
from distributed_something.protocol.jobs import Job
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.resources.table import take_inventory, what_stays
from tests.lives import Held, Life, answer, handling, open_life, record_on_disk, watch_calls

PACE = Pace()
COUNTING = "before-send.sqs.GetQueueAttributes"
EXPIRED = answer(403, b'{"__type":"ExpiredToken","message":"The security token has expired"}')


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path, CLUSTER_MACHINES=3) as life:
        life.set_up()
        yield life


@dataclass
class Script:
    """What happens during each sleep of the monitor, in order; then nothing but what AWS does."""

    life: Life
    scenes: Sequence[Callable[[], object]] = ()
    seen: list[RunProgress] = field(default_factory=list)
    played: int = 0

    def play(self, record: RunRecord, **options: Any) -> MonitorOutcome:
        self.life.clock.during = self._next
        return monitor(
            self.life.aws,
            record,
            folder=self.life.folder,
            on_progress=self._see,
            **{**self.life.times, **options},
        )

    def _next(self) -> None:
        if self.played < len(self.scenes):
            self.played += 1
            self.scenes[self.played - 1]()
        self.life.tick()

    def _see(self, progress: RunProgress) -> None:
        assert len(self.seen) < 200, f"the monitor does not end: {progress}"
        self.seen.append(progress)


def nothing() -> None:
    """A look's time in which no worker does anything."""


def test_a_run_ends_by_itself_and_leaves_nothing(life: Life) -> None:
    before = take_inventory(life.aws) - {"queue CountingQueue"}
    life.submit("a", "b")
    record = life.buy()
    held: list[Held] = []
    first, second = life.instances()[:2]
    script = Script(
        life,
        [
            lambda: held.extend([life.take(record, first), life.take(record, second)]),
            nothing,
            lambda: life.finish(record, held[0]),
            lambda: life.finish(record, held[1]),
        ],
    )
    outcome = script.play(record)
    assert (outcome.summary.submitted, outcome.summary.done) == (2, 2)
    assert outcome.summary.unfinished == 0
    ours = {
        "cluster counting",
        "service counting/CountingService",
        "task definition CountingTask:1",
    }
    assert take_inventory(life.aws) == before - ours
    assert what_stays(record) <= take_inventory(life.aws)
    assert record_on_disk(life)["ended"] == outcome.record.ended == life.clock.now()


def test_nothing_ends_before_something_was_submitted(life: Life) -> None:
    record = life.buy()
    held: list[Held] = []
    scenes = [nothing] * 20
    scenes += [
        lambda: life.submit("a"),
        lambda: held.append(life.take(record, life.instances()[0])),
        lambda: life.finish(record, held[0]),
    ]
    script = Script(life, scenes)
    outcome = script.play(record)
    assert all("Nothing was submitted" in seen.note for seen in script.seen[:20])
    assert all(seen.target == 3 for seen in script.seen[:20])
    assert outcome.summary.done == 1


def test_one_zero_is_not_the_end(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    held: list[Held] = []
    late: list[Held] = []
    script = Script(
        life,
        [
            lambda: held.append(life.take(record, life.instances()[0])),
            lambda: life.finish(record, held[0]),
            nothing,  # the queue is seen empty once, and then a job comes after all
            lambda: life.submit("b"),
            lambda: late.append(life.take(record, life.instances()[0])),
            lambda: life.finish(record, late[0]),
        ],
    )
    outcome = script.play(record)
    assert outcome.summary.done == 2
    zeros = [seen for seen in script.seen if seen.submitted == 2 and not seen.in_flight]
    quiet = [seen for seen in zeros if not seen.waiting]
    assert len(quiet) >= PACE.quiet_looks
    assert quiet[-1].time - quiet[0].time >= PACE.quiet_seconds


def test_a_worker_that_holds_a_lease_holds_the_end_up_though_the_queue_looks_empty(
    life: Life,
) -> None:
    life.submit("a")
    record = life.buy()
    held: list[Held] = []

    def lose_sight() -> None:
        """SQS's counts do not show a job that a worker has."""
        held.append(life.take(record, life.instances()[0]))
        life.drop(record, held[0])

    scenes = [lose_sight, *[nothing] * 10, lambda: life.mark_done(record, held[0])]
    script = Script(life, scenes)
    outcome = script.play(record)
    assert outcome.summary.done == 1
    assert sum("is not done: a" in seen.note for seen in script.seen) >= 10


def test_a_dead_workers_heartbeat_does_not_hold_a_job_that_is_done(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    held: list[Held] = []
    script = Script(
        life,
        [
            lambda: held.append(life.take(record, life.instances()[0])),
            lambda: life.mark_done(record, held[0]),
            lambda: life.drop(record, held[0]),  # and never says that it is idle
        ],
    )
    script.play(record)
    assert not any("is not done" in seen.note for seen in script.seen)


def test_idle_machines_are_given_back_and_the_working_one_is_not(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    worker, *idle = life.instances()
    held = life.take(record, worker)
    kept: list[list[str]] = []
    scenes: list[Callable[[], object]] = [lambda: kept.append(life.instances())] * 8
    script = Script(life, [*scenes, lambda: life.finish(record, held)])
    outcome = script.play(record)
    assert kept[0] == sorted([worker, *idle])
    assert kept[-1] == [worker]
    assert outcome.summary.done == 1
    assert script.seen[7].target == 1


def receive(life: Life, record: RunRecord, instance_id: str) -> Held:
    """A worker has taken a job, and its heartbeat is still on its way."""
    url = queues.find_queue(life.aws.sqs, record.queue_name)
    message = life.aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"][0]
    return Held(Job.from_message(message["Body"]), instance_id, message["ReceiptHandle"])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_no_machine_is_given_back_while_nobody_knows_who_has_just_taken_a_job(
    life: Life, place: int
) -> None:
    life.submit("a")
    record = life.buy()
    begins = life.instances()[place]
    held: list[Held] = []
    drained: list[list[str]] = []

    def see() -> None:
        found = cluster.container_instances(life.aws.ecs, record.cluster)
        drained.append([one.instance_id for one in found if one.status == "DRAINING"])

    script = Script(
        life,
        [
            lambda: held.append(receive(life, record, begins)),
            *[see] * 3,
            lambda: life.beat(record, begins, held[0].job),
            see,
            lambda: life.finish(record, held[0]),
        ],
    )
    outcome = script.play(record)
    assert drained[:3] == [[], [], []]
    assert len(drained[3]) == 2 and begins not in drained[3]
    assert outcome.summary.done == 1


def test_a_job_that_no_heartbeat_tells_of_for_long_is_a_lost_machines_and_holds_none(
    life: Life,
) -> None:
    life.submit("a")
    record = life.buy()
    held: list[Held] = []
    script = Script(
        life,
        [
            lambda: held.append(receive(life, record, life.instances()[0])),
            *[nothing] * 9,
            lambda: life.finish(record, held[0]),
        ],
    )
    script.play(record)
    targets = [seen.target for seen in script.seen]
    assert targets[:6] == [3] * 6
    assert targets[9] == 1


def test_a_rehearsals_quick_looks_wait_for_a_heartbeat_that_is_late(life: Life) -> None:
    """Looks every half second came before the heartbeats, which are up to two seconds late."""
    life.submit("a", "b")
    record = life.buy()
    first, second = life.instances()[:2]
    held = [life.take(record, first), receive(life, record, second)]
    life.finish(record, held[0])
    life.beat(record, first, held[0].job)  # it has ended, and its heartbeat does not say so yet
    scenes: list[Callable[[], object]] = [nothing] * 8
    scenes += [
        lambda: life.beat(record, first, None),
        lambda: life.beat(record, second, held[1].job),
    ]
    drained: list[str] = []

    def see() -> None:
        found = cluster.container_instances(life.aws.ecs, record.cluster)
        drained.extend(one.instance_id for one in found if one.status == "DRAINING")

    scenes += [see] * 24
    scenes += [lambda: life.finish(record, held[1])]
    Script(life, scenes).play(record, pace=replace(PACE, look_every=0.5, quiet_seconds=1.0))
    assert drained and second not in drained


def test_a_machine_that_stops_its_worker_is_ended_only_when_the_task_is_gone(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    held = life.take(record, life.instances()[0])
    life.workers_stop = False
    states: list[list[tuple[str, int]]] = []

    def look() -> None:
        found = cluster.container_instances(life.aws.ecs, record.cluster)
        states.append(sorted((one.status, one.running_tasks) for one in found))

    def let_them_stop() -> None:
        life.workers_stop = True

    after = [let_them_stop, nothing, look, lambda: life.finish(record, held)]
    script = Script(life, [*[look] * 6, *after])
    script.play(record)
    assert states[5] == [("ACTIVE", 1), ("DRAINING", 1), ("DRAINING", 1)]
    assert states[6] == [("ACTIVE", 1)]


def test_while_jobs_wait_no_machine_is_given_back(life: Life) -> None:
    life.submit("a", "b")
    record = life.buy()
    held = [life.take(record, life.instances()[0])]
    scenes: list[Callable[[], object]] = [nothing] * 6
    scenes += [
        lambda: held.append(life.take(record, life.instances()[0])),
        lambda: life.finish(record, *held),
    ]
    script = Script(life, scenes)
    script.play(record)
    assert all(seen.target == 3 and seen.machines == 3 for seen in script.seen[:6])


def test_a_run_that_its_workers_stopped_ends_with_jobs_still_waiting(life: Life) -> None:
    life.submit("a", "b", "c")
    record = life.buy()
    held = life.take(record, life.instances()[0])

    def stop() -> None:
        body = b"5 jobs failed."
        life.aws.s3.put_object(Bucket=record.bucket, Key=record.keys.stopped, Body=body)

    script = Script(life, [nothing, stop, *[nothing] * 4, lambda: life.finish(record, held)])
    outcome = script.play(record)
    assert outcome.stopped == "5 jobs failed."
    assert (outcome.summary.done, outcome.summary.unfinished) == (1, 2)
    assert script.seen[-1].waiting == 2
    assert not any(one.startswith(("spot fleet ", "queue Cou")) for one in take_inventory(life.aws))


def test_the_cheapest_mode_lowers_the_target_after_its_time_and_is_never_undone(
    life: Life,
) -> None:
    life.submit(*"abcdef")
    record = life.buy()
    held: list[Held] = []
    scenes: list[Callable[[], object]] = [nothing] * 33
    scenes += [
        lambda: held.extend(life.take(record, name) for name in (life.instances() * 2)[:6]),
        nothing,
        nothing,
        lambda: life.finish(record, *held),
    ]
    script = Script(life, scenes)
    script.play(record, cheapest=True)
    began = script.seen[0].time
    early = [seen.target for seen in script.seen if seen.time - began < PACE.cheapest_after]
    late = [seen.target for seen in script.seen if seen.time - began >= PACE.cheapest_after]
    assert set(early) == {3}
    assert set(late) <= {1, 0}
    # None of the machines that run is ended by it.
    assert {seen.machines for seen in script.seen[:33]} == {3}


def test_one_look_that_caps_and_gives_back_never_raises_the_target(life: Life) -> None:
    life.submit("a", "b")
    record = life.buy()
    held: list[Held] = []
    asked: list[int] = []

    def note(params: Any, **_: Any) -> None:
        asked.append(params["TargetCapacity"])

    scenes = [
        lambda: held.extend(life.take(record, name) for name in life.instances()[:2]),
        *[nothing] * 4,
        lambda: life.finish(record, *held),
    ]
    script = Script(life, scenes)
    event = "provide-client-params.ec2.ModifySpotFleetRequest"
    with handling([life.aws.ec2], event, note):
        # The look that may release machines for the first time is the one that caps.
        script.play(record, cheapest=True, pace=replace(PACE, cheapest_after=60.0))
    assert asked == [1]


def test_with_several_containers_a_machine_the_service_follows_the_machines_that_joined(
    tmp_path: Path,
) -> None:
    with open_life(tmp_path, CLUSTER_MACHINES=2, TASKS_PER_MACHINE=2) as life:
        life.set_up()
        life.submit("a")
        record = life.buy()
        life.aws.ecs.update_service(cluster="counting", service="CountingService", desiredCount=0)
        held: list[Held] = []
        wanted: list[int] = []

        def look() -> None:
            service = cluster.describe_service(life.aws.ecs, record.cluster, record.service)
            wanted.append(service.desired)

        script = Script(
            life,
            [
                look,
                lambda: held.append(life.take(record, life.instances()[0])),
                *[look] * 6,
                lambda: life.finish(record, held[0]),
            ],
        )
        script.play(record)
        assert wanted[0] == 4
        assert wanted[-1] == 2


def test_a_failed_look_is_tried_again(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    held = life.take(record, life.instances()[0])
    fails = 5

    def fail(**_: Any) -> AWSResponse | None:
        nonlocal fails
        fails -= 1
        return EXPIRED if fails >= 0 else None

    events = life.aws.sqs.meta.events
    script = Script(
        life,
        [
            lambda: events.register(COUNTING, fail),  # type: ignore[arg-type]
            lambda: life.finish(record, held),
        ],
    )
    assert script.play(record).summary.done == 1
    assert fails < 0


@contextmanager
def failing(client: Any, operation: str, error: Exception, times: int = 10_000) -> Iterator[None]:
    """One operation fails so many times, as botocore fails when it has tried enough itself."""
    left = times

    def fail(**_: Any) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error

    with handling([client], f"before-call.*.{operation}", fail):
        yield


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "No."}}, "Any")


OFFLINE = EndpointConnectionError(endpoint_url="https://s3.us-east-1.amazonaws.com/")
THROTTLED = refusal("Throttling")


@pytest.mark.parametrize(
    "error", [refusal("AccessDenied"), refusal("ExpiredToken"), NoCredentialsError()]
)
def test_what_is_wrong_from_the_start_is_said_at_once(life: Life, error: Exception) -> None:
    record = life.buy()
    before = len(life.clock.slept)
    with failing(life.aws.s3, "GetObject", error), pytest.raises(type(error)):
        monitor(life.aws, record, folder=None, **life.times)
    assert len(life.clock.slept) == before


def test_an_address_that_never_answers_is_said_within_about_a_minute(life: Life) -> None:
    record = life.buy()
    began = life.clock.now()
    with (
        failing(life.aws.s3, "GetObject", OFFLINE),
        pytest.raises(EndpointConnectionError, match="Could not connect"),
    ):
        monitor(life.aws, record, folder=None, **life.times)
    assert 30.0 <= life.clock.now() - began <= 60.0


@pytest.mark.parametrize(("error", "times"), [(OFFLINE, 1), (THROTTLED, 20)])
def test_a_monitor_that_is_started_at_a_bad_moment_waits_for_a_better_one(
    life: Life, error: Exception, times: int
) -> None:
    life.submit("a")
    record = life.buy()
    held = life.take(record, life.instances()[0])
    with failing(life.aws.s3, "GetObject", error, times):
        outcome = Script(life, [lambda: life.finish(record, held)]).play(record)
    assert outcome.summary.done == 1


@pytest.mark.parametrize(("error", "times"), [(OFFLINE, 1), (THROTTLED, 20)])
def test_the_run_is_looked_for_as_patiently_as_it_is_looked_at(
    life: Life, error: Exception, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    record = life.record()
    renewed: list[Aws] = []

    def reconnect() -> Aws:
        renewed.append(life.aws)
        return life.aws

    with failing(life.aws.s3, "GetObject", error, times):
        found = find_watched(life.aws, life.settings, reconnect=reconnect, **life.times)
    assert found == record
    assert len(renewed) == times
    assert "This step failed and will be retried" in caplog.text


@pytest.mark.parametrize("error", [OFFLINE, refusal("AccessDenied"), NoCredentialsError()])
def test_a_run_that_cannot_be_looked_for_is_said_within_about_a_minute(
    life: Life, error: Exception
) -> None:
    began = life.clock.now()
    with failing(life.aws.s3, "GetObject", error), pytest.raises(type(error)):
        find_watched(life.aws, life.settings, **life.times)
    assert life.clock.now() - began == (60.0 if error is OFFLINE else 0.0)


@pytest.mark.parametrize("error", [OFFLINE, THROTTLED, refusal("RequestExpired")])
@pytest.mark.parametrize("operation", ["CancelSpotFleetRequests", "DescribeLaunchTemplates"])
def test_a_teardown_outlasts_what_passes(life: Life, error: Exception, operation: str) -> None:
    life.submit("a")
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    renewed: list[Aws] = []

    def reconnect() -> Aws:
        renewed.append(life.aws)
        return life.aws

    with failing(life.aws.ec2, operation, error, times=20):
        outcome = Script(life).play(record, reconnect=reconnect)
    assert not outcome.record.is_live
    assert len(renewed) >= 10
    assert not any(one.startswith(("spot fleet ", "machine ")) for one in take_inventory(life.aws))


@pytest.mark.parametrize(("error", "least", "most"), [(refusal("No"), 2, 2), (OFFLINE, 20, 22)])
def test_a_teardown_gives_up_after_three_tries_or_after_its_patience(
    life: Life, error: Exception, least: int, most: int
) -> None:
    life.submit("a")
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    renewed: list[Aws] = []

    def reconnect() -> Aws:
        renewed.append(life.aws)
        return life.aws

    with (
        failing(life.aws.ec2, "CancelSpotFleetRequests", error),
        pytest.raises(TeardownIncomplete, match="Could not cancel the spot fleets"),
    ):
        Script(life).play(record, reconnect=reconnect, pace=Pace(patience=600.0))
    assert least <= len(renewed) <= most


def test_what_is_read_after_the_teardown_is_asked_for_until_it_comes(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    fails = 0

    def fail(**_: Any) -> None:
        """No network for ten calls, once the run is marked as ended."""
        nonlocal fails
        if record_on_disk(life)["ended"] and fails < 10:
            fails += 1
            raise OFFLINE

    with (
        handling([life.aws.s3], "before-call.*.GetObject", fail),
        handling([life.aws.s3], "before-call.*.ListObjectsV2", fail),
        watch_calls(life.aws) as calls,
    ):
        outcome = Script(life).play(record)
    assert fails == 10
    assert outcome.summary.done == 1
    assert "CreateExportTask" in calls


def test_a_fleet_that_was_lowered_to_nothing_leaves_its_jobs_stranded(life: Life) -> None:
    life.submit("a")
    record = life.buy()

    def lower() -> None:
        lower_target(life.aws.ec2, record.fleet_ids[0], 0)
        life.aws.ec2.terminate_instances(InstanceIds=life.instances())

    script = Script(life, [lower])
    with pytest.raises(DistributedSomethingError, match="No machine runs"):
        script.play(record)
    assert "No spot fleet has a target above 0" in script.seen[-1].note
    assert fleet.describe_fleet(life.aws.ec2, record.fleet_ids[0]).is_live


def test_the_monitor_gives_up_when_aws_has_been_silent_for_its_patience(life: Life) -> None:
    life.submit("a")
    record = life.buy()

    events = life.aws.sqs.meta.events
    script = Script(life, [lambda: events.register(COUNTING, lambda **_: EXPIRED)])  # type: ignore[arg-type]
    with pytest.raises(DistributedSomethingError, match="has not answered for"):
        script.play(record, pace=Pace(patience=600.0))
    assert fleet.describe_fleet(life.aws.ec2, record.fleet_ids[0]).is_live


def test_another_startcluster_is_seen_and_its_fleet_is_taken_down_too(life: Life) -> None:
    life.submit("a", "b")
    record = life.buy()
    held = [life.take(record, life.instances()[0])]
    script = Script(
        life,
        [
            life.buy,
            lambda: held.append(life.take(record, life.instances()[-1])),
            lambda: life.finish(record, *held),
        ],
    )
    outcome = script.play(record)
    assert len(outcome.record.fleet_ids) == 2
    assert not any(one.startswith(("spot fleet ", "machine ")) for one in take_inventory(life.aws))


def test_a_monitor_on_another_machine_ends_this_one(life: Life, tmp_path: Path) -> None:
    life.submit("a")
    record = life.buy()
    held = life.take(record, life.instances()[0])

    def elsewhere() -> None:
        life.finish(record, held)
        life.clock.during = life.tick
        (tmp_path / "elsewhere").mkdir()
        monitor(life.aws, record, folder=tmp_path / "elsewhere", **life.times)

    outcome = Script(life, [elsewhere]).play(record)
    assert outcome.summary.done == 1
    assert not outcome.record.is_live


def test_a_second_monitor_leaves_the_next_runs_things_alone(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    held = life.take(record, life.instances()[0])
    Script(life, [lambda: life.finish(record, held)]).play(record)
    life.set_up()
    life.submit("b")
    life.buy()
    before = take_inventory(life.aws)
    monitor(life.aws, record, folder=life.folder, **life.times)  # the old monitor file
    assert take_inventory(life.aws) == before


def test_a_monitor_that_was_killed_in_the_teardown_is_finished_by_the_next(life: Life) -> None:
    life.submit("a")
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    queues.delete_queue(life.aws.sqs, record.queue_name)
    script = Script(life)
    script.play(record)
    assert any("it no longer exists" in seen.note for seen in script.seen)
    assert not refresh(life.aws, record).is_live
    assert not any(one.startswith("spot fleet ") for one in take_inventory(life.aws))


def test_upstreams_monitor_file_is_watched_and_taken_down(life: Life) -> None:
    record = life.buy()
    ours = record_on_disk(life)
    keys = [key for key in ours if key.startswith("MONITOR_")]
    old = RunRecord.from_json(
        os.linesep.join(["{", ",".join(f'"{key}": "{ours[key]}"' for key in keys), "}"]), "old"
    )
    life.aws.s3.delete_object(Bucket="lab-data", Key="monitors/CountingSpotFleetRequestId.json")
    url = queues.find_queue(life.aws.sqs, record.queue_name)
    life.aws.sqs.send_message(QueueUrl=url, MessageBody='{"group": {"a": 1}}')

    def work() -> None:
        message = life.aws.sqs.receive_message(QueueUrl=url)["Messages"][0]
        life.aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    outcome = Script(life, [work]).play(old)
    assert not outcome.record.is_live
    left = {one.split(" ")[0] for one in take_inventory(life.aws)}
    assert not left & {"fleet", "machine", "service", "cluster", "task-definition"}
