"""Look at a run once: its queue, fleets, machines and workers, as AWS and the ledger show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...aws.compute import cluster, fleet
from ...aws.messaging import queues
from ...aws.messaging.queues import QueueCounts
from ...errors import NotFound
from ...protocol.ledger.facts import Beat
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.scaling import Fleet, Machine
from ...run.decisions import RunLoad

if TYPE_CHECKING:
    from ...aws.session import Aws

_EMPTY = QueueCounts(0, 0, 0)


@dataclass(frozen=True)
class View:
    """What there is of a run at one look."""

    counts: QueueCounts
    queue_is_there: bool
    submitted: int
    fleets: tuple[Fleet, ...]  # those that still ask for machines
    machines: tuple[Machine, ...]
    beats: tuple[Beat, ...]  # of busy slots; not listed while jobs wait: nothing asks for them
    stopped: str  # why workers take no more jobs, or empty

    @property
    def to_take(self) -> int:
        """Jobs that a worker is still going to take: none of a run that was stopped."""
        return 0 if self.stopped else self.counts.waiting + self.counts.delayed

    @property
    def unseen(self) -> int:
        """Jobs in flight that no heartbeat of a machine tells of: just taken, paused, or lost."""
        there = {machine.instance_id for machine in self.machines}
        told = sum(1 for beat in self.beats if beat.instance_id in there)
        return max(0, self.counts.in_flight - told)

    @property
    def is_quiet(self) -> bool:
        """Whether no job is to be taken and none is in flight."""
        return not self.to_take and not self.counts.in_flight

    @property
    def load(self) -> RunLoad:
        """The jobs, for whoever decides on the machines."""
        return RunLoad(
            to_take=self.to_take,
            in_flight=self.counts.in_flight,
            unseen=self.unseen,
            has_begun=self.has_begun,
            is_stopped=bool(self.stopped),
            left=self.counts.total,
        )

    @property
    def has_begun(self) -> bool:
        """Whether there was something to do; a queue that is gone was removed when it was done."""
        return self.submitted > 0 or not self.queue_is_there


def look(aws: Aws, record: RunRecord, submitted: int, heartbeat_seconds: float) -> View:
    """What there is; `submitted` is what an earlier look knew, the age is that of a dead worker."""
    counts, queue_is_there = _count(aws, record)
    ledger = RunLedger.of(aws.s3, record)
    stopped = ledger.why_stopped() if record.run_id else ""
    beats: list[Beat] = []
    if record.run_id and (stopped or counts.waiting == 0):
        beats = ledger.busy_slots(heartbeat_seconds)
    return View(
        counts=counts,
        queue_is_there=queue_is_there,
        submitted=max(submitted, _submitted(aws, record), counts.total),
        fleets=tuple(_live_fleets(aws, record)),
        machines=tuple(_machines(aws, record, beats)),
        beats=tuple(beats),
        stopped=stopped,
    )


def _count(aws: Aws, record: RunRecord) -> tuple[QueueCounts, bool]:
    """The queue's counts, and whether there is one: a teardown that stopped half-way took it."""
    try:
        return queues.count_jobs(aws.sqs, queues.find_queue(aws.sqs, record.queue_name)), True
    except (NotFound, aws.sqs.exceptions.QueueDoesNotExist):
        return _EMPTY, False


def _submitted(aws: Aws, record: RunRecord) -> int:
    """How many jobs the ledger says were submitted; messages sent by hand are not in it."""
    return RunLedger.of(aws.s3, record).count_submitted() if record.run_id else 0


def _live_fleets(aws: Aws, record: RunRecord) -> Iterator[Fleet]:
    for fleet_id in record.fleet_ids:
        try:
            status = fleet.describe_fleet(aws.ec2, fleet_id)
        except NotFound:
            continue
        if status.is_live:
            yield Fleet(fleet_id, status.target)


def _machines(aws: Aws, record: RunRecord, beats: list[Beat]) -> Iterator[Machine]:
    """The machines of all fleets, with what ECS and the ledger know of each."""
    joined = {m.instance_id: m for m in cluster.container_instances(aws.ecs, record.cluster)}
    busy = Counter(beat.instance_id for beat in beats)
    for fleet_id in record.fleet_ids:
        for machine in fleet.fleet_instances(aws.ec2, fleet_id):
            known = joined.get(machine.instance_id)
            yield Machine(
                instance_id=machine.instance_id,
                fleet_id=fleet_id,
                container_instance=known.arn if known else "",
                draining=known is not None and known.status == "DRAINING",
                tasks=known.running_tasks + known.pending_tasks if known else 0,
                busy=busy[machine.instance_id],
            )
