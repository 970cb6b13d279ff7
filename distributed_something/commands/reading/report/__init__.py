"""The verb `report`: one page that says how a run went, made from its ledger at any time."""

from __future__ import annotations

import csv
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ....protocol.ledger.attempts import Attempt
from ....protocol.ledger.facts import LedgerSummary
from ....protocol.ledger.run_ledger import RunLedger
from ....run.money import MachineLife, Prices, cost_of, is_free
from ....run.requests import requests_of
from ....words import TIMES, iso_time, with_iso_times
from ...runs.failed_jobs import given_up_reasons
from ...runs.spending import is_unwatched, lives
from .collect import MOST_LANES, Collector
from .facts import Lane, MoneyRow, RunReport
from .histograms import histogram, spread, time_unit
from .not_done import read_not_done
from .page import page
from .sources import Sources, read_sources

if TYPE_CHECKING:
    from ....aws.session import Aws
    from ....protocol.ledger.record import RunRecord

_LEASE = 60.0  # seconds: SQS_MESSAGE_VISIBILITY as shipped, which no record keeps
_UNREADABLE = 20  # keys that the page lists
_TOLD_EVERY = 500  # attempts between two words on progress

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how texts begin that spreadsheets run


def make_report(
    aws: Aws,
    record: RunRecord,
    *,
    is_rehearsal: bool = False,
    sources: Sources | None = None,
    on_progress: Callable[[int, int | None], None] = lambda _done, _total: None,
    now: Callable[[], float] = time.time,
) -> RunReport:
    """Add a run's whole ledger up; `on_progress` is told attempts read of how many.

    Keys tell of all attempts, bodies of a few what keys do not. Without `sources` all is read.
    A rehearsal has cost nothing.
    """
    ledger = RunLedger.of(aws.s3, record)
    until = record.ended if record.ended is not None else now()
    sources = sources or read_sources(aws, record, until)
    survey, book = sources.survey, sources.book
    machines = lives(book, record)
    found = _collect(ledger, sources, machines, until, on_progress)
    began, ended = _bounds(record, found, machines, until)
    lanes = _lanes(record, found, machines, began, ended)
    not_done = read_not_done(ledger, survey, is_over=record.ended is not None)
    prices = Prices() if is_rehearsal else sources.prices(machines)
    unreadable = sorted({*survey.left_out.keys, *ledger.left_out.keys, *sources.left_out.keys})
    return replace(
        _report_of_jobs(record, survey.summary, found, set(survey.dead), began, ended),
        made=now(),
        is_rehearsal=is_rehearsal,
        stopped=sources.stopped,
        lanes=tuple(lanes[:MOST_LANES]),
        more_machines=max(0, len(lanes) - MOST_LANES),
        failure_groups=not_done.groups,
        not_done=tuple(not_done.jobs),
        more_not_done=not_done.more,
        money=() if is_rehearsal else money_rows(machines, lanes, prices, until),
        is_unwatched=is_unwatched(record, book),
        prices_known=all(prices.is_known(machine) for machine in machines),
        requests=_requests(survey.summary.attempts, found.output_files, lanes),
        kept_seconds=sum(lane.kept for lane in lanes) if record.has_checkpoints else 0.0,
        taken_free=tuple(machine.instance_id for machine in machines if is_free(machine, until)),
        unreadable=tuple(unreadable[:_UNREADABLE]),
        more_unreadable=max(0, len(unreadable) - _UNREADABLE),
        provenance=sources.provenance,
    )


def _collect(
    ledger: RunLedger,
    sources: Sources,
    machines: Iterable[MachineLife],
    until: float,
    on_progress: Callable[[int, int | None], None],
) -> Collector:
    """Add up all attempts by their keys, then what the bodies of some of them say."""
    survey = sources.survey
    ends = {machine.instance_id: machine.ended for machine in machines if machine.ended}
    found = Collector(until, ends)
    for number, key in enumerate(sources.attempts, start=1):
        found.add(key)
        if number % _TOLD_EVERY == 0:
            on_progress(number, survey.summary.attempts)
    found.end()
    for job_id, reason in given_up_reasons(ledger, survey, found.unexplained(set(survey.dead))):
        found.add_given_up(job_id, reason)
    names = sources.names({key.job_id for key in found.shown()})
    found.learn(names, ledger.read_attempts([*found.samples(), *found.shown(names)]))
    return found


def _lanes(
    record: RunRecord, found: Collector, machines: Iterable[MachineLife], began: float, ended: float
) -> list[Lane]:
    """What each machine did; of a run with checkpoints, what was interrupted is not lost."""
    slots = record.slots_per_machine or 1
    lanes = found.lanes({machine.instance_id: machine for machine in machines}, slots, began, ended)
    if record.has_checkpoints:
        return [replace(lane, lost=lane.lost - lane.kept) for lane in lanes]
    return lanes


def _report_of_jobs(
    record: RunRecord,
    summary: LedgerSummary,
    found: Collector,
    dead: set[str],
    began: float,
    ended: float,
) -> RunReport:
    """The report without its machines: what there is to say of the jobs and their attempts."""
    return RunReport(
        app_name=record.app_name,
        run_id=record.run_id,
        began=began,
        ended=ended,
        is_over=record.ended is not None,
        counts=summary,
        job_seconds=spread(found.seconds),
        job_memory=spread(found.memory),
        time_histogram=histogram(found.seconds, time_unit(max(found.seconds, default=0.0))[1]),
        memory_histogram=histogram(found.memory),
        attempts_of_jobs=dict(sorted(found.attempts_of_jobs.items())),
        timeline=found.timeline(began, ended),
        failures=found.failures(dead),
        slowest=found.slowest(),
        worker_versions=tuple(sorted(found.versions)),
        output_files=found.output_files,
        output_bytes=found.output_bytes,
        results=found.results,
        finish=record.finish,
    )


def write_page(report: RunReport, path: Path) -> Path:
    """Write the report as an HTML page; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(report), encoding="utf-8")
    return path


def to_json(report: RunReport, *, in_one_line: bool = False) -> str:
    """The report as one JSON object."""
    return json.dumps(with_iso_times(asdict(report)), indent=None if in_one_line else 2)


def write_rows(aws: Aws, record: RunRecord, file: IO[str], *, with_head: bool = True) -> int:
    """Write a CSV row for each attempt, below a head; returns how many there were."""
    names = [field.name for field in fields(Attempt)]
    writer = csv.writer(file)
    if with_head:
        writer.writerow(names)
    count = 0
    ledger = RunLedger.of(aws.s3, record)
    for attempt in ledger.read_attempts(ledger.attempts()):
        writer.writerow(
            [_cell(with_iso_times(getattr(attempt, name), is_time=name in TIMES)) for name in names]
        )
        count += 1
    return count


def _texts(attempt: Attempt, names: Iterable[str]) -> Iterator[Any]:
    """The values of an attempt, its times as ISO 8601."""
    for name in names:
        value = getattr(attempt, name)
        yield iso_time(value) if name in TIMES and value is not None else value


def _cell(value: Any) -> Any:
    """A value as a cell that no spreadsheet runs as a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _bounds(
    record: RunRecord, found: Collector, machines: Iterable[MachineLife], until: float
) -> tuple[float, float]:
    """From the first machine or attempt until the last one, or until now for a run that lives."""
    launches = [one.launched for one in machines]
    starts = [time for time in (found.began, *launches) if time is not None]
    began = min(starts, default=record.started)
    ends = [time for time in (found.ended, *(one.ended for one in machines)) if time is not None]
    ended = max(ends, default=until) if record.ended is not None else until
    return began, max(began, ended)


def money_rows(
    machines: Iterable[MachineLife], lanes: Iterable[Lane], prices: Prices, now: float
) -> tuple[MoneyRow, ...]:
    """What the machines cost by type, the dearest first, with what idle time and lost work cost."""
    of_machine = {lane.instance_id: lane for lane in lanes}
    by_type: defaultdict[str, list[MachineLife]] = defaultdict(list)
    for machine in machines:
        by_type[machine.instance_type].append(machine)
    rows = [_row(kind, some, of_machine, prices, now) for kind, some in by_type.items()]
    return tuple(sorted(rows, key=lambda row: -row.total))


def _row(
    kind: str, machines: list[MachineLife], lanes: dict[str, Lane], prices: Prices, now: float
) -> MoneyRow:
    costs = [(machine, cost_of(machine, prices, now)) for machine in machines]
    shares = [(cost.total, _shares(lanes.get(machine.instance_id))) for machine, cost in costs]
    return MoneyRow(
        instance_type=kind,
        machines=len(machines),
        hours=sum(machine.seconds(now) for machine in machines) / 3600,
        compute=sum(cost.machines for _, cost in costs),
        disks=sum(cost.disks for _, cost in costs),
        addresses=sum(cost.addresses for _, cost in costs),
        total=sum(cost.total for _, cost in costs),
        idle=sum(total * share.idle for total, share in shares),
        lost=sum(total * share.lost for total, share in shares),
        free=sum(cost.free for _, cost in costs),
        starting=sum(total * share.starting for total, share in shares),
        ending=sum(total * share.ending for total, share in shares),
    )


@dataclass(frozen=True)
class _Shares:
    """Which parts of a machine's time came to no result; starting and ending are parts of idle."""

    idle: float = 1.0
    lost: float = 0.0
    starting: float = 1.0
    ending: float = 0.0


def _shares(lane: Lane | None) -> _Shares:
    whole = lane.idle + lane.busy if lane else 0.0
    if lane is None or not whole:
        return _Shares()
    return _Shares(*(one / whole for one in (lane.idle, lane.lost, lane.starting, lane.ending)))


def _requests(attempts: int, files: int, lanes: Sequence[Lane]) -> float:
    """About what the requests of a run cost, USD."""
    busy, there = sum(lane.busy for lane in lanes), sum(lane.seconds for lane in lanes)
    return requests_of(attempts, busy, there, files=files, lease_seconds=_LEASE).dollars
