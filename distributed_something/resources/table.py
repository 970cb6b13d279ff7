"""The one table of the kinds of resources that a run makes, in the order of teardown.

Teardown, `cancel`, the inventory, the policies' tests and the book's page of changes read it. A new
kind is a row here, a request in `definitions`, its calls in `aws`, and one call in a recipe.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..aws.account import schedules
from ..aws.compute import cluster, fleet, instances, launch_templates
from ..aws.faults import FAULTS
from ..aws.messaging import queues, topics
from ..aws.monitoring import alarms, dashboards, logs
from ..definitions.account import SCHEDULE_GROUP
from ..definitions.auto_monitor import schedule_name
from ..definitions.logs import log_groups
from ..definitions.tags import APP_TAG
from ..words import count_of
from . import machines
from .kinds import Found, Owner, Resource, ResourceKind

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

UNSEEN = "?"  # the name of what could not be looked for


def _find_queue(aws: Aws, owner: Owner) -> Iterator[Found]:
    name = owner.record.queue_name
    counts = queues.count_queue(aws.sqs, name)
    if counts is not None:
        yield Found(name, f"{counts.waiting + counts.delayed} waiting, {counts.in_flight} running")


def _delete_queue(aws: Aws, owner: Owner) -> None:
    """Delete the queue if it is ours: by its name, its tag, or upstream's record and no tag."""
    record = owner.record
    name = record.queue_name
    if name != f"{record.app_name}Queue":
        tags = queues.queue_tags(aws.sqs, name)
        if tags.get(APP_TAG, "" if record.run_id else record.app_name) != record.app_name:
            logger.warning(
                "The queue %s stays: no tag says that it is %s's.", name, record.app_name
            )
            return
    queues.delete_queue(aws.sqs, name)


def _dashboard_name(record: RunRecord) -> str:
    """The dashboard's name, which is the app's; another that a record names is none of ours."""
    return record.dashboard if record.dashboard == record.app_name else ""


def _find_dashboard(aws: Aws, owner: Owner) -> Iterator[Found]:
    name = _dashboard_name(owner.record)
    if name and dashboards.dashboard_exists(aws.cloudwatch, name):
        yield Found(name)


def _delete_dashboard(aws: Aws, owner: Owner) -> None:
    name = _dashboard_name(owner.record)
    if name and owner.record.clean_dashboard:
        dashboards.delete_dashboard(aws.cloudwatch, name)


def _staying_dashboard(record: RunRecord) -> Iterator[str]:
    if record.dashboard and not record.clean_dashboard:
        yield record.dashboard


def _find_alarms(aws: Aws, owner: Owner) -> Iterator[Found]:
    app_name = owner.record.app_name
    yield from map(Found, alarms.find_machine_alarms(aws.cloudwatch, app_name).values())
    yield from map(Found, alarms.find_queue_alarms(aws.cloudwatch, app_name))


def _delete_alarms(aws: Aws, owner: Owner) -> None:
    alarms.delete_alarms(aws.cloudwatch, [found.name for found in _find_alarms(aws, owner)])


def _find_schedule(_aws: Aws, owner: Owner) -> Iterator[Found]:
    if owner.record.schedule and owner.record.is_live:
        yield Found(owner.record.schedule)


def _delete_schedule(aws: Aws, owner: Owner) -> None:
    record = owner.record
    if record.schedule and not owner.keeps_schedule:
        name = schedule_name(record.app_name, record.run_id)
        schedules.delete_schedule(aws.scheduler, SCHEDULE_GROUP, name)


def _find_dead_letter_queue(aws: Aws, owner: Owner) -> Iterator[Found]:
    name = owner.record.dead_letter_queue_name
    counts = queues.count_queue(aws.sqs, name) if name else None
    if counts is not None:
        yield Found(name, count_of(counts.waiting + counts.delayed, "job"))


def _dead_letter_queue(record: RunRecord) -> Iterator[str]:
    if record.dead_letter_queue_name:
        yield record.dead_letter_queue_name


def _find_log_groups(aws: Aws, owner: Owner) -> Iterator[Found]:
    for name in log_groups(owner.record.log_group_name):
        if logs.log_group_exists(aws.logs, name):
            yield Found(name)


def _topic(record: RunRecord) -> Iterator[str]:
    if record.topic:
        yield record.topic.rsplit(":", 1)[-1]


def _ledger(record: RunRecord) -> Iterator[str]:
    if record.run_id or record.ledger:
        yield f"s3://{record.bucket}/{record.keys.prefix}"


def _boot_settings(record: RunRecord) -> Iterator[str]:
    """What the machines that upstream bought read as they boot."""
    if not record.run_id and record.fleets:
        yield f"s3://{record.bucket}/ecsconfigs/{record.app_name}_ecs.config"


def _find_topic(_: Aws, owner: Owner) -> Iterator[Found]:
    yield from (Found(name, "gets a notice of each run") for name in _topic(owner.record))


def _find_ledger(_: Aws, owner: Owner) -> Iterator[Found]:
    yield from (Found(name, "what became of every job") for name in _ledger(owner.record))


RESOURCE_KINDS = (
    ResourceKind(
        "spot fleet",
        list_all=lambda aws: fleet.list_fleets(aws.ec2),
        find=machines.find_fleets,
        delete=machines.cancel_fleets,
        step="cancel the spot fleets",
        action="ec2:CancelSpotFleetRequests",
    ),
    ResourceKind(
        "machine",
        list_all=lambda aws: instances.list_machines(aws.ec2),
        find=machines.find_machines,
        delete=machines.terminate_machines,
        step="terminate the machines that were left",
        action="ec2:TerminateInstances",
    ),
    ResourceKind("volume", list_all=lambda aws: instances.list_volumes(aws.ec2)),
    ResourceKind(
        "queue",
        list_all=lambda aws: queues.list_queues(aws.sqs),
        find=_find_queue,
        delete=_delete_queue,
        step="delete the queue",
        action="sqs:DeleteQueue",
    ),
    ResourceKind(
        "service",
        list_all=machines.list_services,
        find=machines.find_service,
        delete=lambda aws, owner: cluster.delete_service(
            aws.ecs, owner.record.cluster, owner.record.service
        ),
        step="delete the service",
        action="ecs:DeleteService",
    ),
    ResourceKind(
        "task definition",
        list_all=lambda aws: cluster.list_task_definitions(aws.ecs),
        find=machines.find_task_definitions,
        delete=lambda aws, owner: cluster.delete_task_definitions(
            aws.ecs, owner.record.task_family
        ),
        step="deregister the task definitions",
        action="ecs:DeregisterTaskDefinition",
    ),
    ResourceKind(
        "launch template",
        list_all=lambda aws: launch_templates.list_launch_templates(aws.ec2),
        find=machines.find_launch_templates,
        delete=machines.delete_launch_templates,
        step="delete the launch templates",
        action="ec2:DeleteLaunchTemplate",
    ),
    ResourceKind(
        "dashboard",
        list_all=lambda aws: dashboards.list_dashboards(aws.cloudwatch),
        find=_find_dashboard,
        delete=_delete_dashboard,
        step="delete the dashboard",
        action="cloudwatch:DeleteDashboards",
        staying=_staying_dashboard,
        reason="CLEAN_DASHBOARD is not set",
    ),
    ResourceKind(
        "registered machine",
        list_all=machines.list_registered_machines,
        delete=machines.deregister_machines,
        step="take the machines off the cluster's list",
        action="ecs:DeregisterContainerInstance",
    ),
    ResourceKind(
        "cluster",
        list_all=lambda aws: cluster.list_clusters(aws.ecs),
        find=machines.find_cluster,
        delete=machines.delete_cluster,
        step="delete the cluster",
        action="ecs:DeleteCluster",
        staying=lambda record: ("default",) if record.cluster == "default" else (),
        reason="it is the account's own; it costs nothing",
    ),
    # Late, for a worker that was just beginning on a machine makes its alarm.
    ResourceKind(
        "alarm",
        list_all=lambda aws: alarms.list_alarms(aws.cloudwatch),
        find=_find_alarms,
        delete=_delete_alarms,
        step="delete the alarms",
        action="cloudwatch:DeleteAlarms",
    ),
    ResourceKind(
        "schedule",
        list_all=lambda aws: schedules.schedule_names(aws.scheduler, SCHEDULE_GROUP),
        find=_find_schedule,
        delete=_delete_schedule,
        step="delete the schedule",
        action="scheduler:DeleteSchedule",
        is_last=True,
    ),
    ResourceKind(
        "dead-letter queue",
        find=_find_dead_letter_queue,
        staying=_dead_letter_queue,
        reason="holds the jobs that were given up, to inspect and to retry",
        listed_as="queue",
    ),
    ResourceKind(
        "log group",
        list_all=lambda aws: logs.list_log_groups(aws.logs),
        find=_find_log_groups,
        staying=lambda record: log_groups(record.log_group_name),
        reason="holds what the jobs printed; CloudWatch deletes it after the retention time",
    ),
    ResourceKind(
        "topic",
        list_all=lambda aws: topics.list_topics(aws.sns),
        find=_find_topic,
        staying=_topic,
        reason="its subscriber need confirm only once",
    ),
    ResourceKind(
        "ledger",
        find=_find_ledger,
        staying=_ledger,
        reason="what became of every job, and the record of the run's end",
    ),
    ResourceKind(
        "boot settings",
        find=lambda _, owner: map(Found, _boot_settings(owner.record)),
        staying=_boot_settings,
        reason="a file of two lines in the bucket, which upstream's startCluster replaces",
    ),
)


def find_resources(aws: Aws, owner: Owner) -> tuple[Resource, ...]:
    """All that exists of an owner, in the order of teardown; a search that fails is an entry."""
    return tuple(found for kind in RESOURCE_KINDS for found in _find(kind, aws, owner))


def _find(kind: ResourceKind, aws: Aws, owner: Owner) -> Iterator[Resource]:
    """What a search finds; where it fails, a line says so: it must keep no fleet running."""
    staying = set(kind.staying(owner.record))
    try:
        for found in kind.find(aws, owner):
            yield Resource(kind.name, found.name, found.detail, stays=found.name in staying)
    except FAULTS as error:
        yield Resource(kind.name, UNSEEN, f"could not be listed: {error}")


def take_inventory(aws: Aws) -> frozenset[str]:
    """`kind name` of all in the account and region; machines on their way out do not count."""
    return frozenset(
        f"{kind.name} {name}" for kind in RESOURCE_KINDS for name in kind.list_all(aws)
    )


def what_stays(record: RunRecord) -> frozenset[str]:
    """The part of an inventory that a teardown keeps on purpose."""
    return frozenset(
        f"{kind.listed_as or kind.name} {name}"
        for kind in RESOURCE_KINDS
        if kind.is_listed
        for name in kind.staying(record)
    )


def staying_kinds(record: RunRecord) -> tuple[ResourceKind, ...]:
    """The kinds of which a teardown of this run keeps something."""
    return tuple(kind for kind in RESOURCE_KINDS if any(kind.staying(record)))
