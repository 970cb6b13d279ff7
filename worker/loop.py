"""Take one job at a time, attempt it, and settle its message; the loop of one worker slot."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.jobs import BadJob, Job
from distributed_something.protocol.ledger.attempts import AttemptKey
from distributed_something.protocol.ledger.claims import Receipt
from distributed_something.protocol.ledger.facts import GivenUp, History
from distributed_something.protocol.ledger.record import live_run_id
from distributed_something.protocol.ledger.run_ledger import RunLedger

from .clients import Clients
from .environment import Place
from .job.attempt import JobAttempt
from .job.outcomes import Ending, Hopeless, MachineFault, Outcome
from .job.tool import ToolResult, run_tool
from .machine.heartbeat import Heart
from .machine.readiness import Readiness
from .queue import job_queue
from .queue.handover import Claim
from .queue.job_queue import Message
from .queue.lease import Lease
from .stopping import Stopping

logger = logging.getLogger(__name__)

NOT_STARTED_LIMIT = 3  # commands in a row; fewer may be the commands' own fault
_PERHAPS_A_SECOND = "(A worker ended while it wrote this message: there may be two copies.)"
_LONGEST_PAUSE = 30.0  # seconds between two tries to reach a queue that does not answer


class Loop:
    """One slot of a worker."""

    def __init__(
        self,
        clients: Clients,
        place: Place,
        stopping: Stopping,
        heart: Heart,
        *,
        run: Callable[..., ToolResult] = run_tool,
        make_lease: Callable[..., Lease] = Lease,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`run` runs a command and `make_lease` holds a lease, as those named here do."""
        self._run_tool = run
        self._make_lease = make_lease
        self._clients = clients
        self._place = place
        self._settings = place.settings
        self._stopping = stopping
        self._heart = heart
        self._readiness = Readiness(place, stopping, heart, now)
        self._now = now
        self._pause = 1.0
        self._not_started = 0  # commands in a row

    def run(self) -> None:
        """Work until asked to stop; raises MachineFault if this machine cannot work."""
        logger.info("Waiting for jobs of %s.", self._settings.app_name)
        self._look_at_latest_run()
        while not self._stopping.asked:
            if not self._readiness.must_wait():
                self.take_one()
        logger.info("Ended: %s.", self._stopping.reason)

    def take_one(self) -> None:
        """Wait for one message and deal with it, whatever happens on the way."""
        message = self._receive()
        if message is None:
            return
        if self._stopping.asked:
            job_queue.give_back(self._clients.sqs, self._settings.sqs_queue_url, message, 0)
            return
        try:
            self._deal_with(message)
        except MachineFault:
            raise
        except Exception:  # no job may end the loop that would run the next one
            logger.exception("The job could not be processed; it returns to the queue.")
            self._stopping.wait(1.0)
            self._try_to_give_back(message)

    def _receive(self) -> Message | None:
        try:
            message = job_queue.receive(
                self._clients.sqs,
                self._settings.sqs_queue_url,
                self._settings.sqs_message_visibility,
                self._place.pace.poll_seconds,
                now=self._now,
            )
        except (ClientError, BotoCoreError) as error:
            logger.warning("The queue does not answer, next try in %g s: %s", self._pause, error)
            self._stopping.wait(self._pause)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
            return None
        self._pause = 1.0
        return message

    def _deal_with(self, message: Message) -> None:
        ledger = self._ledger(message.run_id or self._latest_run())
        with self._make_lease(
            self._clients.lease_sqs,
            self._settings.sqs_queue_url,
            message,
            self._settings.sqs_message_visibility,
            limit=self._place.pace.lease_limit_seconds,
            on_lost=self._stopping.wake.set,
            now=self._now,
        ) as lease:
            try:
                job = Job.from_message(message.body)
            except BadJob as error:
                identity = _identity(message)
                if not self._was_given_up(message, lease, ledger, identity):
                    self._give_up(lease, ledger, identity, str(error))
            else:
                self._decide(message, lease, ledger, job)

    def _decide(self, message: Message, lease: Lease, ledger: RunLedger, job: Job) -> None:
        """Attempt a job, unless it is done or has failed often enough."""
        if ledger.is_done(job.job_id):
            logger.info("Job %s is already done; its message is deleted.", job.name)
            lease.release()
            self._delete(message)
            return
        if self._was_given_up(message, lease, ledger, job.job_id):
            return
        history = History()
        if message.receive_count > 1:
            if self._is_alive_elsewhere(message, lease, ledger, job):
                return
            history = ledger.history(job.job_id, message.sent)
            if history.done:
                self._complete(lease, ledger, job, history.done)
                return
        if history.failures >= self._settings.job_retries:
            self._give_up(lease, ledger, job.job_id, ledger.why_failed(history))
            return
        self._attempt(message, lease, ledger, job, history)

    def _attempt(
        self, message: Message, lease: Lease, ledger: RunLedger, job: Job, history: History
    ) -> None:
        """Attempt a job, unless its results are there already, and settle its message."""
        attempt = JobAttempt(
            self._clients,
            self._place,
            self._stopping,
            lease,
            job,
            ledger,
            history.attempts + 1,
            is_last=history.failures + 1 >= self._settings.job_retries,
            run=self._run_tool,
            now=self._now,
        )
        try:
            there = attempt.is_done_before()
        except Hopeless as refusal:
            self._give_up(lease, ledger, job.job_id, str(refusal))
            return
        if there:
            logger.info("Job %s: its results already exist.", job.name)
            lease.release()
            self._delete(message)
            return
        brisk = self._ledger(ledger.keys.run_id, brisk=True)
        lease.claim_with(Claim(brisk.lease_claims(job.job_id), attempt.facts.attempt_id))
        self._heart.busy(ledger, job.job_id, job.name, attempt.facts.attempt_id)
        try:
            outcome = attempt.run()
        except Exception as error:  # a job that trips us up must not do so for ever
            logger.exception("The attempt failed in a way that was not expected.")
            outcome = attempt.failed(f"The worker failed: {type(error).__name__}: {error}")
        finally:
            self._heart.idle()
        self._settle(lease, ledger, outcome, history.failures)
        self._blame_the_machine(attempt.cannot_start, outcome)

    def _complete(self, lease: Lease, ledger: RunLedger, job: Job, done: AttemptKey) -> None:
        """Mark a job done whose worker ended when its results were there and it had said so."""
        logger.info(
            "Job %s was done by a worker that then ended; it is recorded as done.", job.name
        )
        ledger.mark_done(done)
        ledger.forget_checkpoint(job.job_id)
        lease.release()
        self._delete(lease.message)

    def _was_given_up(self, message: Message, lease: Lease, ledger: RunLedger, job_id: str) -> bool:
        """Whether the job was given up before; if so, what its worker did not come to is done."""
        if message.receive_count == 1:
            return False
        if not self._is_given_up(message, ledger, job_id):
            return False
        logger.info("Job %s was already given up; its message is deleted.", job_id)
        lease.release()
        self._delete(message)
        return True

    def _is_given_up(self, message: Message, ledger: RunLedger, job_id: str) -> bool:
        """Whether a worker began to give this very message's job up; then its dead-letter message
        is sent."""
        found = ledger.find_given_up(job_id, message.message_id)
        if found and not found.is_sent:
            self._send_dead_letter(message, ledger, found, f"{_PERHAPS_A_SECOND} {found.reason}")
        return found is not None

    def _blame_the_machine(self, cannot_start: bool, outcome: Outcome) -> None:
        """Raise MachineFault if it was not the job's fault, or not so many commands' in a row."""
        if outcome.ending is Ending.BROKEN:
            raise MachineFault(outcome.reason)
        if not cannot_start or outcome.ending is Ending.HOPELESS:
            self._not_started = 0
            return
        self._not_started += 1
        if self._not_started >= NOT_STARTED_LIMIT:
            raise MachineFault(
                f"{self._not_started} commands in a row could not be started; the last one: "
                f"{outcome.reason}"
            )

    def _look_at_latest_run(self) -> None:
        """See before a first job is taken whether the run is stopped, and beat for it."""
        try:
            ledger = self._ledger(self._latest_run())
        except (ClientError, BotoCoreError) as error:
            logger.warning("The latest run could not be read: %s", error)
            return
        self._heart.begin(ledger)
        self._heart.look_at_run(ledger)

    def _is_alive_elsewhere(
        self, message: Message, lease: Lease, ledger: RunLedger, job: Job
    ) -> bool:
        """Whether an attempt has outlived its lease; if so, ours is left for it."""
        claims = ledger.lease_claims(job.job_id)
        claimant = claims.claimant(self._settings.sqs_message_visibility)
        if claimant is None:
            return False
        logger.info("Job %s is running elsewhere; its lease is passed on.", job.name)
        # The message stays hidden for the rest of our lease, in which its holder takes it over.
        lease.release()
        claims.leave(Receipt(claimant, message.receipt, message.received))
        return True

    def _settle(self, lease: Lease, ledger: RunLedger, outcome: Outcome, failures: int) -> None:
        """Do with the message what the attempt's end calls for."""
        name, ending, job_id = outcome.attempt.name, outcome.ending, outcome.attempt.job_id
        logger.info("Job %s: %s. %s", name, ending.value, outcome.reason)
        if ending is Ending.HOPELESS:
            self._give_up(lease, ledger, job_id, outcome.reason)
        elif ending is Ending.FAILED and failures + 1 >= self._settings.job_retries:
            reason = f"{failures + 1} attempts failed; the last one: {outcome.reason}"
            self._give_up(lease, ledger, job_id, reason)
        else:
            lease.release()
            self._pass_on(lease.message, ending, failures)

    def _pass_on(self, message: Message, ending: Ending, failures: int) -> None:
        """Delete or give back the message of an attempt that is not the job's last failure."""
        if ending in (Ending.DONE, Ending.ELSEWHERE):
            self._delete(message)
        elif ending in (Ending.INTERRUPTED, Ending.BROKEN):
            self._give_back(message, 0)
        elif ending is Ending.SUSPECT:  # after a while, so that another machine gets it
            self._give_back(message, self._backoff(1))
        elif ending is not Ending.LOST:  # then the message is somebody else's
            self._give_back(message, self._backoff(failures + 1))

    def _give_up(self, lease: Lease, ledger: RunLedger, job_id: str, reason: str) -> None:
        """Send a job to the dead letters for good, unless it is another worker's by now.

        The ledger knows before and after. Whoever gets the message after a worker that died in
        between neither runs the job nor loses its dead-letter message; a second one is the least
        evil then, and says that it may be one.
        """
        if not lease.renew():
            return
        logger.error("Job %s is given up: %s", job_id, reason)
        message = lease.message
        job = GivenUp(job_id, reason, message.message_id)
        if ledger.begin_giving_up(job):
            self._send_dead_letter(message, ledger, job, reason)
        else:
            self._is_given_up(message, ledger, job_id)
        lease.release()
        self._delete(lease.message)
        most = self._settings.max_failures
        if most and ledger.count_given_up(most) >= most:
            why = f"{most} jobs or more were given up (MAX_FAILURES); the last one: {reason}"
            logger.error("The run is stopped: %s", why)
            ledger.stop(why)
            self._heart.look_at_run(ledger)

    def _send_dead_letter(
        self, message: Message, ledger: RunLedger, job: GivenUp, reason: str
    ) -> None:
        # By a client that asks once: what the SDK sends again would be a second message unsaid.
        sqs, url = self._clients.lease_sqs, self._settings.sqs_dead_letter_queue_url
        job_queue.send_to_dead_letters(sqs, url, message, reason)
        ledger.write_given_up(replace(job, is_sent=True))

    def _delete(self, message: Message) -> None:
        job_queue.delete(self._clients.sqs, self._settings.sqs_queue_url, message)

    def _give_back(self, message: Message, delay: float) -> None:
        job_queue.give_back(self._clients.sqs, self._settings.sqs_queue_url, message, delay)

    def _try_to_give_back(self, message: Message) -> None:
        try:
            self._give_back(message, self._backoff(message.receive_count))
        except (ClientError, BotoCoreError) as error:
            logger.warning("The job returns when its lease ends: %s", error)

    def _backoff(self, failures: int) -> float:
        """Seconds until a failed job is tried again, a little random so that jobs spread."""
        pace = self._place.pace
        doubled = pace.backoff_seconds * 2.0 ** min(failures - 1, 30)
        return min(pace.backoff_most_seconds, doubled) * random.uniform(0.8, 1.2)

    def _ledger(self, run_id: str, *, brisk: bool = False) -> RunLedger:
        """A run's ledger; `brisk` by the client that does not wait long for an answer."""
        s3 = self._clients.lease_s3 if brisk else self._clients.s3
        return RunLedger(s3, self._settings.aws_bucket, self._settings.app_name, run_id)

    def _latest_run(self) -> str:
        return _latest_run(self._clients, self._settings)


@lru_cache(maxsize=1)
def _latest_run(clients: Clients, settings: WorkerEnvironment) -> str:
    """The run that messages without one belong to, or their queue's ledger; asked for once."""
    found = live_run_id(clients.s3, settings.aws_bucket, settings.app_name)
    return found or job_queue.ledger_of(clients.sqs, settings.sqs_queue_url)


def _identity(message: Message) -> str:
    """The id of a job whose message cannot be read."""
    return message.job_id or hashlib.sha256(message.body.encode()).hexdigest()[:20]
