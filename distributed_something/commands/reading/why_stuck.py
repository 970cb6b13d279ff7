"""Say why a run does not go on, in one line, from all that a look saw; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...command_lines import run_line
from ...run.fleet_troubles import judge
from ...run.troubles import Trouble, container_trouble, job_trouble
from ...words import count_of
from ..watching.machine_care import likely_cause

if TYPE_CHECKING:
    from ...protocol.ledger.record import RunRecord
    from ...snapshot import RunSnapshot

FEW_FAILURES = 3  # jobs that fail before it is worth a word, where none was done
STILL_SECONDS = 900.0  # without a job that ends well, of a run whose jobs fail
IDLE_SECONDS = 600.0  # of a machine with a container: those of the first minutes fetch the image
UNWATCHED_SECONDS = 900.0  # since a monitor or the Lambda looked, which they do every few minutes
# The kinds of event that only sum up what others tell.
_OF_ALL = ("allLaunchSpecsTemporarilyBlacklisted", "fleetProgressHalted")


def _start() -> str:
    return f"`{run_line('startCluster FLEET.json')}`"


def why_stuck(seen: RunSnapshot, record: RunRecord, reasons: Sequence[str]) -> list[Trouble]:
    """What keeps the run from going on, what matters most first; empty if nothing does.

    `reasons` are those of the latest attempts that failed, any number of them.
    """
    if not record.is_live:
        return []
    if seen.stopped:
        fix = f"`{run_line('monitor')}` removes the run; `{run_line('retry')}` continues it"
        return [Trouble("stopped", f"The run was stopped: {seen.stopped.rstrip('.')}", fix)]
    return [*_of_the_jobs(seen, record, reasons), *_unwatched(seen, record)]


def _of_the_jobs(seen: RunSnapshot, record: RunRecord, reasons: Sequence[str]) -> Iterator[Trouble]:
    """Why jobs are not done: the first that holds, as each needs what stands before it."""
    if not seen.survey.submitted and not (seen.queue and seen.queue.total):
        yield Trouble(
            "nothing submitted",
            "Nothing was submitted to this run",
            f"`{run_line('submitJob JOBS.json')}`",
        )
        return
    if _left(seen) <= 0:
        return
    if failing := _failing(seen, reasons):
        yield failing
        return
    if seen.running:
        return
    for look in (_queue, _fleets, _machines, _containers):
        if trouble := look(seen, record):
            yield trouble
            return


def _left(seen: RunSnapshot) -> int:
    """Jobs that are neither done nor given up; of messages sent by hand what the queue holds."""
    survey = seen.survey
    by_ledger = survey.submitted - len(survey.done) - len(survey.dead)
    return by_ledger or (seen.queue.total if seen.queue else 0)


def _failing(seen: RunSnapshot, reasons: Sequence[str]) -> Trouble | None:
    """Jobs fail and none was done lately."""
    survey = seen.survey
    failed = sum(survey.attempts[state] for state in survey.attempts if state.value == "failed")
    if failed < max(FEW_FAILURES, len(seen.running)) or not reasons:
        return None
    if survey.done_between(survey.looked - STILL_SECONDS, survey.looked):
        return None
    reason = Counter(reasons).most_common(1)[0][0]
    known = job_trouble(reason)
    told = f"{failed:,} attempts failed and no job was done recently; most say: "
    if known:
        return Trouble(known.kind, told + known.cause, known.fix)
    fix = f"`{run_line('logs --failed')}` shows what they printed"
    return Trouble("every job failing", told + reason.strip(), fix)


def _queue(seen: RunSnapshot, record: RunRecord) -> Trouble | None:
    if seen.queue is not None or any("the queue" in sentence for sentence in seen.unreadable):
        return None
    return Trouble(
        "no queue",
        f"The queue {record.queue_name} does not exist in {record.region or 'this region'}",
        f"`{run_line('setup')}` creates it, `{run_line('retry')}` fills it",
    )


def _fleets(seen: RunSnapshot, record: RunRecord) -> Trouble | None:
    """No machine runs: none was asked for, EC2 gives none, or the fleets are over."""
    if seen.live_instances:
        return None
    if not record.fleet_ids:
        return Trouble("no machines", "No machines were requested", _start())
    told = [(judge(happened.kind, happened.text), happened) for happened in reversed(seen.events)]
    # What will not pass says more than what may; of two alike the later does.
    told.sort(key=lambda pair: (not pair[0].kind, not pair[0].lasting, pair[1].kind in _OF_ALL))
    if told:
        verdict, event = told[0]
        words = (event.text or event.kind).rstrip(".")
        return Trouble(verdict.kind, f"EC2 starts no machine: {words}", verdict.advice)
    if not seen.target:
        return Trouble(
            "fleets ended",
            "No machine runs and none will: the spot fleets have ended or their target is 0",
            f"{_start()} continues with the jobs; `{run_line('cancel')}` removes the run",
        )
    return Trouble(
        "no machines yet",
        "EC2 has not started a machine yet, and gives no reason",
        f"wait some minutes; `{run_line('check')}` checks quotas and prices",
    )


def _machines(seen: RunSnapshot, record: RunRecord) -> Trouble | None:
    """Machines run and none is in the cluster."""
    if any(instance.instance_id in seen.joined for instance in seen.live_instances):
        return None
    if not seen.late_instances:
        return Trouble("machines start", "The machines have just started", "wait some minutes")
    late = count_of(len(seen.late_instances), "machine runs and does", "machines run and do")
    cause = likely_cause(seen.late_instances[0], record.cluster)
    return Trouble(
        "machines not joining",
        f"{late} not join the cluster {record.cluster}",
        cause.rstrip("."),
    )


def _containers(seen: RunSnapshot, record: RunRecord) -> Trouble | None:
    """Machines have joined and nothing works on them."""
    service = seen.service
    if service is None:
        fix = f"`{run_line('setup')}` creates it"
        return Trouble("no service", f"The service {record.service} does not exist", fix)
    if service.running:
        return _workers(seen)
    words = [*seen.worker_errors, *(task.reason for task in seen.stopped_tasks), *service.events]
    if trouble := _first_trouble("No container runs", words):
        return trouble
    if not service.desired:
        return Trouble("no containers", "The service has 0 desired containers", _start())
    if words:
        cause = f"No container runs. ECS says: {_shortened(words[0])}"
        return Trouble("containers stop", cause, f"`{run_line('logs --machine ID')}` shows more")
    return Trouble("containers start", "The containers are being started", "wait some minutes")


def _workers(seen: RunSnapshot) -> Trouble | None:
    """Containers run, and none of their workers is at a job."""
    for text in seen.worker_errors:
        if trouble := job_trouble(text):
            cause = f"Containers run and take no job. One says: {_shortened(text)}"
            return Trouble(trouble.kind, cause, trouble.fix)
    if seen.queue is not None and not seen.queue.total:
        return Trouble(
            "jobs lost",
            "The queue is empty, and jobs are not done",
            f"`{run_line('retry')}` queues them again",
        )
    lately = [
        task.reason
        for task in seen.stopped_tasks
        if not task.stopped or seen.now - task.stopped < STILL_SECONDS
    ]
    words = [*seen.worker_errors, *lately]
    return _first_trouble("No container takes a job", words) or _idle(seen)


def _first_trouble(what: str, words: Sequence[str]) -> Trouble | None:
    """What the first words of any matter say of containers."""
    for text in words:
        if trouble := container_trouble(text):
            cause = f"{what}: {trouble.cause}. ECS says: {_shortened(text)}"
            return Trouble(trouble.kind, cause, trouble.fix)
    return None


def _idle(seen: RunSnapshot) -> Trouble | None:
    """Jobs wait, no worker has taken one for a while, and nothing else says why."""
    survey = seen.survey
    if seen.queue is None or not seen.queue.waiting:
        return None  # they are leased, or wait until they are tried again
    begun = max((last.key.started for last in survey.open.values()), default=0.0)
    since = survey.looked - IDLE_SECONDS
    if begun > since or survey.done_between(since, survey.looked):
        return None
    working = [
        instance
        for instance in seen.live_instances
        if instance.instance_id in seen.joined
        and seen.joined[instance.instance_id].running_tasks
        and seen.now - instance.launched >= IDLE_SECONDS
    ]
    if not working:
        return None
    first = min(working, key=lambda instance: instance.launched)
    return Trouble(
        "no job taken",
        "Containers run and none has taken a job",
        f"`{run_line(f'logs --machine {first.instance_id}')}` shows what they say",
    )


def _unwatched(seen: RunSnapshot, record: RunRecord) -> Iterator[Trouble]:
    """Machines run and nobody gives them back."""
    if not record.fleet_ids or not seen.live_instances:
        return
    survey = seen.survey
    silent = None if survey.watched is None else survey.looked - survey.watched
    if silent is not None and silent < UNWATCHED_SECONDS:
        return
    youngest = min(seen.now - instance.launched for instance in seen.live_instances)
    if silent is None and youngest < UNWATCHED_SECONDS:
        return
    since = "" if silent is None else f" for {silent / 60:.0f} min"
    run = count_of(len(seen.live_instances), "machine runs", "machines run")
    done = " All jobs have ended." if _left(seen) <= 0 else ""
    yield Trouble(
        "monitor not running",
        f"No monitor has run{since}, and {run}.{done}",
        f"`{run_line('monitor')}` releases idle machines, and removes the run when it is over",
    )


def _shortened(text: str, most: int = 300) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}..."
