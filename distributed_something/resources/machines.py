"""Find and delete what a run has of EC2 and ECS: fleets, machines, service, cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..aws.compute import cluster, fleet, instances, launch_templates
from ..aws.faults import do_each
from ..definitions.tags import APP_TAG, app_tags
from ..definitions.user_data import APP_ATTRIBUTE
from ..errors import DistributedSomethingError, NotFound
from ..words import count_of
from .kinds import Found, Owner

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_CLUSTER_WAIT = 5.0  # seconds between two tries to delete a cluster whose last tasks stop
_CLUSTER_TRIES = 24


def _app_fleets(aws: Aws, owner: Owner) -> list[str]:
    """The recorded fleets, then any that was bought without our hearing of its id."""
    tagged = fleet.find_fleets(aws.ec2, owner.tags) if owner.tags else []
    return list(dict.fromkeys([*_own_fleets(aws, owner.record), *tagged]))


def _own_fleets(aws: Aws, record: RunRecord) -> list[str]:
    """The recorded fleets that are ours: a record is text, which anybody may have written."""
    return [fleet_id for fleet_id in record.fleet_ids if _is_our_fleet(aws, record, fleet_id)]


def _is_our_fleet(aws: Aws, record: RunRecord, fleet_id: str) -> bool:
    """Whether its tag says so or, without one, its machines join our cluster, as upstream's do."""
    origin = fleet.fleet_origin(aws.ec2, fleet_id)
    if origin is None:
        return False
    is_ours = origin.is_of(record.app_name, record.bucket, record.cluster)
    if not is_ours:
        logger.warning("The fleet %s is left alone: it is none of %s.", fleet_id, record.app_name)
    return is_ours


def find_fleets(aws: Aws, owner: Owner) -> Iterator[Found]:
    for fleet_id in _app_fleets(aws, owner):
        try:
            status = fleet.describe_fleet(aws.ec2, fleet_id)
        except NotFound:
            continue
        if status.is_live:
            machines = f"{status.fulfilled:g} of {count_of(status.target, 'machine')}"
            yield Found(fleet_id, f"{status.state}, {machines}")


def cancel_fleets(aws: Aws, owner: Owner) -> None:
    do_each(_app_fleets(aws, owner), lambda fleet_id: fleet.cancel_fleet(aws.ec2, fleet_id))


def _fleet_members(aws: Aws, owner: Owner) -> set[str]:
    return {
        name
        for fleet_id in _own_fleets(aws, owner.record)
        for name in fleet.fleet_members(aws.ec2, fleet_id)
    }


def find_machines(aws: Aws, owner: Owner) -> Iterator[Found]:
    tagged = instances.find_machines(aws.ec2, owner.tags) if owner.tags else []
    untagged = _fleet_members(aws, owner) - {machine.instance_id for machine in tagged}
    for machine in [*tagged, *instances.describe_machines(aws.ec2, sorted(untagged))]:
        if machine.is_live:
            detail = f"{machine.instance_type} in {machine.zone}, {machine.state}"
            yield Found(machine.instance_id, detail)


def terminate_machines(aws: Aws, owner: Owner) -> None:
    """Terminate what a cancelled fleet did not: machines that it left running, or that left it."""
    left = _fleet_members(aws, owner)
    if owner.tags:
        tagged = instances.find_machines(aws.ec2, owner.tags)
        left |= {machine.instance_id for machine in tagged}
    instances.terminate_instances(aws.ec2, sorted(left))


def find_service(aws: Aws, owner: Owner) -> Iterator[Found]:
    record = owner.record
    try:
        status = cluster.describe_service(aws.ecs, record.cluster, record.service)
    except NotFound:
        return
    running = f"{status.running} of {count_of(status.desired, 'container')}"
    yield Found(record.service, f"{running} {'runs' if status.desired == 1 else 'run'}")


def find_task_definitions(aws: Aws, owner: Owner) -> Iterator[Found]:
    for arn in cluster.find_task_definitions(aws.ecs, owner.record.task_family):
        yield Found(arn.rsplit("/", 1)[-1])


def find_launch_templates(aws: Aws, owner: Owner) -> Iterator[Found]:
    tagged = launch_templates.find_launch_templates(aws.ec2, owner.tags) if owner.tags else []
    yield from map(Found, tagged)


def delete_launch_templates(aws: Aws, owner: Owner) -> None:
    tagged = {found.name for found in find_launch_templates(aws, owner)}
    record = owner.record
    known = launch_templates.find_launch_templates(aws.ec2, app_tags(record.app_name))
    names = tagged.union(set(record.launch_templates) & set(known))
    do_each(sorted(names), lambda name: launch_templates.delete_launch_template(aws.ec2, name))


def deregister_machines(aws: Aws, owner: Owner) -> None:
    """Take our machines off the cluster's list: one whose agent is cut off would stay on it."""
    record = owner.record
    ours = [
        machine.arn
        for machine in cluster.container_instances(aws.ecs, record.cluster)
        if machine.attributes.get(APP_ATTRIBUTE) == record.app_name
    ]
    do_each(ours, lambda arn: cluster.deregister_instance(aws.ecs, record.cluster, arn))


def list_registered_machines(aws: Aws) -> Iterator[str]:
    for name in cluster.list_clusters(aws.ecs):
        for machine in cluster.list_container_instances(aws.ecs, name):
            yield f"{name}/{machine}"


def list_services(aws: Aws) -> Iterator[str]:
    for name in cluster.list_clusters(aws.ecs):
        yield from (f"{name}/{service}" for service in cluster.list_services(aws.ecs, name))


def find_cluster(aws: Aws, owner: Owner) -> Iterator[Found]:
    name = owner.record.cluster
    if name != "default" and _is_our_cluster(aws, owner.record):
        yield Found(name)


def _is_our_cluster(aws: Aws, record: RunRecord) -> bool:
    tags = cluster.cluster_tags(aws.ecs, record.cluster)
    return tags is not None and tags.get(APP_TAG) == record.app_name


def delete_cluster(aws: Aws, owner: Owner) -> None:
    """Delete the cluster if it is ours and nobody else's, once its last tasks have stopped."""
    record = owner.record
    for tried in range(_CLUSTER_TRIES):
        if cluster.delete_cluster(aws.ecs, record.cluster, app_tags(record.app_name)):
            return
        if not _is_held_by_us_alone(aws, record):
            logger.info("The cluster %s stays: %s.", record.cluster, _why_cluster_stays(record))
            return
        if tried < _CLUSTER_TRIES - 1:
            owner.sleep(_CLUSTER_WAIT)
            # The agent of a machine that is shutting down may have put it on the list again.
            deregister_machines(aws, owner)
    raise DistributedSomethingError(f"our last tasks are running in the cluster {record.cluster}.")


def _is_held_by_us_alone(aws: Aws, record: RunRecord) -> bool:
    """Whether the cluster is ours and only our machines and tasks, which are ending, keep it."""
    if record.cluster == "default" or not _is_our_cluster(aws, record):
        return False
    machines = cluster.container_instances(aws.ecs, record.cluster)
    if any(machine.attributes.get(APP_ATTRIBUTE) != record.app_name for machine in machines):
        return False
    return set(cluster.list_services(aws.ecs, record.cluster)) <= {record.service}


def _why_cluster_stays(record: RunRecord) -> str:
    """An empty cluster costs nothing."""
    if record.cluster == "default":
        return "it is the account's own, which no run removes; it costs nothing"
    return "something else made it or uses it, and without machines it costs nothing"
