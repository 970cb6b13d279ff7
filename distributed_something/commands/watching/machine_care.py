"""Report machines that never begin to work, end them after 45 minutes, replace few of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...aws.compute import cluster, instances
from ...aws.monitoring import alarms
from ...protocol.fleet_target import lower_target
from ...protocol.ledger.machine_facts import REFILLS
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.scaling import lower_by

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...snapshot import RunSnapshot

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LateMachine:
    """A machine that has not joined the cluster in time."""

    machine: instances.Instance
    cause: str  # the likely one

    @property
    def instance_id(self) -> str:
        return self.machine.instance_id


def find_late(
    aws: Aws, record: RunRecord, seen: RunSnapshot, late_seconds: float
) -> tuple[LateMachine, ...]:
    """The machines that have not joined the cluster so long after their launch, by EC2's clock."""
    waiting = [machine.instance_id for machine in seen.machines if not machine.joined]
    if not waiting:
        return ()
    return tuple(
        LateMachine(machine, likely_cause(machine, record.cluster))
        for machine in instances.describe_machines(aws.ec2, waiting)
        if machine.is_live and machine.age >= late_seconds
    )


def end_hopeless(
    aws: Aws,
    record: RunRecord,
    seen: RunSnapshot,
    late: Sequence[LateMachine],
    hopeless_seconds: float,
    now: float,
) -> RunSnapshot:
    """End the machines that never joined in so long; the seen after that.

    Only where ECS was read and does not list them: a machine may take 20 minutes to join. No more
    than REFILLS are replaced, those that workers reported as broken among them; where nothing else
    is left the run is stopped, for the next one would not join either.
    """
    hopeless = [found for found in late if found.machine.age >= hopeless_seconds]
    if not hopeless or not record.run_id or any(fleet.is_changing for fleet in seen.fleets):
        return seen
    if cluster.cluster_tags(aws.ecs, record.cluster) is None:
        logger.warning("The cluster %s does not exist, so no machine can join it.", record.cluster)
        return seen
    ledger = RunLedger.of(aws.s3, record)
    known = ledger.machines.broken_machines()
    new = [late for late in hopeless if late.instance_id not in known]
    for machine in new:
        logger.warning(
            "Machine %s never joined the cluster %s: %s",
            machine.instance_id,
            record.cluster,
            machine.cause,
        )
        ledger.machines.write_broken_machine(machine.instance_id, machine.cause, now)
    replaced = max(0, REFILLS - len(known))
    seen = _shrink(aws, seen, {machine.instance_id for machine in new[replaced:]})
    instances.terminate_instances(aws.ec2, [machine.instance_id for machine in hopeless])
    seen = seen.without_machines({machine.instance_id for machine in hopeless})
    if new and not _may_go_on(seen):
        reason = f"{len(known) + len(new)} machines did not join the cluster: {new[-1].cause}"
        ledger.stop(reason)
        seen = seen.with_stopped(reason)
    return seen


def _may_go_on(seen: RunSnapshot) -> bool:
    """Whether a machine has joined the cluster, or a fleet is still to bring one."""
    return any(fleet.target for fleet in seen.fleets) or any(m.joined for m in seen.machines)


def tidy_alarms(aws: Aws, record: RunRecord, seen: RunSnapshot, hopeless_seconds: float) -> None:
    """Delete the alarms of machines that are gone, and end those that no container ever ran on.

    A worker makes its machine's alarm as it starts; a machine that joined the cluster and has
    neither alarm nor container so long after its launch never had one.
    """
    known = alarms.find_machine_alarms(aws.cloudwatch, record.app_name)
    ours = {machine.instance_id for machine in seen.machines}
    unsure = [name for name in known if name not in ours]
    there = {m.instance_id for m in instances.describe_machines(aws.ec2, unsure) if m.is_live}
    gone = [known[name] for name in unsure if name not in there]
    alarms.delete_alarms(aws.cloudwatch, gone)
    if gone:
        logger.info("Deleted alarms of ended machines: %d.", len(gone))
    bare = [
        machine.instance_id
        for machine in seen.machines
        if machine.joined
        and not machine.tasks
        and not machine.draining
        and machine.instance_id not in known
    ]
    old = instances.describe_machines(aws.ec2, bare)
    never = [m.instance_id for m in old if m.is_live and m.age >= hopeless_seconds]
    for name in never:
        logger.warning(
            "Machine %s joined the cluster, but no container ran on it: it is ended.", name
        )
    instances.terminate_instances(aws.ec2, never)


def _shrink(aws: Aws, seen: RunSnapshot, not_replaced: set[str]) -> RunSnapshot:
    """Ask each fleet for as many machines fewer as it has of these."""
    fewer = Counter(m.fleet_id for m in seen.machines if m.instance_id in not_replaced)
    lowered = lower_by(seen.fleets, fewer)
    for lowered_fleet in lowered:
        lower_target(aws.ec2, lowered_fleet.fleet_id, lowered_fleet.target)
        logger.warning(
            "Machines that cannot work are replaced at most %d times: the target of the spot "
            "fleet %s is now %d.",
            REFILLS,
            lowered_fleet.fleet_id,
            lowered_fleet.target,
        )
    return seen.with_targets(lowered)


def likely_cause(machine: instances.Instance, cluster: str) -> str:
    """Why a machine does not join its cluster, as far as EC2 shows; a sentence."""
    if not machine.has_profile:
        return "it has no role; add one to the fleet file (IamInstanceProfile)."
    if not machine.has_public_address:
        return (
            "it has no public address; unless its subnet has a NAT gateway or endpoints for ECS, "
            "set ASSIGN_IP = 'True' in config.py, or set another subnet in the fleet file."
        )
    return (
        f"its image may have no ECS agent, its security group may have no outbound rules, or its "
        f"role may not be allowed to join {cluster} (AmazonEC2ContainerServiceforEC2Role)."
    )
