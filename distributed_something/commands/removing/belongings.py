"""List what there is of one app, by tags and exact names, whether or not a record tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...aws.compute import cluster, fleet
from ...aws.messaging import queues
from ...aws.monitoring import alarms, dashboards, logs
from ...definitions.logs import log_groups
from ...definitions.tags import APP_TAG, app_tags
from ...errors import NotFound
from ...protocol.ledger.record import RunRecord
from ...words import count_of
from .tear_down import FAULTS

if TYPE_CHECKING:
    from ...aws.session import Aws


UNSEEN = "?"  # the name of what could not be looked for


@dataclass(frozen=True)
class Belonging:
    """One thing of an app; `detail` says how it is, `stays` that no teardown removes it."""

    kind: str
    name: str
    detail: str = ""
    stays: bool = False


def find_belongings(aws: Aws, record: RunRecord) -> tuple[Belonging, ...]:
    """Everything of the record's app, what costs most first; the record gives the names."""
    return tuple(
        belonging
        for kinds, find in _KINDS.items()
        for belonging in _found(kinds, find(aws, record))
    )


def _found(kinds: str, belongings: Iterator[Belonging]) -> Iterator[Belonging]:
    """What a search finds; where it fails, a line says so: it must keep no fleet running."""
    try:
        yield from belongings
    except FAULTS as error:
        yield Belonging(kinds, UNSEEN, f"could not be looked for: {error}")


def app_fleets(aws: Aws, record: RunRecord) -> list[str]:
    """The ids of the app's fleets of every run: the recorded ones, then any by our tag."""
    tagged = fleet.find_fleets(aws.ec2, app_tags(record.app_name))
    return list(dict.fromkeys([*record.fleet_ids, *tagged]))


def _fleets(aws: Aws, record: RunRecord) -> Iterator[Belonging]:
    for fleet_id in app_fleets(aws, record):
        try:
            status = fleet.describe_fleet(aws.ec2, fleet_id)
        except NotFound:
            continue
        if status.is_live:
            machines = f"{status.fulfilled:g} of {count_of(status.target, 'machine')}"
            yield Belonging("spot fleet", fleet_id, f"{status.state}, {machines}")


def _machines(aws: Aws, record: RunRecord) -> Iterator[Belonging]:
    tagged = fleet.find_machines(aws.ec2, app_tags(record.app_name))
    seen = {machine.instance_id: machine for machine in tagged}
    bought = [
        machine.instance_id
        for fleet_id in record.fleet_ids
        for machine in fleet.fleet_instances(aws.ec2, fleet_id)
        if machine.instance_id not in seen
    ]
    for machine in [*seen.values(), *fleet.describe_machines(aws.ec2, bought)]:
        if machine.is_live:
            detail = f"{machine.instance_type} in {machine.zone}, {machine.state}"
            yield Belonging("machine", machine.instance_id, detail)


def _queues(aws: Aws, record: RunRecord) -> Iterator[Belonging]:
    for name, stays in ((record.queue_name, False), (record.dead_letter_queue_name, True)):
        try:
            counts = queues.count_jobs(aws.sqs, queues.find_queue(aws.sqs, name))
        except (NotFound, aws.sqs.exceptions.QueueDoesNotExist):
            continue
        waiting = counts.waiting + counts.delayed
        detail = f"{waiting} waiting, {counts.in_flight} running"
        kind = "dead-letter queue" if stays else "queue"
        yield Belonging(kind, name, count_of(waiting, "job") if stays else detail, stays)


def _services(aws: Aws, record: RunRecord) -> Iterator[Belonging]:
    try:
        status = cluster.describe_service(aws.ecs, record.cluster, record.service)
    except NotFound:
        return
    running = f"{status.running} of {count_of(status.desired, 'container')}"
    detail = f"{running} {'runs' if status.desired == 1 else 'run'}"
    yield Belonging("service", record.service, detail)


def _alarms(aws: Aws, record: RunRecord) -> Iterator[Belonging]:
    for name in alarms.find_machine_alarms(aws.cloudwatch, record.app_name).values():
        yield Belonging("alarm", name)


def _free_things(aws: Aws, record: RunRecord) -> Iterator[Belonging]:
    for arn in cluster.find_task_definitions(aws.ecs, record.task_family):
        yield Belonging("task definition", arn.rsplit("/", 1)[-1])
    tagged = fleet.find_launch_templates(aws.ec2, app_tags(record.app_name))
    for name in tagged:
        yield Belonging("launch template", name)
    if record.cluster != "default":
        tags = cluster.cluster_tags(aws.ecs, record.cluster)
        if tags and tags.get(APP_TAG) == record.app_name:
            yield Belonging("cluster", record.cluster)
    if record.dashboard and dashboards.dashboard_exists(aws.cloudwatch, record.dashboard):
        stays = not record.clean_dashboard
        yield Belonging("dashboard", record.dashboard, stays=stays)
    if record.schedule and record.is_live:
        yield Belonging("schedule", record.schedule)


def _staying(aws: Aws, record: RunRecord) -> Iterator[Belonging]:
    for name in log_groups(record.log_group_name):
        if logs.log_group_exists(aws.logs, name):
            yield Belonging("log group", name, stays=True)
    if record.topic:
        name = record.topic.rsplit(":", 1)[-1]
        yield Belonging("topic", name, "tells of runs", stays=True)
    if record.run_id:
        place = f"s3://{record.bucket}/{record.keys.prefix}"
        yield Belonging("ledger", place, "what became of every job", stays=True)


_KINDS: dict[str, Callable[[Aws, RunRecord], Iterator[Belonging]]] = {
    "spot fleets": _fleets,
    "machines": _machines,
    "queues": _queues,
    "services": _services,
    "alarms": _alarms,
    "definitions, templates, cluster, dashboard and schedule": _free_things,
    "log groups": _staying,
}
