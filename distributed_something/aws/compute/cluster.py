"""Make, scale, read and delete what ECS holds of a run: cluster, service, tasks, machines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...command_lines import run_line
from ...errors import DistributedSomethingError, NotFound
from ...words import count_of
from ..patience import until_known
from ..tags import ecs_tags

if TYPE_CHECKING:
    from types_boto3_ecs import ECSClient
    from types_boto3_ecs.type_defs import ServiceTypeDef

logger = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html
DESCRIBE_BATCH = 100
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html
STATE_BATCH = 10
_DRAIN_LOOK = 5.0  # seconds between two looks at a service that drains
_DRAIN_LIMIT = 900.0  # seconds


@dataclass(frozen=True)
class ContainerInstance:
    """A machine as ECS sees it; `attributes` are those with a value."""

    arn: str
    instance_id: str
    status: str  # ACTIVE, DRAINING, REGISTERING...
    running_tasks: int
    pending_tasks: int
    agent_connected: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class ServiceStatus:
    """How many containers a service is to keep, and how many it does."""

    desired: int
    running: int
    pending: int
    events: tuple[str, ...]  # what ECS says of it, newest first


def list_clusters(ecs: ECSClient) -> Iterator[str]:
    """The names of all clusters of the account."""
    for page in ecs.get_paginator("list_clusters").paginate():
        yield from (_last(arn) for arn in page["clusterArns"])


def list_services(ecs: ECSClient, cluster: str) -> Iterator[str]:
    """The names of all services of a cluster."""
    for page in ecs.get_paginator("list_services").paginate(cluster=cluster):
        yield from (_last(arn) for arn in page["serviceArns"])


def list_container_instances(ecs: ECSClient, cluster: str) -> Iterator[str]:
    """The ids of all machines that are registered with a cluster, as ECS names them."""
    for page in ecs.get_paginator("list_container_instances").paginate(cluster=cluster):
        yield from (_last(arn) for arn in page["containerInstanceArns"])


def list_task_definitions(ecs: ECSClient) -> Iterator[str]:
    """The names of all active revisions of task definitions of the account."""
    for page in ecs.get_paginator("list_task_definitions").paginate(status="ACTIVE"):
        yield from (_last(arn) for arn in page["taskDefinitionArns"])


def ensure_cluster(ecs: ECSClient, name: str, tags: Mapping[str, str]) -> None:
    """Make the cluster unless it is there already; somebody else's is used as it is."""
    clusters = ecs.describe_clusters(clusters=[name])["clusters"]
    if any(cluster["status"] == "ACTIVE" for cluster in clusters):
        return
    ecs.create_cluster(clusterName=name, tags=ecs_tags(tags))
    logger.info("Created the cluster %s.", name)


def delete_cluster(ecs: ECSClient, name: str, tags: Mapping[str, str]) -> bool:
    """Delete the cluster if it carries all of these tags, is not 'default' and holds nothing.

    False if it is there still: it is not ours, or something else uses it.
    """
    answer = ecs.describe_clusters(clusters=[name], include=["TAGS"])
    for cluster in answer["clusters"]:
        if cluster["status"] != "ACTIVE":
            continue
        found = {tag.get("key", ""): tag.get("value", "") for tag in cluster.get("tags", [])}
        if name == "default" or any(found.get(key) != value for key, value in tags.items()):
            return False
        return _delete_empty_cluster(ecs, name)
    return True


def cluster_tags(ecs: ECSClient, name: str) -> dict[str, str] | None:
    """The tags of a cluster; None if there is no such cluster."""
    for cluster in ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"]:
        if cluster["status"] == "ACTIVE":
            return {tag.get("key", ""): tag.get("value", "") for tag in cluster.get("tags", [])}
    return None


def register_task_definition(ecs: ECSClient, definition: Mapping[str, Any]) -> str:
    """Register a task definition and return the ARN of the new revision."""
    request: Any = dict(definition)
    arn = ecs.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"]
    logger.info("Registered the task definition %s.", arn.rsplit("/", 1)[-1])
    return arn


def delete_task_definitions(ecs: ECSClient, family: str) -> int:
    """Deregister every ACTIVE revision of a family; how many they were."""
    ours = find_task_definitions(ecs, family)
    for arn in ours:
        ecs.deregister_task_definition(taskDefinition=arn)
    if ours:
        revisions = count_of(len(ours), "revision")
        logger.info("Deregistered %s of the task definition %s.", revisions, family)
    return len(ours)


def find_task_definitions(ecs: ECSClient, family: str) -> list[str]:
    """The ARNs of every ACTIVE revision of a family."""
    pages = ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=family, status="ACTIVE"
    )
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    return [arn for arn in arns if arn.rsplit("/", 1)[-1].rsplit(":", 1)[0] == family]


def describe_service(ecs: ECSClient, cluster: str, service: str) -> ServiceStatus:
    """The service's numbers and events; raises NotFound."""
    found = _live_service(ecs, cluster, service)
    if found is None or found["status"] != "ACTIVE":
        raise NotFound(_no_service(cluster, service))
    return ServiceStatus(
        found["desiredCount"],
        found["runningCount"],
        found["pendingCount"],
        tuple(event["message"] for event in found.get("events", [])),
    )


def ensure_service(
    ecs: ECSClient,
    request: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make the service, or bring a live one up to date in place; its desired count stays as it is.

    A service that drains after its deletion is waited for: ECS refuses to make it again until then.
    """
    wanted: Any = dict(request)
    live = _wait_while_draining(ecs, wanted["cluster"], wanted["serviceName"], sleep)
    is_new = live is None and _create_service(ecs, wanted, tags)
    if live is None:
        _wait_until_seen(ecs, wanted["cluster"], wanted["serviceName"], sleep)
    if is_new:
        logger.info("Created the service %s.", wanted["serviceName"])
        return
    wanted["service"] = wanted.pop("serviceName")
    for only_at_creation in ("launchType", "schedulingStrategy"):
        wanted.pop(only_at_creation, None)
    ecs.update_service(**wanted)
    logger.info("The service %s already exists; it is up to date.", wanted["service"])


def _create_service(ecs: ECSClient, wanted: dict[str, Any], tags: Mapping[str, str]) -> bool:
    """Make the service; False if it is there after all: a first request's answer was lost.

    ECS then refuses a second one as "not idempotent", also before it shows the first.
    """
    try:
        ecs.create_service(**wanted, desiredCount=0, tags=ecs_tags(tags), propagateTags="SERVICE")
    except ecs.exceptions.InvalidParameterException as error:
        if "not idempotent" not in str(error):
            raise
        return False
    return True


def _wait_until_seen(
    ecs: ECSClient, cluster: str, service: str, sleep: Callable[[float], None]
) -> None:
    """Wait until ECS shows a new service, so that the next verb finds it too."""

    def find() -> None:
        if _live_service(ecs, cluster, service) is None:
            raise ecs.exceptions.ServiceNotFoundException({}, "DescribeServices")

    until_known(find, lambda _: True, sleep=sleep, what=f"the service {service}")


def scale_service(ecs: ECSClient, cluster: str, service: str, desired: int) -> None:
    """Set how many containers the service keeps; raises NotFound."""
    try:
        ecs.update_service(cluster=cluster, service=service, desiredCount=desired)
    except (
        ecs.exceptions.ServiceNotFoundException,
        ecs.exceptions.ServiceNotActiveException,
        ecs.exceptions.ClusterNotFoundException,
    ):
        raise NotFound(_no_service(cluster, service)) from None
    logger.info("The service %s now runs %s.", service, count_of(desired, "container"))


def delete_service(ecs: ECSClient, cluster: str, service: str) -> bool:
    """Delete the service whatever it runs; False if there is none."""
    try:
        ecs.delete_service(cluster=cluster, service=service, force=True)
    except (
        ecs.exceptions.ServiceNotFoundException,
        ecs.exceptions.ServiceNotActiveException,
        ecs.exceptions.ClusterNotFoundException,
    ):
        return False
    logger.info("Deleted the service %s.", service)
    return True


def container_instances(ecs: ECSClient, cluster: str) -> list[ContainerInstance]:
    """Every machine registered with the cluster; none if there is no cluster."""
    pages = ecs.get_paginator("list_container_instances").paginate(cluster=cluster)
    try:
        arns = [arn for page in pages for arn in page["containerInstanceArns"]]
    except ecs.exceptions.ClusterNotFoundException:
        return []
    found: list[ContainerInstance] = []
    for batch in _batches(arns, DESCRIBE_BATCH):
        answer = ecs.describe_container_instances(cluster=cluster, containerInstances=batch)
        found.extend(_container_instance(raw) for raw in answer["containerInstances"])
    return found


def drain_instances(ecs: ECSClient, cluster: str, arns: Iterable[str]) -> None:
    """Let these machines take no more containers; the service moves what they run elsewhere."""
    for batch in _batches(list(arns), STATE_BATCH):
        ecs.update_container_instances_state(
            cluster=cluster, containerInstances=batch, status="DRAINING"
        )


def deregister_instance(ecs: ECSClient, cluster: str, arn: str) -> None:
    """Take a machine off the cluster's list, whatever it runs; one that is gone is fine."""
    try:
        ecs.deregister_container_instance(cluster=cluster, containerInstance=arn, force=True)
    except (
        ecs.exceptions.InvalidParameterException,
        ecs.exceptions.ClusterNotFoundException,
    ):
        logger.info("The machine %s was already removed from the cluster.", arn)


def _live_service(ecs: ECSClient, cluster: str, service: str) -> ServiceTypeDef | None:
    """The service if it is ACTIVE or DRAINING."""
    try:
        found = ecs.describe_services(cluster=cluster, services=[service])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        return None
    return next((container for container in found if container["status"] != "INACTIVE"), None)


def _wait_while_draining(
    ecs: ECSClient, cluster: str, service: str, sleep: Callable[[float], None]
) -> ServiceTypeDef | None:
    """The ACTIVE service, or None once there is none."""
    for look in range(int(_DRAIN_LIMIT / _DRAIN_LOOK)):
        live = _live_service(ecs, cluster, service)
        if live is None or live["status"] == "ACTIVE":
            return live
        if look == 0:
            logger.info("The deleted service %s is draining; waiting until it is gone.", service)
        sleep(_DRAIN_LOOK)
    raise DistributedSomethingError(
        f"The service {service} of an earlier run is not drained after {_DRAIN_LIMIT / 60:.0f} "
        f"minutes: stop its tasks in the ECS console, then run `{run_line('setup')}` again."
    )


def _delete_empty_cluster(ecs: ECSClient, name: str) -> bool:
    try:
        ecs.delete_cluster(cluster=name)
    except (
        ecs.exceptions.ClusterContainsContainerInstancesException,
        ecs.exceptions.ClusterContainsServicesException,
        ecs.exceptions.ClusterContainsTasksException,
        ecs.exceptions.UpdateInProgressException,
    ):
        return False
    logger.info("Deleted the cluster %s.", name)
    return True


def _container_instance(raw: Mapping[str, Any]) -> ContainerInstance:
    return ContainerInstance(
        arn=raw["containerInstanceArn"],
        instance_id=raw.get("ec2InstanceId", ""),
        status=raw["status"],
        running_tasks=raw.get("runningTasksCount", 0),
        pending_tasks=raw.get("pendingTasksCount", 0),
        agent_connected=raw.get("agentConnected", False),
        attributes={
            attribute["name"]: attribute["value"]
            for attribute in raw.get("attributes", [])
            if "value" in attribute
        },
    )


def _batches(items: Sequence[str], size: int) -> Iterator[list[str]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))


def _last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _no_service(cluster: str, service: str) -> str:
    return f"No service {service} in the cluster {cluster}: run `{run_line('setup')}` first."
