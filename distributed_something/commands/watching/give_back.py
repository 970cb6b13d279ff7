"""Lower fleets, drain and end machines, and fit the service to the machines that are left."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...aws.compute import cluster, instances
from ...errors import NotFound
from ...protocol.fleet_target import lower_target
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.scaling import Fleet, Machine, Plan, wanted_containers
from ...snapshot import RunSnapshot
from ...words import count_of

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)


def carry_out(aws: Aws, record: RunRecord, plan: Plan) -> None:
    """Do what the plan says: lower first, or a fleet buys what is ended anew."""
    lower_targets(aws, plan.targets)
    if plan.drain:
        arns = [machine.container_instance for machine in plan.drain]
        cluster.drain_instances(aws.ecs, record.cluster, arns)
        logger.info("Idle, and given no more jobs: %s.", count_of(len(arns), "machine"))
    if plan.closed is not None:
        RunLedger.of(aws.s3, record).machines.write_closed_machines(plan.closed)
        logger.info("No more jobs for %s.", count_of(len(plan.closed), "machine"))
    if plan.terminate:
        instances.terminate_instances(aws.ec2, [machine.instance_id for machine in plan.terminate])


def lower_targets(aws: Aws, fleets: Sequence[Fleet]) -> None:
    """Let fleets keep fewer machines; none of those that run is ended by it."""
    for fleet in fleets:
        lower_target(aws.ec2, fleet.fleet_id, fleet.target)


def balance_service(
    aws: Aws, record: RunRecord, seen: RunSnapshot, machines: tuple[Machine, ...]
) -> None:
    """Let the service want as many containers as the machines can hold, and no more.

    After draining, not before: ECS stops the containers of drained machines first, whereas of a
    service that wants fewer it stops any, those at a job among them.
    """
    if not seen.fleets or not seen.has_queue:
        return
    joined = sum(1 for machine in machines if machine.joined and not machine.draining)
    try:
        desired = cluster.describe_service(aws.ecs, record.cluster, record.service).desired
        wanted = _wanted(record, seen, joined, desired)
        if desired != wanted:
            cluster.scale_service(aws.ecs, record.cluster, record.service, wanted)
    except NotFound as error:
        logger.warning("The machines have nothing to run. %s", error)


def _wanted(record: RunRecord, seen: RunSnapshot, joined: int, desired: int) -> int:
    """How many containers the service should want, which now wants `desired`.

    Where nothing says how many a machine takes, they are left as they are: only where there are
    none is one asked for each machine.
    """
    live = {fleet.fleet_id: fleet.target for fleet in seen.fleets}
    tasks = record.tasks_per_machine
    if tasks is None:
        return desired or (sum(live.values()) if seen.counts.total else 0)
    asked = sum(
        live.get(fleet.fleet_id, 0) if fleet.target_capacity is None else fleet.target_capacity
        for fleet in record.fleets
    )
    return wanted_containers(joined, asked * tasks, tasks)
