"""`submitJob --dry-run`: what would be sent, what it would run, and what that could come to."""

from __future__ import annotations

import logging
import math
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.messaging.queues import find_queue
from ...errors import NotFound
from ...inputs.job_files import JobFile
from ...inputs.job_sample import sample_messages
from ...inputs.type_runs import type_settings
from ...protocol.buckets import Buckets
from ...protocol.jobs import DIRECTORY_FIELDS, Job
from ...protocol.ledger.record import find_record
from ...protocol.sources import place_of
from ...run.forecast import STARTING_MINUTES
from ...run.money import LEFT_OUT, extras_per_hour
from ...words import usd
from ..runs.outlook import (
    NO_OUTLOOK,
    JobTimes,
    MachinePrices,
    Outlook,
    job_times,
    machine_prices,
    outlook_of,
)
from .again import Again, find_again, listed_jobs
from .odd_values import say_programs
from .open_jobs import keys_in, open_jobs
from .order import find_order
from .shared_outputs import refuse_shared_outputs
from .submit_job import check_groups, make_maker, say_family, unique_jobs
from .type_runs import tagged_jobs

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.jobs import JobMaker
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_FOLDERS = {field: field.removesuffix("_dir").upper() for field in DIRECTORY_FIELDS}


@dataclass(frozen=True)
class PlannedJob:
    """A job as its worker would see it; folders of its own are INPUT, OUTPUT, WORK, CHECKPOINT."""

    name: str
    command: str  # '' where worker/something.py says what to do
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Estimate:
    """What the jobs could come to; `low` and `high` are USD, None where no price is known.

    The low one is of the machines that have jobs, at the lowest price; the high one of all.
    """

    minutes: float  # a job
    source: str  # of the minutes, in words
    machines: int
    side_by_side: int  # jobs, on all machines
    hours: float
    low: float | None
    high: float | None
    prices: str  # where they are from, in words
    limits: tuple[str, ...] = ()  # sentences: which of the config's the jobs would run into
    left_out: tuple[str, ...] = LEFT_OUT
    outlook: Outlook = NO_OUTLOOK


@dataclass(frozen=True)
class DryRun:
    """What `submitJob` would do; `message` is the first one's text."""

    count: int
    message: str
    jobs: tuple[PlannedJob, ...]
    estimate: Estimate
    setup_is_due: bool = False  # as far as could be seen: there is no queue
    order: str = ""  # by what long jobs are sent first; '': as the file lists them
    again: Again | None = None  # the jobs that the app's last run has already, if it has any


def dry_run(
    aws: Aws | None,
    settings: Settings,
    job_file: Path,
    *,
    family: str | None = None,
    minutes: float | None = None,
    rehearsal: Path | None = None,
    by_size: bool = False,
    on_progress: Callable[[int, int | None], None] = lambda _done, _total: None,
    now: Callable[[], float] = time.time,
) -> DryRun:
    """Check every group and say what would follow; creates nothing and sends nothing.

    `minutes` is what a job takes; without it the time of the last rehearsal (whose report is the
    file `rehearsal`) or run is taken, else a guess. Without `aws`, or without the right to ask,
    prices are the config's. Raises UsageError as `submit_job` does.
    """
    file = open_jobs(settings, job_file, family, keys_in(aws, settings))
    file = tagged_jobs(file, settings)
    say_family(file)
    maker = make_maker(file)
    checked = check_groups(file, maker, None, on_progress)
    count = checked.groups
    say_programs(file, checked.no_programs)
    refuse_shared_outputs(settings, file, maker)
    messages = list(sample_messages(file, maker, count))
    times = job_times(aws, settings, minutes, rehearsal)
    estimate = _estimate(settings, count, times, machine_prices(aws, settings, now()))
    # Who could not see prices need not wait for a queue's answer.
    seen = aws if estimate.low is not None else None
    return DryRun(
        count=count,
        message=messages[0].body,
        jobs=tuple(_planned(settings, Job.from_message(message.body)) for message in messages),
        estimate=estimate,
        order=find_order(
            seen, maker, _last(seen, settings), rehearsal, settings if by_size else None
        ).source,
        setup_is_due=seen is not None and _lacks_queue(seen, settings),
        again=_again(seen, settings, file, maker) if seen else None,
    )


def _last(aws: Aws | None, settings: Settings) -> RunRecord | None:
    """The app's last run; None if it has none, or none that may be read."""
    try:
        return find_record(aws.s3, settings.aws_bucket, settings.app_name) if aws else None
    except (ClientError, BotoCoreError) as error:
        logger.debug("The last run cannot be read: %s", error)
        return None


def _lacks_queue(aws: Aws, settings: Settings) -> bool:
    """Whether there is surely no queue to send the jobs to."""
    names = [settings_of_type.sqs_queue_name for settings_of_type in type_settings(settings)]
    try:
        for name in names:
            find_queue(aws.sqs, name)
    except NotFound:
        return True
    except (ClientError, BotoCoreError) as error:
        logger.debug("The queue cannot be read: %s", error)
    return False


def _again(aws: Aws, settings: Settings, file: JobFile, maker: JobMaker) -> Again | None:
    """How the jobs stand that the app's last run has already; None where it surely has none."""
    try:
        last = find_record(aws.s3, settings.aws_bucket, settings.app_name)
        listed = listed_jobs(aws, last)
        if last is None or not len(listed):
            return None
        again = find_again(aws, last, listed, unique_jobs(file, maker))
    except (ClientError, BotoCoreError) as error:
        logger.debug("The last run cannot be read: %s", error)
        return None
    return again if again.count else None


def _planned(settings: Settings, job: Job) -> PlannedJob:
    named = Buckets.of(settings)

    def address(place: str, default: str) -> str:
        return "s3://" + "/".join(named.find(place, default))

    output = job.output
    if output is None:
        output = f"results/{settings.app_name}/{job.name}"
    return PlannedJob(
        name=job.name,
        command=shlex.join(job.argv(_FOLDERS)) if job.keys.command else "",
        inputs=tuple(address(place_of(source), named.source) for source in job.inputs),
        output=address(output, named.destination),
    )


def _estimate(settings: Settings, count: int, times: JobTimes, prices: MachinePrices) -> Estimate:
    minutes = times.median / 60
    slots = settings.container_count * settings.docker_cores
    hours = math.ceil(count / slots) * minutes / 60
    used = min(settings.cluster_machines, math.ceil(count * settings.cluster_machines / slots))
    low, high = prices.low, prices.high
    paid = hours + STARTING_MINUTES / 60
    extras = extras_per_hour(settings.ebs_vol_size, settings.assign_ip)
    estimate = Estimate(
        minutes=minutes,
        source=times.source,
        machines=settings.cluster_machines,
        side_by_side=slots,
        hours=hours,
        low=None if low is None else used * paid * (low + extras),
        high=None if high is None else settings.cluster_machines * paid * (high + extras),
        prices=prices.source,
        outlook=outlook_of(settings, count, times, prices),
    )
    return replace(estimate, limits=tuple(_limits(settings, estimate, paid)))


def _limits(settings: Settings, estimate: Estimate, paid: float) -> Iterator[str]:
    """What would end the run before its jobs are done; `paid` are hours, starting among them."""
    if paid > settings.max_hours:
        yield (
            f"The jobs need about {paid:,.1f} h, and MAX_HOURS ends the machines after "
            f"{settings.max_hours:,g} h: raise MAX_HOURS, or use more machines."
        )
    if not settings.max_cost:
        return
    limit = f"MAX_COST, at which `monitor` stops the run, is {usd(settings.max_cost)}"
    if estimate.low is not None and estimate.low > settings.max_cost:
        yield f"The jobs cost {usd(estimate.low)} or more, and {limit}: raise it, or queue fewer."
    elif estimate.high is not None and estimate.high > settings.max_cost:
        yield f"The jobs may cost as much as {usd(estimate.high)}, and {limit}."
