"""What a supervisor does beside its loops: heed its machine's notices, and do its duties."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed_something.protocol.environment import WorkerEnvironment

from ..environment import Pace
from ..stopping import Stopping
from .instance import Metadata, Notices, read_notices

if TYPE_CHECKING:
    from .duties import Duties

logger = logging.getLogger(__name__)


def start(chore: Callable[..., None], *arguments: Any) -> None:
    """Do a chore in a thread, which ends with the process."""
    thread = threading.Thread(target=chore, args=arguments, name=chore.__name__, daemon=True)
    thread.start()


def repeat(do: Callable[[], bool], seconds: float, stopping: Stopping, complaint: str) -> None:
    """Do something every so many seconds, until it says that it is over or the process ends.

    Nobody else does it, so no error may end it: the complaint is logged, and it is tried again.
    """
    while not stopping.asked:
        try:
            if do():
                return
        except Exception:
            logger.exception(complaint)
        stopping.wait(seconds)


def heed_notices(
    metadata: Metadata | None, instance_id: str, stopping: Stopping, seconds: float
) -> None:
    """Ask the instance metadata again and again whether the machine is about to go."""
    if metadata is None:
        return
    is_ours = False

    def look() -> bool:
        nonlocal is_ours
        if not is_ours:
            found = metadata.get("meta-data/instance-id")
            is_ours = found == instance_id
            # A rehearsal may run on a machine of EC2's, whose notices are not the simulated one's.
            if found is None or not is_ours:
                return found is not None
        _heed(read_notices(metadata), stopping)
        return False

    repeat(look, seconds, stopping, "The instance metadata could not be read; trying again.")


def _heed(notices: Notices, stopping: Stopping) -> None:
    if notices.stop:
        stopping.ask(notices.stop)
    elif notices.rebalance:
        stopping.save_wanted.set()
        stopping.wake.set()


def do_duties(
    settings: WorkerEnvironment,
    instance_id: str,
    count_busy: Callable[[], int],
    folder: Path,
    pace: Pace,
    stopping: Stopping,
) -> None:
    """Report on this machine, if it is one of EC2's; without a word its alarm would end it."""
    from .duties import Duties, is_ec2, make_duty_clients

    if not is_ec2(instance_id):
        return
    duties: Duties | None = None

    def do() -> bool:
        nonlocal duties
        if duties is not None:
            duties.do()
            return False
        clients = make_duty_clients(settings.aws_region)
        duties = Duties(clients, settings, instance_id, count_busy, folder, pace.idle_seconds)
        duties.begin()
        return False

    repeat(do, pace.duty_seconds, stopping, "The duties for this machine failed; trying again.")


def end_when_idle(
    settings: WorkerEnvironment,
    instance_id: str,
    count_busy: Callable[[], int],
    pace: Pace,
    stopping: Stopping,
    on_spare: Callable[[], None],
) -> None:
    """Call `on_spare` once this machine, if it is one of EC2's, is idle and no longer needed."""
    from .duties import is_ec2, make_duty_clients
    from .idle import IdleEnd

    if not is_ec2(instance_id):
        return
    idle_end: IdleEnd | None = None
    since = time.monotonic()

    def look() -> bool:
        nonlocal idle_end, since
        if count_busy():
            since = time.monotonic()
        if time.monotonic() - since < pace.spare_seconds:
            return False
        if idle_end is None:
            idle_end = IdleEnd(make_duty_clients(settings.aws_region), settings, instance_id)
        if not idle_end.may_end():
            return False
        on_spare()
        return True

    repeat(
        look,
        pace.spare_look_seconds,
        stopping,
        "Whether this machine is needed could not be read; trying again.",
    )


def watch_run(
    settings: WorkerEnvironment, instance_id: str, folder: Path, pace: Pace, stopping: Stopping
) -> None:
    """Ask once a minute whether this machine is to take jobs, and leave the answer to the loops."""
    import boto3

    from distributed_something.protocol.ledger.record import find_readable
    from distributed_something.protocol.ledger.run_ledger import RunLedger

    from .run_state import ask_run_state, write_run_state

    s3 = boto3.Session(region_name=settings.aws_region).client("s3")
    ledger: RunLedger | None = None
    may_close = False

    def look() -> bool:
        nonlocal ledger, may_close
        if ledger is None:  # a machine is of one run
            record = find_readable(s3, settings.aws_bucket, settings.app_name)
            if record is None or not record.run_id:
                return False
            ledger, may_close = RunLedger.of(s3, record), record.finish == "cheap"
        write_run_state(folder, ask_run_state(ledger, instance_id, may_close=may_close))
        return False

    complaint = "Whether this machine is to take jobs could not be read; trying again."
    repeat(look, pace.heartbeat_seconds, stopping, complaint)
