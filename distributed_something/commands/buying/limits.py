"""Refuse more machines than a cluster, a service or the account's quota can hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...aws.compute import cluster
from ...aws.compute.images import machine_types
from ...aws.compute.market import quota_of, spot_quota
from ...words import count_of

if TYPE_CHECKING:
    from ...aws.session import Aws
    from .purchase_checks import Wish

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
MOST_MACHINES = 5000  # container instances of a cluster
MOST_TASKS = 5000  # of a service


def cluster_limits(aws: Aws, wish: Wish) -> Iterator[str]:
    """What ECS could not hold, with the number of machines that fits."""
    settings = wish.settings
    if settings.cluster_machines * settings.tasks_per_machine <= min(MOST_MACHINES, MOST_TASKS) / 2:
        return  # far from the limits, whatever is there already: not worth a request
    there = len(cluster.container_instances(aws.ecs, settings.ecs_cluster))
    room = max(0, MOST_MACHINES - there)
    if settings.cluster_machines > room:
        used = f", and {there} are in {settings.ecs_cluster} already" if there else ""
        yield (
            f"CLUSTER_MACHINES = {settings.cluster_machines}: ECS takes {MOST_MACHINES:,} machines "
            f"in a cluster{used}. {count_of(room, 'machine fits', 'machines fit')}: lower it, or "
            "split the jobs over two apps, each with an ECS_CLUSTER of its own."
        )
    most = MOST_TASKS // settings.tasks_per_machine
    if settings.cluster_machines > most:
        yield (
            f"CLUSTER_MACHINES = {settings.cluster_machines} with TASKS_PER_MACHINE = "
            f"{settings.tasks_per_machine}: an ECS service has {MOST_TASKS:,} containers at most. "
            f"{count_of(most, 'machine fits', 'machines fit')}: lower one of them, or raise "
            "DOCKER_CORES in place of TASKS_PER_MACHINE."
        )


def quota_limits(aws: Aws, wish: Wish) -> Iterator[str]:
    """More vCPUs than the account may ever have at once, with the number of machines that fits."""
    settings = wish.settings
    names = [
        name
        for launch in (wish.plan.launches if wish.plan else ())
        for name in launch.machine_types
    ]
    codes = {quota_of(name) for name in names}
    if settings.on_demand or len(codes) != 1 or "" in codes:
        return  # On-Demand machines, and types of several groups, have other quotas
    (code,) = codes
    limit = spot_quota(aws.quotas, code)
    smallest = min(
        machine_types(aws.ec2, names).values(), key=lambda machine_type: machine_type.vcpus
    )
    if limit is None or settings.cluster_machines * smallest.vcpus <= limit:
        return
    fit = limit // smallest.vcpus
    yield (
        f"CLUSTER_MACHINES = {settings.cluster_machines}: the account's quota of spot machines "
        f"({code}) is {limit} vCPUs in {aws.region}, and a {smallest.name} has {smallest.vcpus}. "
        f"{count_of(fit, 'machine fits', 'machines fit')}: lower CLUSTER_MACHINES, or ask for more "
        "in the Service Quotas console."
    )
