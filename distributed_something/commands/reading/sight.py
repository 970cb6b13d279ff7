"""Look at all that there is of a run at once: ledger, queue, fleets, machines and containers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.compute import cluster, fleet, instances
from ...aws.compute.cluster import ContainerInstance, ServiceStatus
from ...aws.compute.fleet import FleetError, FleetStatus
from ...aws.compute.tasks import StoppedTask, console_output, stopped_tasks
from ...aws.faults import error_code
from ...aws.messaging import queues
from ...aws.messaging.queues import QueueCounts
from ...aws.monitoring.log_lines import find_lines
from ...definitions.logs import container_log_group
from ...definitions.tags import run_tags
from ...errors import NotFound
from ...protocol.ledger.attempts import Attempt
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.ledger.survey import Survey
from ...run.machine_book import MachineBook, read_machine_book

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord

_LOOKS = 8  # at once; each may list side by side itself
_CONSOLES = 3  # machines whose console is read: they mostly say the same
LATE_SECONDS = 300.0  # a machine that has not joined by then is worth a word
_HISTORY_SECONDS = 1800.0  # of a fleet's events that are read

# Words of errors that keep a worker from starting, and from its queue and bucket.
ERRORS = (
    "AccessDenied",
    "Forbidden",
    "PermanentRedirect",
    "NoSuchBucket",
    "NonExistentQueue",
    "exec format error",
)
_LOG_SECONDS = 1800.0
_LOG_LINES = 20

_Seen = TypeVar("_Seen")


@dataclass(frozen=True)
class Sight:
    """What there is of a run at one look; `unseen` says what could not be looked at and why."""

    now: float
    survey: Survey
    stopped: str = ""  # why workers take no more jobs
    running: tuple[Attempt, ...] = ()  # at a slot that is alive
    queue: QueueCounts | None = None  # None: there is none, or it was not seen
    fleets: tuple[FleetStatus, ...] = ()
    events: tuple[FleetError, ...] = ()
    machines: tuple[instances.Machine, ...] = ()  # those that EC2 still knows, ended ones too
    joined: dict[str, ContainerInstance] = field(default_factory=dict)  # by instance id
    service: ServiceStatus | None = None
    tasks: tuple[StoppedTask, ...] = ()
    consoles: dict[str, str] = field(default_factory=dict)  # of machines that are late
    machine_log: tuple[str, ...] = ()  # errors that workers without a job wrote to their log
    book: MachineBook = field(default_factory=lambda: MachineBook({}))
    unseen: tuple[str, ...] = ()

    @property
    def live(self) -> list[instances.Machine]:
        return [machine for machine in self.machines if machine.is_live]

    @property
    def late(self) -> list[instances.Machine]:
        """Machines that run and should have joined the cluster by now."""
        return [
            one
            for one in self.live
            if one.instance_id not in self.joined and self.now - one.launched >= LATE_SECONDS
        ]

    @property
    def target(self) -> int:
        """How many machines the fleets are asked to keep."""
        return sum(one.target for one in self.fleets if one.is_live)


class _Looks:
    """Looks that are taken at once; one that AWS refuses leaves a sentence instead."""

    def __init__(self, pool: ThreadPoolExecutor, is_live: bool) -> None:
        self._pool = pool
        self._is_live = is_live
        self.unseen: list[str] = []

    def take(
        self, what: str, look: Callable[[], _Seen], without: Any, *, always: bool = False
    ) -> Callable[[], _Seen]:
        """Begin a look; call what this returns for what it saw. None at a run that is over."""
        nothing: _Seen = without
        if not (self._is_live or always):
            return lambda: nothing
        future = self._pool.submit(look)

        def result() -> _Seen:
            try:
                return future.result()
            except NotFound:
                return nothing
            except ClientError as error:
                why = f"AWS answers {error_code(error)} to {error.operation_name}"
            except BotoCoreError as error:
                why = str(error)
            self.unseen.append(f"Could not see {what}: {why}.")
            return nothing

        return result


def look_around(aws: Aws, record: RunRecord, now: float) -> Sight:
    """Look at a run; at its ledger and its machine book alone if it is over.

    Raises botocore's errors only if the ledger cannot be listed.
    """
    with ThreadPoolExecutor(_LOOKS) as pool:
        looks = _Looks(pool, record.is_live)
        survey = pool.submit(RunLedger.of(aws.s3, record).survey)
        begun = _begin(aws, record, looks, now)
        sight = replace(begun(), survey=survey.result())
        return _look_closer(aws, record, looks, sight)


def _begin(aws: Aws, record: RunRecord, looks: _Looks, now: float) -> Callable[[], Sight]:
    """Begin all looks that need no other's answer."""
    empty = MachineBook({})
    book = looks.take(
        "which machines there were",
        lambda: read_machine_book(RunLedger.of(aws.s3, record)),
        empty,
        always=True,
    )
    queue = looks.take("the queue", lambda: _count(aws, record), None)
    fleets = looks.take("the spot fleets", lambda: _fleets(aws, record), ())
    events = looks.take("what EC2 says of the fleets", lambda: _events(aws, record, now), ())
    machines = looks.take("the machines", lambda: _machines(aws, record), ())
    joined = looks.take("the cluster", lambda: _joined(aws, record), {})
    service = looks.take("the service", lambda: _service(aws, record), None)
    tasks = looks.take(
        "containers that stopped",
        lambda: tuple(stopped_tasks(aws.ecs, record.cluster, record.service)),
        (),
    )
    return lambda: Sight(
        now=now,
        survey=Survey(),
        book=book(),
        queue=queue(),
        fleets=fleets(),
        events=events(),
        machines=machines(),
        joined=joined(),
        service=service(),
        tasks=tasks(),
    )


def _look_closer(aws: Aws, record: RunRecord, looks: _Looks, sight: Sight) -> Sight:
    """Read what the first looks showed to be worth it."""
    ledger, survey = RunLedger.of(aws.s3, record), sight.survey
    at_work = survey.at_work().values()
    running = looks.take("what machines do", lambda: tuple(ledger.read_attempts(at_work)), ())
    stopped = looks.take(
        "why the run was stopped",
        lambda: ledger.why_stopped() if survey.is_stopped else "",
        "",
        always=True,
    )
    late = [machine.instance_id for machine in sight.late[:_CONSOLES]]
    consoles = looks.take(
        "the machines' consoles",
        lambda: {name: console_output(aws.ec2, name) for name in late},
        {},
    )
    seen = replace(sight, running=running(), stopped=stopped(), consoles=consoles())
    if seen.service and (seen.service.running or seen.tasks) and not seen.running:
        group, since = container_log_group(record.log_group_name), sight.now - _LOG_SECONDS
        errors = looks.take(
            "the machines' log",
            lambda: tuple(find_lines(aws.logs, group, ERRORS, since, _LOG_LINES)),
            (),
        )
        seen = replace(seen, machine_log=errors())
    return replace(seen, unseen=tuple(looks.unseen))


def _count(aws: Aws, record: RunRecord) -> QueueCounts | None:
    return queues.count_jobs(aws.sqs, queues.find_queue(aws.sqs, record.queue_name))


def _fleets(aws: Aws, record: RunRecord) -> tuple[FleetStatus, ...]:
    """The run's fleets, without those that EC2 has forgotten."""
    found = []
    for name in record.fleet_ids:
        with suppress(NotFound):
            found.append(fleet.describe_fleet(aws.ec2, name))
    return tuple(found)


def _events(aws: Aws, record: RunRecord, now: float) -> tuple[FleetError, ...]:
    """What went wrong with the fleets lately, oldest first."""
    since = now - _HISTORY_SECONDS
    events = [one for name in record.fleet_ids for one in fleet.fleet_errors(aws.ec2, name, since)]
    return tuple(sorted(events, key=lambda event: event.time))


def _machines(aws: Aws, record: RunRecord) -> tuple[instances.Machine, ...]:
    """The run's machines by its tags; of a run of upstream's, which has none, by its fleets."""
    if record.run_id:
        tags = run_tags(record.app_name, record.run_id)
        return tuple(instances.find_machines(aws.ec2, tags, ended=True))
    ids = [m.instance_id for f in record.fleet_ids for m in fleet.fleet_instances(aws.ec2, f)]
    return tuple(instances.describe_machines(aws.ec2, ids))


def _joined(aws: Aws, record: RunRecord) -> dict[str, ContainerInstance]:
    found = cluster.container_instances(aws.ecs, record.cluster)
    return {machine.instance_id: machine for machine in found}


def _service(aws: Aws, record: RunRecord) -> ServiceStatus | None:
    return cluster.describe_service(aws.ecs, record.cluster, record.service)
