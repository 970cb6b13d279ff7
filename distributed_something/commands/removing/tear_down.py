"""Remove everything that a run made, what costs most first, however many steps fail on the way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.compute import cluster, fleet
from ...aws.messaging import queues
from ...aws.monitoring import alarms, dashboards
from ...definitions.tags import APP_TAG, app_tags, run_tags
from ...definitions.user_data import APP_ATTRIBUTE
from ...errors import DistributedSomethingError, NotFound
from ...protocol.ledger.record import RunRecord, save_record
from ..runs.reach import PassingFault, failure, may_pass
from ..runs.runs import refresh
from ..runs.schedule import stop_schedule
from .last_look import note_machines, see_machines

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

# What a step may meet: AWS refuses, AWS cannot be reached, or it cannot be done now.
FAULTS = (ClientError, BotoCoreError, DistributedSomethingError)

STAYS = (
    ("dead-letter queue", "holds the jobs that were given up, to look at and to send again"),
    ("log groups", "hold what the jobs printed; CloudWatch deletes it after the retention time"),
    ("ledger", "runs/ in the bucket: what became of every job"),
    ("monitor file", "monitors/ in the bucket: says that the run has ended"),
)

_CLUSTER_LOOK = 5.0  # seconds between two tries to delete a cluster whose last tasks stop
_CLUSTER_LOOKS = 24


@dataclass(frozen=True)
class Teardown:
    """What every step is given."""

    aws: Aws
    record: RunRecord
    folder: Path | None
    sleep: Callable[[float], None]
    now: Callable[[], float]
    whole_app: bool = False  # of every run, whether or not a record tells of it
    export_due: bool = False  # the logs are to be exported when all is done
    notice_due: bool = False  # the topic is to be told when all is done
    keeps_schedule: bool = False  # who calls deletes it, when nothing is left to do
    seen: tuple[fleet.Machine, ...] | None = None  # of a run that is cancelled, before it was

    @property
    def tags(self) -> dict[str, str]:
        """The tags by which what is to go is known; none for a run of upstream's."""
        if self.whole_app:
            return app_tags(self.record.app_name)
        run_id = self.record.run_id
        return run_tags(self.record.app_name, run_id) if run_id else {}


@dataclass(frozen=True)
class Step:
    """One step; `name` completes the sentence "Could not ..."."""

    name: str
    run: Callable[[Teardown], None]
    is_last: bool = False  # not taken while another step failed: who tries again needs its thing


def tear_down(
    aws: Aws,
    record: RunRecord,
    *,
    folder: Path | None,
    export_due: bool = False,
    notice_due: bool = False,
    keeps_schedule: bool = False,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> list[str]:
    """Take every step, then mark the run's record as ended; returns a sentence for each failure.

    With a failure the run stays live, and calling this again goes on. A run that has ended already
    is left alone: its names may be in use by the next one. `folder` is this machine's records. With
    `export_due` the record then says that somebody has to export the logs, with `notice_due` that
    its topic, if it has one, has to be told. Who `keeps_schedule` has to delete it.
    """
    record = _latest(aws, record)
    if not record.is_live:
        logger.info("Run %s of %s was removed already.", record.run_id, record.app_name)
        return []
    teardown = Teardown(
        *(aws, record, folder, sleep, now),
        export_due=export_due,
        notice_due=notice_due and bool(record.topic),
        keeps_schedule=keeps_schedule,
    )
    return _take_steps(teardown) or _end(teardown)


def tear_down_app(
    aws: Aws,
    record: RunRecord,
    *,
    folder: Path | None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> list[str]:
    """Take every step for all that there is of the record's app, its live run included.

    What no record tells of is found by tags and names. Returns a sentence for each failure.
    """
    seen = see_machines(aws, record)
    teardown = Teardown(aws, record, folder, sleep, now, whole_app=True, seen=seen)
    failures = _take_steps(teardown)
    if failures or record.is_live:
        return failures or _end(teardown)
    logger.info("Removed all of %s.", record.app_name)
    return []


def _take_steps(teardown: Teardown) -> list[str]:
    failures: list[str] = []
    for step in STEPS:
        if step.is_last and failures:
            continue
        try:
            step.run(teardown)
        except FAULTS as error:
            failures.append(failure(f"Could not {step.name}: {error}", error))
            logger.warning("%s", failures[-1])
    return failures


def _latest(aws: Aws, record: RunRecord) -> RunRecord:
    """The record as the bucket has it; if the bucket does not answer, what we have will do."""
    try:
        return refresh(aws, record)
    except FAULTS as error:
        logger.warning("Cannot read the bucket's monitor file, going on with ours: %s", error)
        return record


def _end(teardown: Teardown) -> list[str]:
    """Mark the run as ended, unless somebody added a fleet to it while it was taken down."""
    try:
        latest = refresh(teardown.aws, teardown.record)
        if {f.client_token for f in latest.fleets} != {
            f.client_token for f in teardown.record.fleets
        }:
            return ["A fleet was added to the run while it was being removed: remove it again."]
        ended = replace(latest, ended=teardown.now())
        ended = replace(ended, export_due=teardown.export_due, notice_due=teardown.notice_due)
        save_record(teardown.aws.s3, ended, teardown.folder)
    except FAULTS as error:
        said = f"Could not mark the run as ended in its monitor file: {error}"
        return [failure(said, error)]
    logger.info("Removed all of run %s of %s.", ended.run_id, ended.app_name)
    return []


def _cancel_fleets(teardown: Teardown) -> None:
    """Cancel the recorded fleets, then any that was bought without our hearing of its id."""
    ec2, record = teardown.aws.ec2, teardown.record
    _each(record.fleet_ids, lambda fleet_id: fleet.cancel_fleet(ec2, fleet_id))
    if teardown.tags:
        unheard = set(fleet.find_fleets(ec2, teardown.tags)) - set(record.fleet_ids)
        _each(sorted(unheard), lambda fleet_id: fleet.cancel_fleet(ec2, fleet_id))


def _terminate_machines(teardown: Teardown) -> None:
    """Terminate what a cancelled fleet did not: machines that it left running, or that left it."""
    ec2, record = teardown.aws.ec2, teardown.record
    left = {m.instance_id for f in record.fleet_ids for m in fleet.fleet_instances(ec2, f)}
    if teardown.tags:
        left |= {machine.instance_id for machine in fleet.find_machines(ec2, teardown.tags)}
    fleet.terminate_instances(ec2, sorted(left))


def _note_machines(teardown: Teardown) -> None:
    """Note the machines of a run that is cancelled; one that is watched has been noted."""
    if teardown.whole_app:
        note_machines(teardown.aws, teardown.record, teardown.seen, teardown.now())


def _delete_service(teardown: Teardown) -> None:
    record = teardown.record
    cluster.delete_service(teardown.aws.ecs, record.cluster, record.service)


def _delete_alarms(teardown: Teardown) -> None:
    cloudwatch = teardown.aws.cloudwatch
    names = alarms.find_machine_alarms(cloudwatch, teardown.record.app_name)
    alarms.delete_alarms(cloudwatch, list(names.values()))


def _delete_queue(teardown: Teardown) -> None:
    """Delete the queue; the time is saved before it: the next `setup` has to wait from then on."""
    _note_machines(teardown)  # now that all are ended; what AWS refuses of it is logged
    sqs, record = teardown.aws.sqs, teardown.record
    try:
        queues.find_queue(sqs, record.queue_name)
    except NotFound:
        return
    try:
        latest = refresh(teardown.aws, record)
        save_record(teardown.aws.s3, replace(latest, queue_deleted=teardown.now()), teardown.folder)
    except FAULTS as error:
        if not teardown.whole_app:
            raise
        logger.warning("The next `setup` cannot know when the queue was deleted: %s", error)
    queues.delete_queue(sqs, record.queue_name)


def _delete_task_definitions(teardown: Teardown) -> None:
    cluster.delete_task_definitions(teardown.aws.ecs, teardown.record.task_family)


def _delete_launch_templates(teardown: Teardown) -> None:
    ec2, record = teardown.aws.ec2, teardown.record
    names = set(record.launch_templates)
    if teardown.tags:
        names |= set(fleet.find_launch_templates(ec2, teardown.tags))
    _each(sorted(names), lambda name: fleet.delete_launch_template(ec2, name))


def _deregister_machines(teardown: Teardown) -> None:
    """Take our machines off the cluster's list: one whose agent is cut off would stay on it."""
    ecs, record = teardown.aws.ecs, teardown.record
    ours = [
        machine.arn
        for machine in cluster.container_instances(ecs, record.cluster)
        if machine.attributes.get(APP_ATTRIBUTE) == record.app_name
    ]
    _each(ours, lambda arn: cluster.deregister_instance(ecs, record.cluster, arn))


def _delete_cluster(teardown: Teardown) -> None:
    """Delete the cluster if it is ours and nobody else's, once its last tasks have stopped."""
    ecs, record = teardown.aws.ecs, teardown.record
    for look in range(_CLUSTER_LOOKS):
        if cluster.delete_cluster(ecs, record.cluster, app_tags(record.app_name)):
            return
        if not _is_held_by_us_alone(teardown):
            logger.info("The cluster %s stays: %s.", record.cluster, _whose(record))
            return
        if look < _CLUSTER_LOOKS - 1:
            teardown.sleep(_CLUSTER_LOOK)
            # The agent of a machine that is shutting down may have put it on the list again.
            _deregister_machines(teardown)
    raise DistributedSomethingError(f"our last tasks still run in the cluster {record.cluster}.")


def _delete_dashboard(teardown: Teardown) -> None:
    """Delete the dashboard if its run was to clean it up; upstream's is named after the app."""
    record = teardown.record
    name = record.dashboard or ("" if record.run_id else record.app_name)
    if name and record.clean_dashboard:
        dashboards.delete_dashboard(teardown.aws.cloudwatch, name)


def _delete_schedule(teardown: Teardown) -> None:
    if not teardown.keeps_schedule:
        stop_schedule(teardown.aws, teardown.record)


def _whose(record: RunRecord) -> str:
    """Why a cluster is left alone; an empty one costs nothing."""
    if record.cluster == "default":
        return "it is the account's own, which no run removes; it costs nothing"
    return "something else made it or uses it, and without machines it costs nothing"


def _is_held_by_us_alone(teardown: Teardown) -> bool:
    """Whether the cluster is ours and only our machines and tasks, which are ending, keep it."""
    ecs, record = teardown.aws.ecs, teardown.record
    if record.cluster == "default":
        return False
    for found in ecs.describe_clusters(clusters=[record.cluster], include=["TAGS"])["clusters"]:
        tags = {tag.get("key"): tag.get("value") for tag in found.get("tags", [])}
        if tags.get(APP_TAG) != record.app_name:
            return False
    machines = cluster.container_instances(ecs, record.cluster)
    if any(machine.attributes.get(APP_ATTRIBUTE) != record.app_name for machine in machines):
        return False
    pages = ecs.get_paginator("list_services").paginate(cluster=record.cluster)
    names = {arn.rsplit("/", 1)[-1] for page in pages for arn in page["serviceArns"]}
    return names <= {record.service}


STEPS = (
    Step("cancel the spot fleets", _cancel_fleets),
    Step("terminate the machines that were left", _terminate_machines),
    Step("delete the queue", _delete_queue),
    Step("delete the service", _delete_service),
    Step("deregister the task definitions", _delete_task_definitions),
    Step("delete the launch templates", _delete_launch_templates),
    Step("delete the dashboard", _delete_dashboard),
    Step("take the machines off the cluster's list", _deregister_machines),
    Step("delete the cluster", _delete_cluster),
    # Late, for a worker that was just beginning on a machine makes one.
    Step("delete the machines' alarms", _delete_alarms),
    Step("delete the schedule", _delete_schedule, is_last=True),
)


def _each(names: Iterable[str], act: Callable[[str], object]) -> None:
    """Act on every name however many fail; raises one error that names those."""
    problems = []
    kind: type[DistributedSomethingError] = DistributedSomethingError
    for name in names:
        try:
            act(name)
        except FAULTS as error:
            problems.append(f"{name}: {error}")
            kind = PassingFault if may_pass(error) else kind
    if problems:
        raise kind("; ".join(problems))
