"""List the jobs that wait in the queue of a run without a list of its jobs, before it is deleted.

`submitJob` of ours lists what it sends; upstream's did not, and its jobs are in their queue alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...aws.messaging import queues
from ...aws.messaging.taking import LARGEST_TAKE, Taken, delete_taken, take_messages
from ...protocol.jobs import BadJob, Job
from ...protocol.ledger.facts import SubmittedJob
from ...protocol.ledger.keys import queue_ledger
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger
from ...words import count_of

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

_LOOK_EVERY = 5.0  # seconds
_LONGEST_WAIT = 120.0  # seconds for jobs whose machines were ended to be in the queue again
_GIVEN_BACK = 15.0  # seconds in which workers that are told to stop give their jobs back


def list_waiting(
    aws: Aws,
    record: RunRecord,
    *,
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> str:
    """Write every job in the queue to a ledger, which is returned, and take its message out.

    To be called once the machines are ended: the jobs that they had come back when their
    visibility timeout is over, which is waited for unless that takes long. Raises NotFound.
    """
    url = queues.find_queue(aws.sqs, record.queue_name)
    known = queues.describe_queue(aws.sqs, record.queue_name)
    visibility = float(known["VisibilityTimeout"])
    record = replace(record, ledger=record.ledger or queue_ledger(known["CreatedTimestamp"]))
    patience = visibility + _LOOK_EVERY if visibility < _LONGEST_WAIT else _GIVEN_BACK
    began, listed, told = now(), 0, False
    while True:
        listed += _list_all(aws, record, url)
        left = queues.count_jobs(aws.sqs, url)
        if not left.total or now() - began >= patience:
            break
        if left.in_flight and not told:
            jobs = count_of(left.in_flight, "job")
            logger.info("Waiting for %s to return to the queue, %.0f s at most.", jobs, patience)
            told = True
        sleep(_LOOK_EVERY)
    if listed:
        logger.info("Listed %s that waited in the queue.", count_of(listed, "job"))
    if left.in_flight:
        logger.warning(
            "%s that ran when the machines were ended cannot be listed: SQS returns their messages "
            "only after %.0f minutes, and the queue is deleted.",
            count_of(left.in_flight, "job"),
            visibility / 60,
        )
    return record.ledger


def _list_all(aws: Aws, record: RunRecord, url: str) -> int:
    """List what can be taken now; a message leaves the queue only when it is in the ledger."""
    listed = 0
    while taken := take_messages(aws.sqs, url, LARGEST_TAKE):
        jobs = {job.job_id: job for job in map(_submitted, taken)}
        _write(aws, record, jobs.values())
        delete_taken(aws.sqs, url, taken)
        listed += len(jobs)
    return listed


def _write(aws: Aws, record: RunRecord, jobs: Iterable[SubmittedJob]) -> None:
    lines = [job.to_line() for job in jobs]
    chunk = hashlib.sha256(b"\n".join(lines)).hexdigest()[:12]
    RunLedger.of(aws.s3, record).write_job_list(chunk, lines)


def _submitted(message: Taken) -> SubmittedJob:
    """A job as `submitJob` lists it; one whose message only its own worker can read as well."""
    try:
        job = Job.from_message(message.body)
    except BadJob:
        identity = hashlib.sha256(message.body.encode()).hexdigest()[:20]
        return SubmittedJob(identity, identity, _one_line(message.body))
    return SubmittedJob(job.job_id, job.name, _one_line(message.body))


def _one_line(body: str) -> str:
    """The message on one line, as a job file of messages wants it."""
    try:
        return json.dumps(json.loads(body))
    except ValueError:
        return body.replace("\n", " ")
