"""A run that can be stopped at every call: its verbs, and the machines and workers of the world."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import Purchase, start_cluster
from distributed_something.commands.cancelling.cancel import cancel
from distributed_something.commands.runs.runs import find_run
from distributed_something.commands.watching.monitor import MonitorOutcome, Pace, monitor
from distributed_something.definitions.tags import TOKEN_TAG
from distributed_something.errors import DistributedSomethingError
from distributed_something.local.simulator import server
from distributed_something.protocol.ledger.record import RunRecord, find_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.account import write_fleet_file
from tests.lives import Held, Life, add_lambda, open_life

from . import states
from .wire import Application, Killed, Wire

JOBS = ("a", "b")
# A look and its end are enough here: that several quiet looks are needed is proved elsewhere.
PACE = Pace(
    spare_looks=1,
    spare_seconds=0.0,
    quiet_looks=1,
    quiet_seconds=0.0,
    patience=60.0,
    export_seconds=10.0,
)
MOST_SLEEPS = 200  # of one verb; one that waits longer waits without end
# What a verb may end with; anything else is a bug.
EXPECTED = (ClientError, BotoCoreError, DistributedSomethingError)
_GONE = ("cancelled", "cancelled_terminating", "failed")

WISHES = ("AUTO_MONITOR", "CREATE_DASHBOARD", "CLEAN_DASHBOARD")


@dataclass
class Stage:
    """Our side of a run, whose calls may fail, and the other side, whose calls never do."""

    life: Life
    wire: Wire
    theirs: Life
    held: list[Held] = field(default_factory=list)
    pace: Pace = PACE

    @classmethod
    def of(cls, life: Life, application: Application) -> Stage:
        """The stage of an open life, whose clients go through wires of their own."""
        sides = []
        for _ in range(2):
            aws = Aws(life.aws.session, life.aws.endpoint_url)
            sides.append(Life(aws, life.settings, life.folder, life.clock))
        ours, theirs = sides
        Wire(theirs.aws, application)
        Wire(theirs.world, application)
        stage = cls(ours, Wire(ours.aws, application), theirs)
        ours.clock.during = stage.go_on
        stage.fleet_file = write_fleet_file(theirs.aws, life.folder)
        return stage

    def __post_init__(self) -> None:
        self.fleet_file = self.life.folder / "fleet.json"

    # The verbs.

    def setup(self) -> None:
        self.life.set_up()

    def submit(self) -> None:
        self.life.submit(*JOBS)

    def buy(self) -> None:
        """Buy machines as a person does, who says no when the run has them already."""

        def confirm(purchase: Purchase) -> bool:
            return not purchase.fleets_already

        life = self.life
        start_cluster(
            life.aws,
            life.settings,
            self.fleet_file,
            folder=life.folder,
            confirm=confirm,
            **life.times,
        )

    def monitor(self) -> MonitorOutcome:
        life = self.life
        record = find_run(life.aws, life.settings)
        return monitor(life.aws, record, folder=life.folder, pace=self.pace, **life.times)

    def cancel(self) -> None:
        life = self.life
        cancel(life.aws, life.settings, folder=life.folder, **life.times)

    # The world.

    def go_on(self) -> None:
        """What AWS and the workers do while we wait."""
        if len(self.life.clock.slept) > MOST_SLEEPS:
            raise AssertionError("this verb waits without end")
        self.theirs.tick()
        self.work()

    def work(self) -> None:
        """Let workers end the jobs that they hold, and take others."""
        record = self.record()
        machines = self.theirs.instances()
        if record is None or not record.is_live or not machines:
            return
        self.theirs.finish(record, *self.held)
        self.held.clear()
        for machine in machines:
            if self._waiting(record):
                self.held.append(self.theirs.take(record, machine))

    def work_all(self) -> None:
        """Let machines join, and workers do all jobs."""
        self.theirs.tick()
        self.work()
        while self.held:
            self.work()

    def _waiting(self, record: RunRecord) -> bool:
        sqs = self.theirs.aws.sqs
        try:
            url = sqs.get_queue_url(QueueName=record.queue_name)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist:
            return False
        name = "ApproximateNumberOfMessages"
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])  # type: ignore[list-item]
        return answer["Attributes"][name] != "0"  # type: ignore[index]

    # What there is.

    def state(self) -> str:
        """All that a run goes on from."""
        life = self.life
        return states.write_state(
            life.clock.now(), states.all_backends(), states.files(life.folder), self.held
        )

    def leave_folder(self) -> None:
        """Go to a copy of the folder that this process is in, as a copy of it does at its start."""
        copy = tempfile.mkdtemp(dir=Path.cwd().parent)
        os.chdir(shutil.copytree(".", copy, dirs_exist_ok=True))

    def record(self) -> RunRecord | None:
        life = self.theirs
        return find_record(life.aws.s3, life.settings.aws_bucket, life.settings.app_name)

    def fleets(self) -> set[str]:
        """The tokens of all fleets that may run machines."""
        pages = self.theirs.aws.ec2.get_paginator("describe_spot_fleet_requests").paginate()
        return {
            tag["Value"]
            for page in pages
            for fleet in page["SpotFleetRequestConfigs"]
            if fleet["SpotFleetRequestState"] not in _GONE
            for tag in fleet["Tags"]
            if tag["Key"] == TOKEN_TAG
        }

    def unrecorded_fleets(self) -> set[str]:
        """The tokens of fleets that may run machines, and that no live record tells of."""
        record = self.record()
        known = {one.client_token for one in record.fleets} if record and record.is_live else set()
        return self.fleets() - known

    def inventory(self) -> frozenset[str]:
        return take_inventory(self.theirs.aws)

    def left_over(self, before: frozenset[str]) -> list[str]:
        """What a run that has ended has left, and what of the account has gone with it."""
        record = self.record()
        stays = what_stays(record) if record else frozenset()
        now = self.inventory()
        return [*sorted(now - before - stays), *(f"lost: {one}" for one in before - now)]

    def jobs(self) -> tuple[list[str], list[str]]:
        """The names of the jobs that were submitted to the run, and of those that are done."""
        record = self.record()
        assert record is not None
        ledger = RunLedger.of(self.theirs.aws.s3, record)
        submitted = [job.name for job in ledger.submitted_jobs()]
        done = [attempt.name for attempt in ledger.read_attempts(ledger.done_attempts())]
        return sorted(submitted), sorted(done)


@contextmanager
def open_stage(days_later: int = 0) -> Iterator[Stage]:
    """A stage whose files are in the folder that this process is in; it may begin days later."""
    wishes: dict[str, Any] = dict.fromkeys(WISHES, "True")
    with open_life(Path(), **wishes) as life:
        life.clock.time = float(int(life.clock.time)) + days_later * 86_400.0
        add_lambda(life.aws)
        yield Stage.of(life, server.application)


def outcome_of(verb: Callable[[], object]) -> BaseException | None:
    """What a verb ended with, if it is something that a verb may end with."""
    try:
        verb()
    except (*EXPECTED, Killed) as error:
        return error
    return None
