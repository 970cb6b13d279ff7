"""Where a run's ledger is in the bucket: one object a fact, and in its key all that lists need.

    runs/<APP_NAME>/<run id>/record.json                          what the run is made of
    runs/<APP_NAME>/<run id>/jobs/<chunk>-<count>.jsonl.gz        what submitJob sent
    runs/<APP_NAME>/<run id>/attempts/<job id>/<AttemptKey.name>  start and end of each attempt
    runs/<APP_NAME>/<run id>/done/<job id>                        the attempt that was first, last
    runs/<APP_NAME>/<run id>/dead/<job id>                        given up, with the reason
    runs/<APP_NAME>/<run id>/heartbeats/<hash>/<instance>/<slot>  once a minute; empty while idle
    runs/<APP_NAME>/<run id>/broken/<instance>                    a machine that could not work
    runs/<APP_NAME>/<run id>/not_started/<hash>/<instance>        a program that it cannot start
    runs/<APP_NAME>/<run id>/stopped                              why no more jobs are to be taken
    runs/<APP_NAME>/<run id>/closed                               machines that take no more jobs
    runs/<APP_NAME>/<run id>/monitor_state.json                   what the Lambda's last look saw
    runs/<APP_NAME>/<run id>/machines.json                        the machines that there were
    runs/<APP_NAME>/<run id>/made_with/<name>                     settings, files, image
    runs/<APP_NAME>/<run id>/notices/<what>                       what people were told of, once
    runs/<APP_NAME>/<run id>/checkpoints/<job id>.tar             what the next attempt starts with
    runs/<APP_NAME>/<run id>/leases/<job id>/<claim or receipt>   a lease on its way to its holder
    runs/<APP_NAME>/uploads/<hash>                                results that are on their way
    monitors/<APP_NAME>SpotFleetRequestId.json                    the record of the live or last run

Job ids are uniformly spread hexadecimal. So a listing can be cut into equal ranges by StartAfter,
and S3, which takes 3,500 writes a second below each prefix, can cut anywhere in their first digits;
machines' ids, which all begin alike, have the digits of a hash before them.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from .attempts import AttemptKey
from .unreadable import Unreadable

RUNS = "runs/"
UPLOADS = "uploads"  # beside an app's runs: the next run must see them too
_COUNT_DIGITS = 7  # of the number of jobs in a list, far above what is put into one
_SPREAD = 2  # digits of a machine's hash


@dataclass(frozen=True)
class RunKeys:
    """The keys of one run's ledger."""

    app_name: str
    run_id: str

    @property
    def prefix(self) -> str:
        return f"{app_prefix(self.app_name)}{self.run_id}/"

    @property
    def record(self) -> str:
        return f"{self.prefix}record.json"

    @property
    def job_lists(self) -> str:
        return f"{self.prefix}jobs/"

    def job_list(self, chunk: str, count: int) -> str:
        """The key of one list of `count` submitted jobs; a listing of keys can so add them up."""
        return f"{self.job_lists}{chunk}-{count}.jsonl.gz"

    @property
    def attempts(self) -> str:
        return f"{self.prefix}attempts/"

    def attempts_of(self, job_id: str) -> str:
        return f"{self.attempts}{job_id}/"

    def attempt(self, key: AttemptKey) -> str:
        return f"{self.attempts_of(key.job_id)}{key.name}"

    @property
    def done_markers(self) -> str:
        return f"{self.prefix}done/"

    def done(self, job_id: str) -> str:
        return f"{self.done_markers}{job_id}"

    @property
    def dead_markers(self) -> str:
        return f"{self.prefix}dead/"

    def dead(self, job_id: str) -> str:
        return f"{self.dead_markers}{job_id}"

    @property
    def heartbeats(self) -> str:
        return f"{self.prefix}heartbeats/"

    def heartbeat(self, instance_id: str, slot: str) -> str:
        spread = hashlib.sha256(instance_id.encode()).hexdigest()[:_SPREAD]
        return f"{self.heartbeats}{spread}/{instance_id}/{slot}"

    @property
    def broken_machines(self) -> str:
        return f"{self.prefix}broken/"

    def broken_machine(self, instance_id: str) -> str:
        """Where a machine that cannot work says why, before it ends itself."""
        return f"{self.broken_machines}{instance_id}"

    @property
    def not_started(self) -> str:
        """Where machines say, in empty objects, which programs they cannot start."""
        return f"{self.prefix}not_started/"

    def not_started_of(self, program: str) -> str:
        """Where machines say that they cannot start this program."""
        return f"{self.not_started}{hashlib.sha256(program.encode()).hexdigest()[:20]}/"

    @property
    def stopped(self) -> str:
        """Where a worker says why the run is to stop: too many failures or broken machines."""
        return f"{self.prefix}stopped"

    @property
    def closed(self) -> str:
        """Where the monitor says which machines are to take no more jobs."""
        return f"{self.prefix}closed"

    @property
    def monitor_state(self) -> str:
        """What one look of the Lambda leaves for the next."""
        return f"{self.prefix}monitor_state.json"

    @property
    def machine_book(self) -> str:
        """Which machines the run had, rewritten at every look of the monitor or the Lambda."""
        return f"{self.prefix}machines.json"

    @property
    def made_with(self) -> str:
        """Where the settings and files are that the run was made with."""
        return f"{self.prefix}made_with/"

    @property
    def notices(self) -> str:
        return f"{self.prefix}notices/"

    def notice(self, what: str) -> str:
        """Where the monitor or the Lambda says that people were told of something."""
        return f"{self.notices}{what}"

    def checkpoint(self, job_id: str) -> str:
        """Where a job's saved checkpoint folder is."""
        return f"{self.prefix}checkpoints/{job_id}.tar"

    def lease_claim(self, job_id: str) -> str:
        """Where an attempt that outlives SQS's longest lease says that it is alive."""
        return f"{self.prefix}leases/{job_id}/claim"

    def lease_receipt(self, job_id: str) -> str:
        """Where the worker that received its message then leaves the new receipt for it."""
        return f"{self.prefix}leases/{job_id}/receipt"


def queue_ledger(created: str) -> str:
    """The ledger of jobs whose messages name no run: upstream's, or sent by hand.

    Each queue has one of its own; `created` is its CreatedTimestamp, seconds since 1970.
    """
    return f"queue-{created}"


def app_prefix(app_name: str) -> str:
    """The prefix of every run of an app."""
    return f"{RUNS}{app_name}/"


def upload_mark(app_name: str, address: str) -> str:
    """Where it is noted that results are on their way to an address."""
    place = hashlib.sha256(address.encode()).hexdigest()[:20]
    return f"{app_prefix(app_name)}{UPLOADS}/{place}"


def record_name(app_name: str) -> str:
    """The name of an app's monitor file, upstream's own."""
    return f"{app_name}SpotFleetRequestId.json"


def record_key(app_name: str) -> str:
    """Where the bucket keeps the record of an app's live or last run."""
    return f"monitors/{record_name(app_name)}"


def job_list_count(key: str) -> int:
    """How many jobs a job list holds, read off its key; raises Unreadable."""
    try:
        count = key.rsplit("-", 1)[1].split(".", 1)[0]
        if count.isdecimal() and len(count) <= _COUNT_DIGITS:
            return int(count)
    except IndexError:
        pass
    raise Unreadable("it is no key of a job list")


def parse_attempt(key: str) -> AttemptKey:
    """What an attempt's whole key says; raises Unreadable."""
    *_, job_id, name = key.rsplit("/", 2)
    return AttemptKey.parse(job_id, name)


def parse_heartbeat(key: str) -> tuple[str, str]:
    """The machine and the slot that a heartbeat's key names."""
    _, instance_id, slot = key.rsplit("/", 2)
    return instance_id, slot


def new_run_id(now: float) -> str:
    """A run id that sorts by time and that nobody else draws, such as `20261121-142233-a1b2`."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


def new_attempt_id(now: float) -> str:
    """An attempt id that sorts by its start (ms since 1970) and that nobody else draws."""
    return f"{int(now * 1000):013d}-{secrets.token_hex(3)}"
