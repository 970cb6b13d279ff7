"""See to machines that never join or that are gone: say so, end them, replace few of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.compute import fleet, instances
from ...aws.monitoring import alarms
from ...command_lines import run_line
from ...protocol.fleet_target import lower_target
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import REFILLS, RunLedger
from ...protocol.machine_alarm import PATIENT_PERIODS, PERIODS, busy_slots, machine_alarm
from ...protocol.scaling import lower_by

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...snapshot import RunSnapshot

logger = logging.getLogger(__name__)

# CloudWatch makes three alarms a second, and startCluster ends some time:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
MOST_GUARDED = 200


def find_late(
    aws: Aws, record: RunRecord, seen: RunSnapshot, late_seconds: float, now: float
) -> tuple[tuple[instances.Instance, str], ...]:
    """The machines that have not joined the cluster in time, each with the likely cause."""
    waiting = [machine.instance_id for machine in seen.machines if not machine.joined]
    if not waiting:
        return ()
    return tuple(
        (machine, likely_cause(machine, record.cluster))
        for machine in instances.describe_machines(aws.ec2, waiting)
        if machine.is_live and now - machine.launched >= late_seconds
    )


def see_to_late(
    aws: Aws,
    record: RunRecord,
    seen: RunSnapshot,
    late: Sequence[tuple[instances.Instance, str]],
    now: float,
) -> RunSnapshot:
    """Let late machines end, and buy no more than REFILLS in their place; the snapshot after that.

    They count with those that workers reported as broken. Where nothing else is left the run
    is stopped: the next machine would not join either.
    """
    ledger = RunLedger.of(aws.s3, record)
    known = ledger.broken_machines() if record.run_id else set()
    new = [(machine, cause) for machine, cause in late if machine.instance_id not in known]
    for machine, cause in new:
        name = machine.instance_id
        logger.warning("Machine %s does not join the cluster %s: %s", name, record.cluster, cause)
        alarms.ensure_alarm(aws.cloudwatch, machine_alarm(record.app_name, name, aws.region))
        if record.run_id:
            ledger.write_broken_machine(name, cause, now)
    if not new or not record.run_id:
        return seen
    replaced = max(0, REFILLS - len(known))
    seen = _shrink(aws, seen, {machine.instance_id for machine, _ in new[replaced:]})
    if not any(one.target for one in seen.fleets) and not any(m.joined for m in seen.machines):
        reason = f"{len(known) + len(new)} machines did not join the cluster: {new[-1][1]}"
        ledger.stop(reason)
        seen = seen.with_stopped(reason)
    return seen


def tidy_alarms(
    aws: Aws, record: RunRecord, seen: RunSnapshot, late_seconds: float, now: float
) -> None:
    """Delete the alarms of machines that are gone, and make one for each that never began to work.

    A worker makes its machine's alarm as it starts; where no container ever ran, nobody did.
    """
    known = alarms.find_machine_alarms(aws.cloudwatch, record.app_name)
    ours = {machine.instance_id for machine in seen.machines}
    unsure = [name for name in known if name not in ours]
    there = {m.instance_id for m in instances.describe_machines(aws.ec2, unsure) if m.is_live}
    gone = [known[name] for name in unsure if name not in there]
    alarms.delete_alarms(aws.cloudwatch, gone)
    if gone:
        logger.info("Deleted alarms of machines that are gone: %d.", len(gone))
    bare = [machine.instance_id for machine in seen.machines if not machine.tasks]
    idle = instances.describe_machines(aws.ec2, bare)
    late = [m.instance_id for m in idle if m.is_live and now - m.launched >= late_seconds]
    if late:
        firm = alarms.find_machine_alarms(aws.cloudwatch, record.app_name, PERIODS)
        for name in [one for one in late if one not in firm]:
            alarms.ensure_alarm(aws.cloudwatch, machine_alarm(record.app_name, name, aws.region))


def guard_new(aws: Aws, record: RunRecord, fleet_id: str, now: float) -> None:
    """Give the machines of a new fleet that no worker has seen to yet an alarm that waits an hour.

    So that one which never works ends though nobody watches. Its worker, or a monitor, puts the
    alarm of a quarter of an hour in its place. A run can do without: nothing is raised.
    """
    try:
        known = alarms.find_machine_alarms(aws.cloudwatch, record.app_name)
        bought = fleet.fleet_members(aws.ec2, fleet_id)
        new = [name for name in bought if name not in known][:MOST_GUARDED]
        if new:
            # Silence is a breach: a word keeps its alarm quiet for as long as that looks back.
            alarms.put_words(aws.cloudwatch, [busy_slots(name, 1, now) for name in new])
        for name in new:
            patient = machine_alarm(record.app_name, name, aws.region, PATIENT_PERIODS)
            alarms.ensure_alarm(aws.cloudwatch, patient)
    except (ClientError, BotoCoreError) as error:
        logger.warning(
            "Machines that never begin to work have no alarm yet (%s): `%s` "
            "or AUTO_MONITOR sees to them.",
            error,
            run_line("monitor"),
        )


def _shrink(aws: Aws, seen: RunSnapshot, not_replaced: set[str]) -> RunSnapshot:
    """Ask each fleet for as many machines fewer as it has of these."""
    fewer = Counter(m.fleet_id for m in seen.machines if m.instance_id in not_replaced)
    lowered = lower_by(seen.fleets, fewer)
    for one in lowered:
        lower_target(aws.ec2, one.fleet_id, one.target)
        logger.warning(
            "Machines that cannot work are replaced %d times at most: the spot fleet %s now asks "
            "for %d.",
            REFILLS,
            one.fleet_id,
            one.target,
        )
    return seen.with_targets(lowered)


def likely_cause(machine: instances.Instance, cluster: str) -> str:
    """Why a machine does not join its cluster, as far as EC2 shows; a sentence."""
    if not machine.has_profile:
        return "it has no role; name one in the fleet file (IamInstanceProfile)."
    if not machine.has_public_address:
        return (
            "it has no public address; unless its subnet has a NAT gateway or endpoints for ECS, "
            "set ASSIGN_IP = 'True' in config.py, or name another subnet in the fleet file."
        )
    return (
        f"its image may have no ECS agent, its security group may let nothing out, or its role may "
        f"not be allowed to join {cluster} (AmazonEC2ContainerServiceforEC2Role)."
    )
