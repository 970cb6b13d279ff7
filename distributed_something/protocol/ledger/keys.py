"""Where a run's ledger is in the bucket: one object a fact, with the state in its key.

    runs/<APP_NAME>/<run id>/jobs/<chunk>-<count>.jsonl.gz        what submitJob sent
    runs/<APP_NAME>/<run id>/attempts/<job id>/<attempt>.<state>  what became of each attempt
    runs/<APP_NAME>/<run id>/done/<job id>                        written once, after the outputs
    runs/<APP_NAME>/<run id>/dead/<job id>                        dead-lettered, with the reason
    runs/<APP_NAME>/<run id>/heartbeats/<instance>/<slot>         one a worker slot, once a minute
    runs/<APP_NAME>/<run id>/broken/<instance>                    a machine that could not work
    runs/<APP_NAME>/<run id>/stopped                              why no more jobs are to be taken
    runs/<APP_NAME>/<run id>/monitor_state.json                   what the Lambda's last look saw
    runs/<APP_NAME>/<run id>/machines.json                        the machines that there were
    runs/<APP_NAME>/<run id>/made_with/<name>                     settings, files, image
    runs/<APP_NAME>/<run id>/notices/<what>                       what people were told of, once
    runs/<APP_NAME>/<run id>/checkpoints/<job id>.tar             what the next attempt starts with
    runs/<APP_NAME>/<run id>/leases/<job id>/<claim or receipt>   a lease on its way to its holder

Job ids are uniformly spread hexadecimal, so a listing can be cut into equal ranges by StartAfter.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from enum import Enum

RUNS = "runs/"
UPLOADS = "uploads"  # beside an app's runs: the results that are on their way, CHECK_IF_DONE_BOOL


class AttemptState(str, Enum):
    """What a ledger key says of an attempt; `STARTED` with none later is running or vanished."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


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

    def attempt(self, job_id: str, attempt_id: str, state: AttemptState) -> str:
        return f"{self.attempts_of(job_id)}{attempt_id}.{state.value}"

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
        return f"{self.heartbeats}{instance_id}/{slot}"

    @property
    def broken_machines(self) -> str:
        return f"{self.prefix}broken/"

    def broken_machine(self, instance_id: str) -> str:
        """Where a machine that cannot work says why, before it ends itself."""
        return f"{self.broken_machines}{instance_id}"

    @property
    def stopped(self) -> str:
        """Where a worker says why the run is to stop: too many failures or broken machines."""
        return f"{self.prefix}stopped"

    @property
    def monitor_state(self) -> str:
        """What one look of the Lambda leaves for the next."""
        return f"{self.prefix}monitor_state.json"

    @property
    def machine_book(self) -> str:
        """Which machines the run had, rewritten at every look of whoever watches it."""
        return f"{self.prefix}machines.json"

    @property
    def made_with(self) -> str:
        """Where the settings and files are that the run was made with."""
        return f"{self.prefix}made_with/"

    @property
    def notices(self) -> str:
        return f"{self.prefix}notices/"

    def notice(self, what: str) -> str:
        """Where whoever watches the run says that people were told of something."""
        return f"{self.notices}{what}"

    def checkpoint(self, job_id: str) -> str:
        """Where a job's saved checkpoint folder is."""
        return f"{self.prefix}checkpoints/{job_id}.tar"

    def lease_claim(self, job_id: str) -> str:
        """Where an attempt that outlives SQS's longest lease says that it is alive."""
        return f"{self.prefix}leases/{job_id}/claim"

    def lease_receipt(self, job_id: str) -> str:
        """Where whoever received its message then leaves the new receipt for it."""
        return f"{self.prefix}leases/{job_id}/receipt"


def app_prefix(app_name: str) -> str:
    """The prefix of every run of an app."""
    return f"{RUNS}{app_name}/"


def job_list_count(key: str) -> int:
    """How many jobs a job list holds, read off its key."""
    return int(key.rsplit("-", 1)[1].split(".", 1)[0])


def parse_attempt_key(key: str) -> tuple[str, str, AttemptState]:
    """The job id, attempt id and state that an attempt's key says."""
    job_id, name = key.rsplit("/", 2)[1:]
    attempt_id, _, state = name.rpartition(".")
    return job_id, attempt_id, AttemptState(state)


def new_run_id(now: float) -> str:
    """A run id that sorts by time and that nobody else draws, such as `20261121-142233-a1b2`."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


def new_attempt_id(now: float) -> str:
    """An attempt id that sorts by its start (ms since 1970) and that nobody else draws."""
    return f"{int(now * 1000):013d}-{secrets.token_hex(3)}"
