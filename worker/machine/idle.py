"""End a machine that has had no job for a while, where those that work are enough for the rest.

Each idle machine decides for itself, by what the monitor goes by and with the same code: which
machines stay, and how many the fleets keep. A machine with several containers is left to the
monitor, for one container does not know in time that another took a job.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import TYPE_CHECKING

from distributed_something.protocol.fleet_target import lower_target, read_target
from distributed_something.protocol.ledger.record import RunRecord, find_readable
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.protocol.scaling import Fleet, Machine, Plan, plan_own_end

from .faults import own_fleets

if TYPE_CHECKING:
    from types_boto3_sqs.literals import QueueAttributeNameType

    from distributed_something.protocol.environment import WorkerEnvironment

    from .duties import DutyClients

logger = logging.getLogger(__name__)

_IN_FLIGHT: QueueAttributeNameType = "ApproximateNumberOfMessagesNotVisible"
_DELAYED: QueueAttributeNameType = "ApproximateNumberOfMessagesDelayed"


class IdleEnd:
    """The decision of one idle machine; nothing here ends it."""

    def __init__(self, clients: DutyClients, settings: WorkerEnvironment, instance_id: str) -> None:
        self._clients = clients
        self._settings = settings
        self._instance_id = instance_id

    def may_end(self) -> bool:
        """Whether this machine is to end now; its fleet then keeps one less, or so."""
        settings = self._settings
        record = find_readable(self._clients.s3, settings.aws_bucket, settings.app_name)
        if record is None or not _decides_by_itself(record):
            return False
        ledger = RunLedger.of(self._clients.s3, record)
        if self._instance_id in ledger.machines.closed_machines():
            return True  # its fleet keeps as few already
        if not ledger.has_jobs():
            return False
        plan = self._plan(record, ledger)
        return plan is not None and all(
            lower_target(self._clients.ec2, fleet.fleet_id, fleet.target) for fleet in plan.targets
        )

    def _plan(self, record: RunRecord, ledger: RunLedger) -> Plan | None:
        in_flight = self._count_jobs(is_stopped=bool(ledger.why_stopped()))
        slots = record.slots_per_machine
        if in_flight is None or not slots:
            return None
        own = own_fleets(self._clients.ec2, record, record.app_name, self._instance_id)
        if len(own) != 1:
            return None
        target = read_target(self._clients.ec2, own[0])
        fleets = [Fleet(own[0], target.target)] if target.is_live else []
        machines = self._machines(ledger, own[0])
        return plan_own_end(self._instance_id, fleets, machines, in_flight, slots)

    def _machines(self, ledger: RunLedger, fleet_id: str) -> list[Machine]:
        """The machines whose slots beat; all as if of this machine's fleet, which keeps them."""
        slots: Counter[str] = Counter({self._instance_id: 0})
        for beat in ledger.machines.live_slots():
            slots[beat.instance_id] += beat.is_busy
        slots[self._instance_id] = 0
        return [Machine(name, fleet_id, name, tasks=1, busy=busy) for name, busy in slots.items()]

    def _count_jobs(self, *, is_stopped: bool) -> int | None:
        """The jobs that machines are kept for; None if the queue is gone with its run.

        Those that wait are none of them: this machine asks for one, and there is none.
        """
        sqs = self._clients.sqs
        names = [_IN_FLIGHT] if is_stopped else [_IN_FLIGHT, _DELAYED]
        try:
            found = sqs.get_queue_attributes(
                QueueUrl=self._settings.sqs_queue_url, AttributeNames=names
            )["Attributes"]
        except sqs.exceptions.QueueDoesNotExist:
            return None
        return sum(int(count) for count in found.values())


def _decides_by_itself(record: RunRecord) -> bool:
    """Whether a run's machines may end before the run does, by what its record says of them."""
    if not record.is_live or not record.run_id or record.tasks_per_machine != 1:
        return False
    return not any("WeightedCapacity" in json.dumps(dict(fleet.request)) for fleet in record.fleets)
