"""What a report says, as plain values: times in seconds since 1970, spans in seconds, sizes MiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ....protocol.ledger.facts import LedgerSummary
from ....run.failures import FailureGroup


@dataclass(frozen=True)
class Spread:
    """How a number is spread over jobs."""

    count: int
    least: float
    median: float
    ninetieth: float  # nine of ten are no larger
    most: float


@dataclass(frozen=True)
class Histogram:
    """How many fall between each two edges, of which there is one more than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Work:
    """One attempt, to be drawn."""

    slot: str
    began: float
    ended: float
    state: str
    name: str


@dataclass(frozen=True)
class Lane:
    """A machine and what it did; `use` is its busy share in each bin of the report's time."""

    instance_id: str
    instance_type: str
    zone: str
    began: float
    ended: float
    taken_away: bool
    done: int
    failed: int
    interrupted: int
    busy: float  # seconds of all its slots
    lost: float  # those of them that came to nothing
    kept: float  # those of the lost that a checkpoint keeps, if jobs have one
    idle: float  # seconds of its slots without a job
    starting: float  # those of them before its first job
    ending: float  # those of them after its last one
    works: tuple[Work, ...]  # empty in a run of too many attempts to draw each
    use: tuple[float | None, ...]  # None where the machine was not there

    @property
    def seconds(self) -> float:
        return max(0.0, self.ended - self.began)


@dataclass(frozen=True)
class Failures:
    """Attempts that failed for the same reason, and the last lines of one's log."""

    reason: str
    attempts: int
    jobs: int
    given_up: int  # jobs
    example: str  # a job's name
    log_tail: str


@dataclass(frozen=True)
class JobNotDone:
    """A job that did not end well: how it stands, and what its last attempt left."""

    name: str
    state: str  # given up, failed or not done
    attempts: int
    reason: str
    last_line: str  # the tool's own


@dataclass(frozen=True)
class SlowJob:
    """A job that took long."""

    name: str
    seconds: float
    attempts: int
    instance_type: str
    peak_memory: float


@dataclass(frozen=True)
class MoneyRow:
    """What machines of a type cost, USD; `idle` and `lost` are parts of the total."""

    instance_type: str
    machines: int
    hours: float
    compute: float
    disks: float
    addresses: float
    total: float
    idle: float
    lost: float
    free: float  # what EC2 let off; in no sum
    starting: float  # of idle: before a machine's first job
    ending: float  # of idle: after its last one


@dataclass(frozen=True)
class Timeline:
    """How many jobs stood how at the end of each bin of the run's time."""

    ends: tuple[float, ...]
    done: tuple[int, ...]
    failed: tuple[int, ...]  # attempts
    interrupted: tuple[int, ...]  # attempts
    running: tuple[float, ...]  # attempts at a time, on average over the bin


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """All that there is to say of a run."""

    app_name: str
    run_id: str
    made: float = 0.0
    began: float
    ended: float
    is_over: bool
    is_rehearsal: bool = False
    stopped: str = ""  # why, if it was
    counts: LedgerSummary
    job_seconds: Spread | None
    job_memory: Spread | None
    time_histogram: Histogram | None
    memory_histogram: Histogram | None
    attempts_of_jobs: Mapping[int, int]  # jobs by how many attempts they had
    timeline: Timeline
    lanes: tuple[Lane, ...] = ()
    more_machines: int = 0  # that are not among the lanes
    failure_groups: tuple[FailureGroup, ...] = ()  # jobs that failed last, by kind
    not_done: tuple[JobNotDone, ...] = ()  # the first of them
    more_not_done: int = 0
    failures: tuple[Failures, ...]
    slowest: tuple[SlowJob, ...]
    money: tuple[MoneyRow, ...] = ()
    is_unwatched: bool = False  # over, and nobody noted which machines there were
    prices_known: bool = True  # whether every machine's own price is known
    worker_versions: tuple[str, ...]
    output_files: int
    output_bytes: int
    results: str  # the address that all results seen begin with; empty without any
    finish: str  # fast or cheap
    requests: float = 0.0  # USD, of what S3, SQS and CloudWatch were asked; in no sum
    kept_seconds: float = 0.0  # that interrupted attempts worked and checkpoints kept
    taken_free: tuple[str, ...] = ()  # ids of machines that were taken in their first hour
    unreadable: tuple[str, ...] = ()  # keys of the first objects that could not be read
    more_unreadable: int = 0
    provenance: Mapping[str, str] = field(
        default_factory=dict
    )  # what ran: name and value, of the files beside the ledger

    @property
    def seconds(self) -> float:
        return max(0.0, self.ended - self.began)

    @property
    def cost(self) -> float:
        return sum(row.total for row in self.money)
