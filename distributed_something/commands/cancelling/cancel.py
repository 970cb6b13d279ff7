"""The verb `cancel`: stop an app's run now and remove everything of the app, whatever is recorded.

What is due is found by the run record if there is one, and by tags and exact names besides.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws.faults import FAULTS, Failure
from ...aws.storage import is_missing_bucket
from ...command_lines import run_line
from ...errors import DistributedSomethingError, TeardownIncomplete, UsageError
from ...protocol.ledger.record import RunRecord, find_record
from ...resources.kinds import Owner, Resource
from ...resources.table import UNSEEN, find_resources
from ..removing.export import EXPORT_SECONDS, export_if_due
from ..removing.tear_down import tear_down_app
from ..removing.unfinished import Unfinished, write_unfinished
from ..runs.runs import find_local, live_elsewhere, refresh, stand_in
from ..runs.upstream import complete
from ..watching.notices import tell_end

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cancelled:
    """What a cancel removed, what stays on purpose, and the jobs that will not run."""

    removed: tuple[Resource, ...]
    stays: tuple[Resource, ...]
    unfinished: Unfinished


def list_resources(
    aws: Aws,
    settings: Settings,
    *,
    folder: Path | None = None,
    now: Callable[[], float] = time.time,
) -> tuple[Resource, ...]:
    """What exists of the app, whether or not it has a run record; changes nothing."""
    return find_app_resources(aws, find_app(aws, settings, folder, now))


def cancel(
    aws: Aws,
    settings: Settings,
    *,
    folder: Path | None,
    confirm: Callable[[tuple[Resource, ...]], bool] = lambda _: True,
    export_seconds: float = EXPORT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> Cancelled:
    """Remove everything of the app, its fleets first and its queue next, if `confirm` agrees.

    The jobs of a live run that are not done are written to a job file in `folder`, and its topic
    is told that it was cancelled. The logs of a run that ended before are exported if nobody has
    come to it. Safe to repeat.
    Raises DistributedSomethingError if `confirm` says no, TeardownIncomplete for what is left.
    """
    record, unread = _find_app_somehow(aws, settings, folder, now)
    found = find_app_resources(aws, record)
    due = tuple(resource for resource in found if not resource.stays)
    stays = tuple(resource for resource in found if resource.stays)
    if not due and not unread and not record.is_live:
        if record.run_id:
            export_if_due(aws, record, export_seconds, sleep=sleep, now=now)
        return Cancelled((), stays, Unfinished())
    if not confirm(found):
        raise DistributedSomethingError("Nothing was changed.")
    failures = unread + tear_down_app(aws, record, folder=folder, sleep=sleep, now=now)
    _fail_if_any(failures, record)
    unfinished = Unfinished()
    if record.is_live or not record.run_id:
        unfinished = _write_unfinished(aws, record, folder)
    if record.is_live:
        tell_end(aws, replace(record, ended=now()), now(), cancelled=True)
    elif record.run_id:
        export_if_due(aws, record, export_seconds, sleep=sleep, now=now)
    removed = tuple(resource for resource in due if resource.name != UNSEEN)
    return Cancelled(removed, stays, unfinished)


def remove_unused(
    aws: Aws,
    settings: Settings,
    *,
    folder: Path | None,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> tuple[Resource, ...]:
    """Remove what there is of an app unless it has a live run; what that was.

    Such as what `setup` made for it before no job came. Raises TeardownIncomplete for what is left.
    """
    record = find_app(aws, settings, folder, now)
    if record.is_live:
        return ()
    due = tuple(resource for resource in find_app_resources(aws, record) if not resource.stays)
    if due:
        failures = tear_down_app(aws, record, folder=folder, sleep=sleep, now=now)
        _fail_if_any(failures, record)
    return tuple(resource for resource in due if resource.name != UNSEEN)


def find_app_resources(aws: Aws, record: RunRecord) -> tuple[Resource, ...]:
    """What exists of the record's app, of every run."""
    return find_resources(aws, Owner(record, whole_app=True))


def _write_unfinished(aws: Aws, record: RunRecord, folder: Path | None) -> Unfinished:
    """The jobs that were left over; none can be read where the bucket is gone."""
    try:
        return write_unfinished(aws, refresh(aws, record), folder)
    except FAULTS as error:
        logger.warning("The remaining jobs cannot be read: %s", error)
        return Unfinished()


def _fail_if_any(failures: list[Failure], record: RunRecord) -> None:
    if failures:
        said = f"Not everything of {record.app_name} could be removed:"
        again = f"Run `{run_line('cancel')}` again to try once more."
        raise TeardownIncomplete("\n  ".join([said, *map(str, failures), again]))


def _find_app_somehow(
    aws: Aws, settings: Settings, folder: Path | None, now: Callable[[], float]
) -> tuple[RunRecord, list[Failure]]:
    """The app's record, and a sentence if the bucket does not give it: what costs money must go."""
    try:
        return find_app(aws, settings, folder, now), []
    except UsageError as error:  # it never will be read; tags and names are all there is
        logger.warning("%s Continuing by tags and the names in the config; delete it.", error)
        return stand_in(aws, settings, None, now()), []
    except FAULTS as error:
        unread = Failure.of(f"Could not read the bucket's monitor file: {error}", error)
        logger.warning("%s Continuing by tags and the names in the config.", unread)
        last = find_local(settings, folder)
        return stand_in(aws, settings, last, now()), [unread]


def find_app(
    aws: Aws,
    settings: Settings,
    folder: Path | None = None,
    now: Callable[[], float] = time.time,
) -> RunRecord:
    """The app's live run, or a record with the config's names that stands for what is left.

    Upstream's programs left a run's record in `folder` alone, unless AUTO_MONITOR was on.
    """
    try:
        last = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    except ClientError as error:
        if not is_missing_bucket(error):
            raise
        last = None
    live = last if last and last.is_live else live_elsewhere(aws, settings, folder)
    if live is None:
        return stand_in(aws, settings, last, now())
    try:
        return complete(aws, live, settings.clean_dashboard)
    except FAULTS as error:
        logger.warning("Could not find what the monitor file does not name: %s", error)
        return live
