"""Resources of a run now: one snapshot, whose parts are read when they are first asked for.

The monitor, the Lambda, `status` and `cancel` read the same parts; each asks only for those that it
needs.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from .aws.compute import cluster, fleet, instances
from .aws.compute.cluster import ContainerInstance, ServiceStatus
from .aws.compute.fleet import FleetError, FleetStatus
from .aws.compute.instances import Instance
from .aws.compute.tasks import StoppedTask, console_output, stopped_tasks
from .aws.faults import error_code
from .aws.messaging import queues
from .aws.messaging.queues import QueueCounts
from .aws.monitoring.log_lines import find_lines
from .definitions.logs import container_log_group
from .definitions.tags import run_tags
from .errors import NotFound
from .protocol.ledger.attempts import Attempt
from .protocol.ledger.facts import HEARTBEAT_LIVE_SECONDS, Beat
from .protocol.ledger.run_ledger import RunLedger
from .protocol.ledger.survey import Survey
from .protocol.scaling import Fleet, Machine
from .run.decisions import RunLoad
from .run.machine_book import MachineBook, read_machine_book

if TYPE_CHECKING:
    from .aws.session import Aws
    from .protocol.ledger.record import RunRecord

LATE_SECONDS = 300.0  # a machine that has not joined by then is worth a word
_PARALLEL_PARTS = 8  # read at once; each may list side by side itself
_CONSOLES = 3  # machines whose console is read: they mostly say the same
_HISTORY_SECONDS = 1800.0  # of a fleet's events that are read
# Words of errors that keep a worker from starting, and from its queue and bucket.
_LOG_ERRORS = (
    "AccessDenied",
    "Forbidden",
    "PermanentRedirect",
    "NoSuchBucket",
    "NonExistentQueue",
    "exec format error",
)
_LOG_SECONDS = 1800.0
_LOG_LINES = 20
_NO_JOBS = QueueCounts(0, 0, 0)

# What stands for a part that AWS refuses, and how it is called in the sentence that says so.
_WITHOUT: dict[str, tuple[str, Any]] = {
    "book": ("which machines there were", MachineBook({})),
    "queue": ("the queue", None),
    "fleet_states": ("the spot fleets", {}),
    "events": ("what EC2 says of the fleets", ()),
    "instances": ("the machines", ()),
    "joined": ("the cluster", {}),
    "service": ("the service", None),
    "stopped_tasks": ("containers that stopped", ()),
    "running": ("what machines do", ()),
    "stopped": ("why the run was stopped", ""),
    "consoles": ("the machines' consoles", {}),
    "worker_errors": ("the machines' log", ()),
}


@dataclass
class RunSnapshot:
    """A run at one moment; `now` is in seconds since 1970.

    `known_submitted` is the number of jobs that an earlier snapshot knew, `live_seconds` the age of
    a dead worker's heartbeat. A part raises what AWS answers, unless `read_together` read it.
    """

    aws: Aws
    record: RunRecord
    now: float
    known_submitted: int = 0
    live_seconds: float = HEARTBEAT_LIVE_SECONDS
    keeps_attempts: bool = False  # in the survey: the names of all
    unreadable: list[str] = field(default_factory=list)  # a sentence for each part that is missing
    foreign: set[str] = field(default_factory=set)  # recorded fleets that are another's

    @property
    def ledger(self) -> RunLedger:
        return RunLedger.of(self.aws.s3, self.record)

    # Jobs

    @cached_property
    def queue(self) -> QueueCounts | None:
        """What the queue holds; None if there is none: a teardown that stopped half-way took it."""
        return queues.count_queue(self.aws.sqs, self.record.queue_name)

    @property
    def counts(self) -> QueueCounts:
        return self.queue or _NO_JOBS

    @property
    def has_queue(self) -> bool:
        return self.queue is not None

    @cached_property
    def submitted(self) -> int:
        """Jobs that were submitted; of messages sent by hand only the queue knows."""
        listed = self.ledger.count_submitted() if self.record.run_id else 0
        return max(self.known_submitted, listed, self.counts.total)

    @cached_property
    def stopped(self) -> str:
        """Why workers take no more jobs, or empty."""
        return self.ledger.why_stopped()

    @cached_property
    def beats(self) -> tuple[Beat, ...]:
        """Of busy slots; not listed while jobs wait: nothing asks for them."""
        if self.stopped or self.counts.waiting == 0:
            return tuple(self.ledger.machines.busy_slots(self.live_seconds))
        return ()

    @property
    def has_begun(self) -> bool:
        """Whether there was something to do; a queue that is gone was removed when it was done.

        Upstream's jobs were sent before its record, without a run id, was written.
        """
        return self.submitted > 0 or not self.has_queue or not self.record.run_id

    @property
    def load(self) -> RunLoad:
        """The jobs, for whoever decides on the machines."""
        return RunLoad(
            to_take=0 if self.stopped else self.counts.waiting + self.counts.delayed,
            in_flight=self.counts.in_flight,
            unseen=self._jobs_without_heartbeat(),
            has_begun=self.has_begun,
            is_stopped=bool(self.stopped),
            left=self.counts.total,
        )

    def _jobs_without_heartbeat(self) -> int:
        """Jobs in flight that no heartbeat of a machine names: just taken, paused, or lost."""
        there = {machine.instance_id for machine in self.machines}
        named = sum(1 for beat in self.beats if beat.instance_id in there)
        return max(0, self.counts.in_flight - named)

    @cached_property
    def survey(self) -> Survey:
        """What the keys of the whole ledger say."""
        return self.ledger.survey(keeps_attempts=self.keeps_attempts)

    @cached_property
    def running(self) -> tuple[Attempt, ...]:
        """The attempts at slots that are alive."""
        return tuple(self.ledger.read_attempts(self.survey.at_work().values()))

    # Machines

    @cached_property
    def fleet_states(self) -> dict[str, FleetStatus]:
        """The recorded fleets by id, without those that EC2 has forgotten or that are another's.

        A record is text, which anyone may have written.
        """
        found = {}
        record = self.record
        for fleet_id in record.fleet_ids:
            with suppress(NotFound):
                state = fleet.describe_fleet(self.aws.ec2, fleet_id)
                if state.origin.is_of(record.app_name, record.bucket, record.cluster):
                    found[fleet_id] = state
                else:
                    self.foreign.add(fleet_id)
        return found

    @property
    def fleet_ids(self) -> list[str]:
        """The recorded fleets but for those that are seen to be another's."""
        known = self.fleet_states
        return [name for name in self.record.fleet_ids if name in known or name not in self.foreign]

    @cached_property
    def fleets(self) -> tuple[Fleet, ...]:
        """Those that still ask for machines, with their targets."""
        states = self.fleet_states.items()
        return tuple(
            Fleet(name, self._still_asked(name, state), state.refills, state.is_changing)
            for name, state in states
            if state.is_live
        )

    def _still_asked(self, fleet_id: str, state: FleetStatus) -> int:
        """A fleet's target; of one that replaces nothing, what it has yet to launch."""
        if state.refills:
            return state.target
        return max(0, state.target - fleet.count_launched(self.aws.ec2, state, fleet_id))

    @property
    def target(self) -> int:
        """How many machines the fleets are asked to keep."""
        return sum(live.target for live in self.fleets)

    @cached_property
    def events(self) -> tuple[FleetError, ...]:
        """What went wrong with the fleets lately, oldest first."""
        since = self.now - _HISTORY_SECONDS
        found = [
            event
            for fleet_id in self.record.fleet_ids
            for event in fleet.fleet_errors(self.aws.ec2, fleet_id, since)
        ]
        return tuple(sorted(found, key=lambda event: event.time))

    @cached_property
    def joined(self) -> dict[str, ContainerInstance]:
        """The machines of the cluster, by instance id."""
        found = cluster.container_instances(self.aws.ecs, self.record.cluster)
        return {machine.instance_id: machine for machine in found}

    @cached_property
    def machines(self) -> tuple[Machine, ...]:
        """The machines of all fleets, with what ECS and the ledger know of each."""
        return tuple(self._machines())

    def _machines(self) -> Iterator[Machine]:
        busy = Counter(beat.instance_id for beat in self.beats)
        for fleet_id in self.fleet_ids:
            for name in fleet.fleet_members(self.aws.ec2, fleet_id):
                known = self.joined.get(name)
                yield Machine(
                    instance_id=name,
                    fleet_id=fleet_id,
                    container_instance=known.arn if known else "",
                    draining=known is not None and known.status == "DRAINING",
                    tasks=known.running_tasks + known.pending_tasks if known else 0,
                    busy=busy[name],
                )

    @property
    def has_no_machines(self) -> bool:
        """Whether none runs and none will: a fleet whose target is 0 lives, and buys nothing."""
        return not self.machines and not self.target

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """The run's machines as EC2 knows them, ended ones too, by the run's tags.

        Those of a run of upstream's have none, and are found by its fleets.
        """
        if self.record.run_id:
            tags = run_tags(self.record.app_name, self.record.run_id)
            return tuple(instances.find_machines(self.aws.ec2, tags, ended=True))
        members = [
            name
            for fleet_id in self.fleet_ids
            for name in fleet.fleet_members(self.aws.ec2, fleet_id)
        ]
        return tuple(instances.describe_machines(self.aws.ec2, members))

    @property
    def live_instances(self) -> list[Instance]:
        return [instance for instance in self.instances if instance.is_live]

    @property
    def late_instances(self) -> list[Instance]:
        """Machines that run and should have joined the cluster by now."""
        return [
            instance
            for instance in self.live_instances
            if instance.instance_id not in self.joined
            and self.now - instance.launched >= LATE_SECONDS
        ]

    @cached_property
    def consoles(self) -> dict[str, str]:
        """What machines that are late wrote to their consoles, by instance id."""
        late = [instance.instance_id for instance in self.late_instances[:_CONSOLES]]
        return {name: console_output(self.aws.ec2, name) for name in late}

    @cached_property
    def book(self) -> MachineBook:
        """The machines that the run has had, as they were last noted."""
        return read_machine_book(self.ledger)

    # Containers

    @cached_property
    def service(self) -> ServiceStatus | None:
        """None if there is no service."""
        with suppress(NotFound):
            return cluster.describe_service(self.aws.ecs, self.record.cluster, self.record.service)
        return None

    @cached_property
    def stopped_tasks(self) -> tuple[StoppedTask, ...]:
        """Containers that stopped lately, and why."""
        return tuple(stopped_tasks(self.aws.ecs, self.record.cluster, self.record.service))

    @cached_property
    def worker_errors(self) -> tuple[str, ...]:
        """Errors that workers without a job wrote to their log; not read while any has a job."""
        service = self.service
        if not service or not (service.running or self.stopped_tasks) or self.running:
            return ()
        group, since = container_log_group(self.record.log_group_name), self.now - _LOG_SECONDS
        return tuple(find_lines(self.aws.logs, group, _LOG_ERRORS, since, _LOG_LINES))

    # Reading and changing

    def read_together(self, parts: Iterable[str]) -> None:
        """Read parts side by side; one that AWS refuses is left out, and `unreadable` says why."""
        names = list(parts)
        with ThreadPoolExecutor(_PARALLEL_PARTS) as pool:
            futures = {name: pool.submit(getattr, self, name) for name in names}
        for name, future in futures.items():
            what, without = _WITHOUT[name]
            try:
                future.result()
                continue
            except NotFound:
                pass
            except ClientError as error:
                why = f"AWS answers {error_code(error)} to {error.operation_name}"
                self.unreadable.append(f"Could not see {what}: {why}.")
            except BotoCoreError as error:
                self.unreadable.append(f"Could not see {what}: {error}.")
            self.__dict__[name] = without

    def leave_out(self, parts: Sequence[str]) -> None:
        """Take parts for empty, without reading them."""
        self.__dict__.update({name: _WITHOUT[name][1] for name in parts})

    def with_stopped(self, reason: str) -> RunSnapshot:
        """The snapshot once workers have been told to take no more jobs."""
        return self._with(stopped=reason)

    def without_machines(self, ended: Collection[str]) -> RunSnapshot:
        """The snapshot once some machines have been ended."""
        return self._with(machines=tuple(m for m in self.machines if m.instance_id not in ended))

    def with_targets(self, lowered: Iterable[Fleet]) -> RunSnapshot:
        """The snapshot once some fleets have been asked to keep fewer machines."""
        targets = {changed.fleet_id: changed for changed in lowered}
        return self._with(fleets=tuple(targets.get(one.fleet_id, one) for one in self.fleets))

    def _with(self, **parts: object) -> RunSnapshot:
        changed = copy.copy(self)
        changed.__dict__.update(parts)
        return changed


def read_everything(
    aws: Aws, record: RunRecord, now: float, *, keeps_attempts: bool = False
) -> RunSnapshot:
    """A snapshot for people, all parts read; of a run that is over its ledger and book alone.

    Raises botocore's errors only if the ledger cannot be listed.
    """
    seen = RunSnapshot(aws, record, now, keeps_attempts=keeps_attempts)
    live = ["queue", "fleet_states", "events", "instances", "joined", "service", "stopped_tasks"]
    if not record.is_live:
        seen.leave_out([*live, "running", "consoles", "worker_errors"])
        seen.read_together(["book"])
    else:
        with ThreadPoolExecutor(1) as pool:
            survey = pool.submit(lambda: seen.survey)
            seen.read_together(["book", *live])
            survey.result()
        seen.read_together(["running"])
    if not seen.survey.is_stopped:
        seen.leave_out(["stopped"])
    seen.read_together(["stopped", "consoles", "worker_errors"])
    return seen
