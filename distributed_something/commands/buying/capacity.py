"""Wait for a fleet's machines, tell trouble that passes from a fault that never will."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.compute import cluster, fleet
from ...definitions.user_data import APP_ATTRIBUTE
from ...errors import DistributedSomethingError, NotFound
from ...protocol.scaling import wanted_containers
from ...run.fleet_troubles import judge, why_never
from ..runs.upstream import with_target

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_FIRST_LOOKS = (1.0, 2.0, 4.0, 8.0)  # seconds between the first looks
_LATER_LOOKS = 15.0
_HISTORY_SLACK = 60.0  # seconds; EC2's clock and ours differ


def wait_for_capacity(
    aws: Aws,
    record: RunRecord,
    fleet_id: str,
    on_capacity: Callable[[int, int], None],
    *,
    max_wait: float,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> None:
    """Look until all machines of the fleet are there, or `max_wait` seconds are over.

    Machines that are still missing then are left to the fleet, which goes on trying. Raises
    DistributedSomethingError for a fleet that has no machine and can never get one.
    """
    started = now()
    told: set[str] = set()
    for pause in chain(_FIRST_LOOKS, repeat(_LATER_LOOKS)):
        try:
            if _all_there(aws, record, fleet_id, on_capacity, started, told):
                return
        except (ClientError, BotoCoreError, NotFound) as error:
            logger.warning("Could not read the spot fleet %s (%s).", fleet_id, error)
        if now() - started >= max_wait:
            break
        sleep(pause)
    logger.warning(
        "Not all machines of the spot fleet %s are there after %.0f minutes; EC2 keeps trying.",
        fleet_id,
        max_wait / 60,
    )


def containers_wanted(aws: Aws, record: RunRecord) -> int:
    """How many containers the service should keep with the machines that there are now."""
    tasks = record.tasks_per_machine or 1  # None: before the first startCluster of a run
    most = (
        sum(with_target(aws, fleet_record).target_capacity or 0 for fleet_record in record.fleets)
        * tasks
    )
    joined = len(_joined(aws, record)) if tasks > 1 else 0
    return wanted_containers(joined, most, tasks)


def _all_there(
    aws: Aws,
    record: RunRecord,
    fleet_id: str,
    on_capacity: Callable[[int, int], None],
    started: float,
    told: set[str],
) -> bool:
    status = fleet.describe_fleet(aws.ec2, fleet_id)
    on_capacity(int(status.fulfilled), status.target)
    if status.fulfilled < status.target or not status.is_live:
        _read_errors(aws, fleet_id, status, started, told)
        return False
    if record.tasks_per_machine == 1:
        return True
    wanted = containers_wanted(aws, record)
    cluster.scale_service(aws.ecs, record.cluster, record.service, wanted)
    ours = set(fleet.fleet_members(aws.ec2, fleet_id))
    return ours <= _joined(aws, record)


def _read_errors(
    aws: Aws, fleet_id: str, status: fleet.FleetStatus, started: float, told: set[str]
) -> None:
    """Say every error once; raise if the fleet has no machine and will never have one."""
    errors = fleet.fleet_errors(aws.ec2, fleet_id, started - _HISTORY_SLACK)
    never = why_never((error.kind, error.text) for error in errors)
    if never and not status.fulfilled:
        raise DistributedSomethingError(f"EC2 cannot start the fleet: {never.advice}")
    for error in errors:
        if error.text not in told:
            told.add(error.text)
            advice = judge(error.kind, error.text).advice
            logger.warning("EC2 says %s: %s; %s.", error.kind, error.text.rstrip("."), advice)
    if not status.is_live:
        reasons = "; ".join(dict.fromkeys(error.text for error in errors)) or "EC2 gives no reason"
        raise DistributedSomethingError(
            f"The spot fleet {fleet_id} ended before its machines came ({status.state}): {reasons}."
        )


def _joined(aws: Aws, record: RunRecord) -> set[str]:
    """The ids of this app's machines that take containers."""
    return {
        machine.instance_id
        for machine in cluster.container_instances(aws.ecs, record.cluster)
        if machine.status == "ACTIVE" and machine.attributes.get(APP_ATTRIBUTE) == record.app_name
    }
