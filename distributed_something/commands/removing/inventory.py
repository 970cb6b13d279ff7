"""List every resource of every kind we make: the same before and after, nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ...aws.account.schedules import schedule_names
from ...definitions.account import SCHEDULE_GROUP
from ...protocol.ledger.record import RunRecord

if TYPE_CHECKING:
    from ...aws.session import Aws

_FLEETS_GONE = ("cancelled", "cancelled_terminating", "failed")
_MACHINES_THERE = ["pending", "running", "stopping", "stopped"]


def take_inventory(aws: Aws) -> frozenset[str]:
    """`kind name` of all in the account and region; machines on their way out do not count."""
    return frozenset(f"{kind} {name}" for kind, find in _KINDS.items() for name in find(aws))


def what_stays(record: RunRecord) -> frozenset[str]:
    """The part of an inventory that a teardown leaves on purpose: see `tear_down.STAYS`."""
    group = record.log_group_name
    stays = {
        f"queue {record.dead_letter_queue_name}",
        f"log-group {group}",
        f"log-group {group}_perInstance",
    }
    if record.topic:
        stays.add(f"topic {record.topic.rsplit(':', 1)[-1]}")
    if record.cluster == "default":
        stays.add("cluster default")
    if record.dashboard and not record.clean_dashboard:
        stays.add(f"dashboard {record.dashboard}")
    return frozenset(stays)


def _queues(aws: Aws) -> Iterator[str]:
    # A page size has to be asked for, or SQS answers with the first 1,000 and no more.
    pages = aws.sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1000})
    for page in pages:
        yield from (url.rsplit("/", 1)[-1] for url in page.get("QueueUrls", []))


def _clusters(aws: Aws) -> Iterator[str]:
    for page in aws.ecs.get_paginator("list_clusters").paginate():
        yield from (_last(arn) for arn in page["clusterArns"])


def _services(aws: Aws) -> Iterator[str]:
    for cluster in _clusters(aws):
        for page in aws.ecs.get_paginator("list_services").paginate(cluster=cluster):
            yield from (f"{cluster}/{_last(arn)}" for arn in page["serviceArns"])


def _container_instances(aws: Aws) -> Iterator[str]:
    for cluster in _clusters(aws):
        for page in aws.ecs.get_paginator("list_container_instances").paginate(cluster=cluster):
            yield from (f"{cluster}/{_last(arn)}" for arn in page["containerInstanceArns"])


def _task_definitions(aws: Aws) -> Iterator[str]:
    pages = aws.ecs.get_paginator("list_task_definitions").paginate(status="ACTIVE")
    for page in pages:
        yield from (_last(arn) for arn in page["taskDefinitionArns"])


def _fleets(aws: Aws) -> Iterator[str]:
    for page in aws.ec2.get_paginator("describe_spot_fleet_requests").paginate():
        for fleet in page["SpotFleetRequestConfigs"]:
            if fleet["SpotFleetRequestState"] not in _FLEETS_GONE:
                yield fleet["SpotFleetRequestId"]


def _machines(aws: Aws) -> Iterator[str]:
    pages = aws.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": _MACHINES_THERE}]
    )
    for page in pages:
        for reservation in page["Reservations"]:
            yield from (instance["InstanceId"] for instance in reservation["Instances"])


def _volumes(aws: Aws) -> Iterator[str]:
    for page in aws.ec2.get_paginator("describe_volumes").paginate():
        yield from (volume["VolumeId"] for volume in page["Volumes"])


def _launch_templates(aws: Aws) -> Iterator[str]:
    for page in aws.ec2.get_paginator("describe_launch_templates").paginate():
        yield from (template["LaunchTemplateName"] for template in page["LaunchTemplates"])


def _alarms(aws: Aws) -> Iterator[str]:
    for page in aws.cloudwatch.get_paginator("describe_alarms").paginate():
        yield from (alarm["AlarmName"] for alarm in page["MetricAlarms"])


def _dashboards(aws: Aws) -> Iterator[str]:
    for page in aws.cloudwatch.get_paginator("list_dashboards").paginate():
        yield from (dashboard["DashboardName"] for dashboard in page["DashboardEntries"])


def _log_groups(aws: Aws) -> Iterator[str]:
    for page in aws.logs.get_paginator("describe_log_groups").paginate():
        yield from (group["logGroupName"] for group in page["logGroups"])


def _topics(aws: Aws) -> Iterator[str]:
    for page in aws.sns.get_paginator("list_topics").paginate():
        yield from (one["TopicArn"].rsplit(":", 1)[-1] for one in page["Topics"])


def _schedules(aws: Aws) -> Iterator[str]:
    yield from schedule_names(aws.scheduler, SCHEDULE_GROUP)


def _last(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


_KINDS: dict[str, Callable[[Aws], Iterator[str]]] = {
    "queue": _queues,
    "cluster": _clusters,
    "service": _services,
    "container-instance": _container_instances,
    "task-definition": _task_definitions,
    "fleet": _fleets,
    "machine": _machines,
    "volume": _volumes,
    "launch-template": _launch_templates,
    "alarm": _alarms,
    "dashboard": _dashboards,
    "log-group": _log_groups,
    "schedule": _schedules,
    "topic": _topics,
}
