"""Watch a run, give back machines it no longer needs, and remove everything when it is over.

A monitor that is stopped is started again anywhere, and goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.faults import is_throttled
from ...command_lines import run_line
from ...errors import DistributedSomethingError, TeardownIncomplete
from ...protocol.ledger.facts import LedgerSummary
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger
from ...run.decisions import MonitorState as MonitorState
from ...run.decisions import Pace as Pace
from ...run.failures import FailureGroup
from ..removing.export import export_if_due
from ..removing.tear_down import tear_down
from ..removing.unfinished import Unfinished, write_unfinished
from ..runs.connection import Connection, may_be_the_network
from ..runs.failed_jobs import failure_groups
from ..runs.runs import find_run, refresh
from ..runs.upstream import note_known
from .failing import FailureWatch
from .notices import tell_if_due
from .queue_count import QueueCount
from .step import RunProgress as RunProgress
from .step import step as step
from .step import stranded

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

_TEARDOWN_TRIES = 3  # of failures that do not pass; the verb can be called again


@dataclass(frozen=True)
class MonitorOutcome:
    """How the run ended, by its ledger."""

    record: RunRecord
    summary: LedgerSummary
    stopped: str = ""  # why the run was stopped before all its jobs were settled
    failures: tuple[FailureGroup, ...] = ()  # jobs that failed last, by kind
    unfinished: Unfinished = field(default_factory=Unfinished)

    @property
    def is_counted(self) -> bool:
        """Whether its jobs are known: upstream's are not where no look saw any in its queue."""
        return bool(self.record.run_id or self.summary.submitted)

    @property
    def is_complete(self) -> bool:
        """Whether every job was done or given up with a reason, as the ledger has it."""
        return not self.stopped and not self.unfinished.count


def monitor(
    aws: Aws,
    record: RunRecord,
    *,
    folder: Path | None,
    cheapest: bool = False,
    pace: Pace | None = None,
    clean_dashboard: bool = False,
    on_progress: Callable[[RunProgress], None] = lambda _: None,
    reconnect: Callable[[], Aws] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> MonitorOutcome:
    """Watch the run until all is done, then remove it; can be stopped and started again.

    A look that fails is tried again for `pace.patience`, and so is a teardown while its failures
    are of the kind that passes. What is wrong from the start is said at once, or within about a
    minute where it may be the network; a throttled start is waited out. `reconnect` makes new
    clients, for credentials may be renewed. `clean_dashboard` is for a monitor file of upstream's
    that does not say it. Jobs that were left over are written to a job file in
    `folder`. Raises TeardownIncomplete with all that could not be removed, and
    DistributedSomethingError if no machine is left to do the jobs.
    """
    pace = pace or Pace()
    connection = Connection(aws, reconnect, pace.patience, pace.look_every)
    if not record.run_id:
        record = connection.ask_first(
            lambda aws: note_known(aws, refresh(aws, record), clean_dashboard),
            sleep=sleep,
            now=now,
        )
    count = QueueCount(aws, record) if not record.run_id else None
    see = count.watch(on_progress) if count else on_progress
    record = _watch(connection, record, cheapest, pace, see, sleep, now)
    _remove(connection, record, folder, pace, sleep, now)
    record = connection.ask(lambda aws: refresh(aws, record), sleep=sleep, now=now)
    if tell_if_due(connection.aws, record, now()):
        record = replace(record, notice_due=False)
    export_if_due(connection.aws, record, pace.export_seconds, sleep=sleep, now=now)
    return connection.ask(lambda aws: _outcome(aws, record, folder, count), sleep=sleep, now=now)


def find_watched(
    aws: Aws,
    settings: Settings,
    *,
    folder: Path | None = None,
    pace: Pace | None = None,
    reconnect: Callable[[], Aws] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> RunRecord:
    """The app's live or last run, looked for as patiently as it is then looked at; raises NotFound
    if there has been none. `folder` is where this machine keeps records."""
    pace = pace or Pace()
    connection = Connection(aws, reconnect, pace.patience, pace.look_every)
    return connection.ask_first(
        lambda aws: find_run(aws, settings, folder=folder), sleep=sleep, now=now
    )


def _outcome(
    aws: Aws, record: RunRecord, folder: Path | None, count: QueueCount | None
) -> MonitorOutcome:
    ledger = RunLedger.of(aws.s3, record)
    survey = ledger.survey()
    return MonitorOutcome(
        record,
        count.amend(aws, record, survey.summary) if count else survey.summary,
        ledger.why_stopped(),
        failure_groups(ledger, survey),
        write_unfinished(aws, record, folder),
    )


def _remove(
    connection: Connection,
    record: RunRecord,
    folder: Path | None,
    pace: Pace,
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> None:
    """Tear the run down, again if something failed; raises TeardownIncomplete in the end.

    Failures that may pass are tried for `pace.patience`, others three times.
    """
    began, tries = now(), 0
    while True:
        failures = tear_down(
            connection.aws,
            record,
            folder=folder,
            export_due=pace.export_seconds > 0,
            notice_due=True,
            sleep=sleep,
            now=now,
        )
        if not failures:
            return
        if not any(failure.passes for failure in failures):
            tries += 1
        if tries >= _TEARDOWN_TRIES or now() - began > pace.patience:
            break
        sleep(pace.look_every)
        connection.renew()
    raise TeardownIncomplete(
        "\n  ".join(
            [
                f"Not all of {record.title} could be removed:",
                *map(str, failures),
                f"Run `{run_line('monitor')}` again to try once more.",
            ]
        )
    )


def _watch(
    connection: Connection,
    record: RunRecord,
    cheapest: bool,
    pace: Pace,
    on_progress: Callable[[RunProgress], None],
    sleep: Callable[[float], None],
    now: Callable[[], float],
) -> RunRecord:
    """Look again and again until the run is over; returns its record as it is then."""
    began = now()
    state, failures = MonitorState(began=began), FailureWatch(pace)
    answered: float | None = None
    while True:
        try:
            record = refresh(connection.aws, record)
            if not record.is_live:
                return record
            state, progress = step(
                connection.aws, record, state, pace=pace, cheapest=cheapest, now=now
            )
            answered = now()
            on_progress(_with_failures(connection.aws, record, failures, progress, answered))
        except (ClientError, BotoCoreError) as error:
            if answered is None and is_throttled(error):
                answered = began  # there is an AWS at this address that knows us
            if answered is None and not may_be_the_network(error, now() - began):
                raise
            connection.say_or_give_up(error, now() - (began if answered is None else answered))
            connection.renew()
        if state.is_stranded:
            raise DistributedSomethingError(stranded(record))
        if state.is_over:
            return record
        sleep(pace.look_every)


def _with_failures(
    aws: Aws, record: RunRecord, failures: FailureWatch, progress: RunProgress, now: float
) -> RunProgress:
    """What was seen, with the jobs that fail and are tried again while some are left."""
    if not record.run_id or not progress.submitted:
        return progress
    failing = failures.look(aws, record, progress.submitted, now, machines=progress.machines)
    return replace(progress, failing=failing if progress.left else None, given_up=failures.given_up)
