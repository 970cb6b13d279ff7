"""A made-up run in a ledger: jobs, failures, interruptions and machines as real ones leave them."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from distributed_something.aws.session import Aws
from distributed_something.commands.reading.report import money_rows
from distributed_something.commands.reading.report.collect import (
    MOST_LANES,
    Collector,
)
from distributed_something.commands.reading.report.facts import RunReport
from distributed_something.commands.reading.report.histograms import histogram, spread
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp, LedgerSummary, SubmittedJob
from distributed_something.protocol.ledger.record import RunRecord, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.run.machine_book import MachineBook, write_machine_book
from distributed_something.run.money import MachineLife, Prices

BEGAN = 1_795_240_800.0  # 2026-11-21 06:00 UTC
RUN = "20261121-060000-ab12"
_BOOT = 150.0
_TYPES = ("m5.xlarge", "m6a.xlarge")
_LOG = "reading images/{name}.tif\nsegmenting\nTraceback (most recent call last):\n{end}\n"
_FAULTS = (
    ("exit code 137: out of memory", 137, "MemoryError: cannot allocate 3.1 GiB"),
    ("exit code 1", 1, "ValueError: <no nuclei> found & none expected"),
)


def made_up_attempts(
    jobs: int, machines: int, slots: int, *, seed: int = 1
) -> tuple[list[Attempt], list[MachineLife]]:
    """The attempts of a run in the order of a ledger, and its machines; the last one is taken away.

    Every 37th job fails once and is done then, every 101st fails three times and is given up.
    """
    dice = random.Random(seed)
    free = [
        [BEGAN + _BOOT + 20 * number, number, slot]
        for number in range(machines)
        for slot in range(slots)
    ]
    taken_away = BEGAN + 1500.0
    attempts: list[Attempt] = []
    queue = [(number, 1) for number in range(jobs)]
    for number, nth in queue:
        place = min(free)
        started, machine = place[0], int(place[1])
        seconds = dice.lognormvariate(4.2, 0.5)
        ended = started + seconds
        one = _attempt(number, nth, machine, int(place[2]), started, ended, dice)
        if machine == machines - 1 and ended > taken_away:
            one = replace(one, state="interrupted", ended=taken_away, reason="spot notice")
            free.remove(place)
            queue.append((number, nth + 1))
        else:
            place[0] = ended + dice.uniform(0.5, 4)
            if one.state == "failed" and nth < 3:
                queue.append((number, nth + 1))
        attempts.append(one)
    ends = {one.instance_id: one.ended or 0.0 for one in attempts}
    for one in attempts:
        ends[one.instance_id] = max(ends[one.instance_id], one.ended or 0.0)
    lives = [
        MachineLife(
            instance_id=_machine(number),
            instance_type=_TYPES[number % 2],
            zone=f"us-east-1{'abc'[number % 3]}",
            launched=BEGAN + 20 * number,
            ended=ends.get(_machine(number), BEGAN + 600) + 90,
            interrupted=number == machines - 1,
            disk_gib=40,
            public_address=True,
        )
        for number in range(machines)
    ]
    return sorted(attempts, key=lambda one: (one.job_id, one.started)), lives


def _attempt(
    number: int,
    nth: int,
    machine: int,
    slot: int,
    started: float,
    ended: float,
    dice: random.Random,
) -> Attempt:
    name = f"Plate{number // 96 + 1:02d}-{'ABCDEFGH'[number // 12 % 8]}{number % 12 + 1:02d}"
    one = Attempt(
        job_id=_job_id(number),
        name=name,
        attempt_id=f"{int(started * 1000):013d}-{number:06x}",
        number=nth,
        state="done",
        instance_id=_machine(machine),
        slot=f"0-{slot}",
        started=started,
        ended=ended,
        exit_code=0,
        output=f"s3://lab-data/results/{name}",
        output_files=3,
        output_bytes=1_500_000,
        input_seconds=3.0,
        tool_seconds=ended - started - 5,
        upload_seconds=2.0,
        peak_memory_mib=dice.gauss(1400, 220),
        peak_disk_mib=300.0,
        instance_type=_TYPES[machine % 2],
        worker_version="1.0.0",
    )
    gives_up = number % 101 == 100
    if not gives_up and not (number % 37 == 36 and nth == 1):
        return one
    reason, code, end = _FAULTS[0 if gives_up else 1]
    log = _LOG.format(name=name, end=end)
    one = replace(one, state="failed", exit_code=code, reason=reason, log_tail=log)
    return replace(one, gave_up=nth == 3)


def _job_id(number: int) -> str:
    return f"{random.Random(number).getrandbits(80):020x}"


def _machine(number: int) -> str:
    return f"i-0{random.Random(1000 + number).getrandbits(64):016x}"


def made_up_report(attempts: list[Attempt], lives: list[MachineLife], slots: int) -> RunReport:
    """The report of such a run that is over, its prices unknown; from memory, without a ledger."""
    found = Collector(attempts[0].started + 1e9)
    for one in attempts:
        found.add(one.key)
    found.end()
    found.learn({}, attempts)
    began, ended = found.began or 0.0, found.ended or 0.0
    lanes = found.lanes({one.instance_id: one for one in lives}, slots, began, ended)
    jobs, done = len({one.job_id for one in attempts}), len(found.seconds)
    return RunReport(
        app_name="Counting",
        run_id=RUN,
        made=ended,
        began=began,
        ended=ended,
        is_over=True,
        is_rehearsal=False,
        stopped="",
        counts=LedgerSummary(jobs, done, jobs - done, len(attempts), len(attempts) - done, 0, 0),
        job_seconds=spread(found.seconds),
        job_memory=spread(found.memory),
        time_histogram=histogram(found.seconds),
        memory_histogram=histogram(found.memory),
        attempts_of_jobs=found.attempts_of_jobs,
        timeline=found.timeline(began, ended),
        lanes=tuple(lanes[:MOST_LANES]),
        more_machines=max(0, len(lanes) - MOST_LANES),
        failure_groups=(),
        not_done=(),
        more_not_done=0,
        failures=found.failures(()),
        slowest=found.slowest(),
        money=money_rows(lives, lanes, Prices(cap=0.1), ended),
        is_unwatched=False,
        prices_known=False,
        worker_versions=(),
        output_files=found.output_files,
        output_bytes=found.output_bytes,
        results=found.results,
        finish="fast",
        requests=0.0,
        kept_seconds=0.0,
        taken_free=(),
        provenance={},
    )


def made_up_record(ended: float | None, **changes: object) -> RunRecord:
    """The record of such a run."""
    record = RunRecord(
        app_name="Counting",
        cluster="counting",
        queue_name="CountingQueue",
        bucket="lab-data",
        log_group_name="Counting",
        run_id=RUN,
        region="us-east-1",
        started=BEGAN,
        tasks_per_machine=1,
        docker_cores=2,
        ended=ended,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def write_run(aws: Aws, jobs: int = 600, machines: int = 8, slots: int = 2) -> RunRecord:
    """Write a made-up run to the bucket as its workers and its monitor would have; its record."""
    attempts, lives = made_up_attempts(jobs, machines, slots)
    record = made_up_record(max(one.ended or 0.0 for one in lives) + 60)
    save_record(aws.s3, record, None)
    ledger = RunLedger.of(aws.s3, record)
    names = {one.job_id: one.name for one in attempts}
    lines = [SubmittedJob(job_id, name, "{}").to_line() for job_id, name in names.items()]
    ledger.write_job_list("0", lines)
    write_machine_book(ledger, MachineBook({one.instance_id: one for one in lives}, BEGAN))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: _write(ledger, one), attempts))
    return record


def _write(ledger: RunLedger, one: Attempt) -> None:
    ledger.write_attempt(one)
    if one.state == "done":
        ledger.mark_done(one)
    elif one.gave_up:
        ledger.write_given_up(GivenUp(one.job_id, one.reason))
