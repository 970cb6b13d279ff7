"""The verb `retry`: queue jobs of the app's run again, in the same run, from the ledger's lists."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.messaging.dead_letters import Letter, delete_letters, hold_letters, release_letters
from ...aws.messaging.messages import Message, send_messages
from ...aws.messaging.queues import count_jobs, find_queue
from ...command_lines import run_line
from ...errors import DistributedSomethingError, NotFound, UsageError
from ...protocol.ledger.attempts import AttemptState
from ...protocol.ledger.record import RunRecord, save_record
from ...protocol.ledger.run_ledger import RunLedger
from ..runs.failed_jobs import given_up_for
from ..runs.runs import choose_run, find_run

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings
    from ...protocol.ledger.survey import Survey

logger = logging.getLogger(__name__)

_REASONS = 100  # of failures, that are read to see which jobs want more
_KILLED = 137  # the exit code of a container or command that is killed, as for its memory
_WANTS_MORE = re.compile(r"memory|longer than its timeout", re.IGNORECASE)
_NAMED = 5  # names that are said
_LOOKED_AT = 1000  # jobs whose reasons are told, where none is the one asked for


@dataclass(frozen=True)
class RetryPlan:
    """What a retry will do, before it is done."""

    app_name: str
    run_id: str
    job_ids: frozenset[str]  # of the jobs that are queued again
    names: tuple[str, ...]  # of the first few of them
    given_up: int  # how many of them are in the dead-letter queue
    done: int  # jobs that were asked for and are done
    running: int  # jobs that were asked for and run now
    waiting: int  # jobs that are left alone since the queue still has a message for each
    stopped: str  # why the run was stopped, or empty
    sets_up: bool  # what went with the run, its queue among it, is made again
    reopens: bool  # the run has ended, and goes on
    last: frozenset[str] = frozenset()  # of these, jobs that failed by memory or time: sent last

    @property
    def count(self) -> int:
        return len(self.job_ids)

    @property
    def lets_go_on(self) -> bool:
        """Whether jobs wait that no worker takes, since the run was stopped and is still there."""
        return bool(self.stopped and self.waiting and not self.reopens)


@dataclass(frozen=True)
class Retried:
    """What was queued again; `letters` were removed from the dead-letter queue."""

    plan: RetryPlan
    sent: int = 0
    letters: int = 0
    needs_machines: bool = False
    other_reasons: tuple[str, ...] = ()  # of given-up jobs, where none was the one asked for


def retry(
    aws: Aws,
    settings: Settings,
    *,
    folder: Path | None,
    names: Sequence[str] = (),
    reason: str | None = None,
    run_id: str | None = None,
    confirm: Callable[[RetryPlan], bool] = lambda _: True,
    set_up: Callable[[], None] | None = None,
    on_progress: Callable[[int, int | None], None] = lambda _done, _total: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Retried:
    """Queue the jobs of the app's live or last run again that are neither done nor running.

    `names` (names or ids) choose among them, or `reason`, a part of what a job was given up for.
    Without either, jobs that the queue still has a message for are left alone, and workers take
    them again if the run was stopped. A run that has ended is opened again, also an older one that
    `run_id` names; where its queue has gone with it, `set_up` makes it again. Raises UsageError for
    names that the run does not have, NotFound if its queue is gone and cannot be made again,
    DistributedSomethingError if `confirm` says no; nothing was changed then.
    """
    if names and reason is not None:
        raise UsageError("Give names or --reason, not both.")
    record = _chosen(aws, settings, run_id)
    has_names = record.queue_name == settings.sqs_queue_name
    queue_url = _queue_of(aws, record, may_be_gone=bool(set_up) and has_names)
    plan = _plan(aws, record, queue_url, names, reason)
    if not plan.count and not plan.lets_go_on:
        is_unmatched = reason is not None and not plan.done and not plan.running
        return Retried(plan, other_reasons=_reasons(aws, record) if is_unmatched else ())
    if not confirm(plan):
        raise DistributedSomethingError("Nothing was changed.")
    if set_up and not queue_url:
        set_up()
        queue_url = find_queue(aws.sqs, record.queue_name)
    if not plan.count:
        record = _open_again(aws, record, plan, folder)
        return Retried(plan, needs_machines=not record.fleet_ids)
    letters_url, letters = _hold(aws, record, plan)
    try:
        record = _open_again(aws, record, plan, folder)
        # Before they are sent: a job that fails at once writes its marker anew.
        RunLedger.of(aws.s3, record).forget_given_up(plan.job_ids)
        sent = send_messages(
            aws.sqs,
            queue_url,
            record.run_id,
            _messages(aws, record, plan),
            on_sent=lambda sent: on_progress(sent, plan.count),
            sleep=sleep,
        )
    except BaseException:
        logger.warning(f"Not everything was queued: `{run_line('retry')}` continues.")
        _release(aws, letters_url, letters)
        raise
    removed = _remove(aws, letters_url, letters)
    return Retried(plan, sent, removed, needs_machines=not record.fleet_ids)


def _reasons(aws: Aws, record: RunRecord) -> tuple[str, ...]:
    """The first few reasons for which jobs were given up, each once."""
    dead = islice(RunLedger.of(aws.s3, record).given_up_jobs(), _LOOKED_AT)
    return tuple(islice(dict.fromkeys(job.reason for job in dead), _NAMED))


def _remove(aws: Aws, letters_url: str, letters: Sequence[Letter]) -> int:
    """Delete the letters of jobs that are queued again; one that stays does no harm."""
    try:
        return delete_letters(aws.sqs, letters_url, letters)
    except (ClientError, BotoCoreError) as error:
        logger.warning(
            "Everything is queued, but messages of these jobs stay in the dead-letter queue: %s",
            error,
        )
        _release(aws, letters_url, letters)
        return 0


def _release(aws: Aws, letters_url: str, letters: Sequence[Letter]) -> None:
    """Show held letters to everybody again; SQS does by itself, an hour after they were held."""
    try:
        release_letters(aws.sqs, letters_url, [letter.receipt for letter in letters])
    except (ClientError, BotoCoreError) as error:
        logger.warning("Some dead-letter messages are hidden for an hour: %s", error)


def _chosen(aws: Aws, settings: Settings, run_id: str | None) -> RunRecord:
    """The run to go on with; an app has one live run at a time."""
    record, last = choose_run(aws, settings, run_id), find_run(aws, settings)
    if last.is_live and last.run_id != record.run_id:
        raise UsageError(
            f"Run {last.run_id} of {last.app_name} is live, and an app has one run at a time: "
            "leave out --run, or try again when that run is over."
        )
    return record


def _queue_of(aws: Aws, record: RunRecord, *, may_be_gone: bool) -> str:
    """The URL of a run's queue; '' for one that went with its run and may be made again.

    Raises NotFound with what to do.
    """
    if not record.run_id:
        raise NotFound(
            f"The run of {record.app_name} was started by an older program without a list of "
            f"jobs: submit its job file again with `{run_line('submitJob JOBS.json')}`."
        )
    try:
        return find_queue(aws.sqs, record.queue_name)
    except NotFound:
        if may_be_gone and not record.is_live:
            return ""
        ended = "is live" if record.is_live else "has ended"
        raise NotFound(
            f"Run {record.run_id} of {record.app_name} {ended}, and its queue {record.queue_name} "
            f"is gone: run `{run_line('setup')}`, then this again, then "
            f"`{run_line('startCluster FLEET.json')}`."
        ) from None


def _plan(
    aws: Aws, record: RunRecord, queue_url: str, names: Sequence[str], reason: str | None
) -> RetryPlan:
    """What is to be queued again, by the ledger."""
    ledger = RunLedger.of(aws.s3, record)
    survey = ledger.survey()
    done, dead, running = set(survey.done), set(survey.dead), set(survey.at_work())
    asked = None if reason is None else given_up_for(ledger, survey, reason)
    listed, asked_names = _listed(ledger, asked, set(names))
    if unknown := set(names) - asked_names:
        raise UsageError(
            f"Run {record.run_id} of {record.app_name} has no job named "
            f"{', '.join(sorted(unknown))}."
        )
    # Joined once: of 100,000 jobs each union takes as long as a request.
    left_alone, settled = done | running, done | dead
    chosen = {job_id: name for job_id, name in listed.items() if job_id not in left_alone}
    waiting = 0
    if not names and reason is None:
        open_jobs = [job_id for job_id in listed if job_id not in settled]
        # Fewer messages than open jobs: some job's is lost, and nobody can tell whose.
        waits = count_jobs(aws.sqs, queue_url).total if queue_url else 0
        if queue_url and waits >= len(open_jobs):
            waiting = sum(1 for job_id in chosen if job_id not in dead)
            chosen = {job_id: name for job_id, name in chosen.items() if job_id in dead}
    return RetryPlan(
        app_name=record.app_name,
        run_id=record.run_id,
        job_ids=frozenset(chosen),
        names=tuple(list(chosen.values())[:_NAMED]),
        given_up=len(dead & chosen.keys()),
        done=len(done & listed.keys()),
        running=len(running & listed.keys()),
        waiting=waiting,
        stopped=ledger.why_stopped() if survey.is_stopped else "",
        sets_up=not queue_url,
        reopens=not record.is_live,
        last=_hungry(ledger, survey, chosen.keys()),
    )


def _hungry(ledger: RunLedger, survey: Survey, job_ids: Collection[str]) -> frozenset[str]:
    """Those of the jobs that failed for want of memory or time, and so may again.

    A worker that vanishes has most often run out of memory.
    """
    ends = {job_id: survey.dead.get(job_id) or survey.open.get(job_id) for job_id in job_ids}
    vanished = {
        job_id
        for job_id, last in ends.items()
        if last and not last.last_failed and last.state is AttemptState.STARTED
    }
    failed = {job_id: last.last_failed for job_id, last in ends.items() if last}
    examples = {key.reason: key for key in failed.values() if key and key.reason}
    read = ledger.explain(islice(examples.values(), _REASONS))
    hungry = {reason for reason, attempt in read.items() if _WANTS_MORE.search(attempt.reason)}
    return frozenset(vanished) | {
        job_id
        for job_id, key in failed.items()
        if key and (key.exit_code == _KILLED or key.reason in hungry)
    }


def _listed(
    ledger: RunLedger, ids: set[str] | None, names: set[str]
) -> tuple[dict[str, str], set[str]]:
    """The names by id of the jobs that are asked for, and which of `names` a job answers to."""
    listed: dict[str, str] = {}
    answered: set[str] = set()
    for job in ledger.submitted_jobs():
        called = names & {job.name, job.job_id}
        answered |= called
        if (called or not names) and (ids is None or job.job_id in ids):
            listed[job.job_id] = job.name
    return listed, answered


def _hold(aws: Aws, record: RunRecord, plan: RetryPlan) -> tuple[str, list[Letter]]:
    """The dead letters of the jobs, out of anybody's reach, and the URL of their queue."""
    try:
        url = find_queue(aws.sqs, record.dead_letter_queue_name)
    except NotFound:
        logger.warning("There is no dead-letter queue %s.", record.dead_letter_queue_name)
        return "", []
    return url, hold_letters(aws.sqs, url, record.run_id, set(plan.job_ids))


def _open_again(aws: Aws, record: RunRecord, plan: RetryPlan, folder: Path | None) -> RunRecord:
    """The run's record, live; what stopped the run is forgotten."""
    if not plan.reopens and not plan.stopped:
        return record
    RunLedger.of(aws.s3, record).resume()
    if plan.reopens:
        # All of these were removed when the run ended.
        record = replace(record, ended=None, fleets=(), launch_templates=(), schedule="")
        record = replace(record, dashboard="", queue_deleted=None)
        save_record(aws.s3, record, folder)
        logger.info("Run %s of %s continues.", record.run_id, record.app_name)
    return record


def _messages(aws: Aws, record: RunRecord, plan: RetryPlan) -> Iterator[Message]:
    """The jobs' messages; those that want more than others come last, and hold up none."""
    ledger = RunLedger.of(aws.s3, record)
    for part in (plan.job_ids - plan.last, plan.job_ids & plan.last):
        left = set(part)
        for job in ledger.submitted_jobs() if left else ():
            if job.job_id in left:
                left.remove(job.job_id)
                yield Message(job.job_id, job.body)
