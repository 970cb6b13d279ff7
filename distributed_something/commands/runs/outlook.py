"""What jobs could come to in time and money: how long they take, what machines cost now."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.compute.market import spot_prices_now
from ...protocol.ledger.attempts import AttemptState
from ...protocol.ledger.record import find_record
from ...protocol.ledger.run_ledger import RunLedger
from ...run.forecast import Forecast, curve
from ...run.money import extras_per_hour
from ...run.requests import requests_of

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

GUESSED_MINUTES = 10.0
_MEASURED = 200  # jobs of the last run whose times are taken
_LOOKED_AT = 1000  # attempts that are looked at to find them


@dataclass(frozen=True)
class JobTimes:
    """How long some jobs took, in seconds, and how that is known, in words."""

    seconds: tuple[float, ...]
    source: str
    is_guess: bool = False

    @property
    def known(self) -> tuple[float, ...]:
        """The times that were measured or given; none where they are a guess."""
        return () if self.is_guess else self.seconds

    @property
    def median(self) -> float:
        return median(self.seconds)


NO_TIMES = JobTimes((), "no job waits", is_guess=True)


@dataclass(frozen=True)
class MachinePrices:
    """The least and the most that a machine-hour costs now, USD, and how that is known."""

    low: float | None
    high: float | None
    source: str


@dataclass(frozen=True)
class OutlookRow:
    """A choice: how the run ends, on how many machines; `low` and `high` are USD."""

    finish: str
    machines: int
    hours: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Outlook:
    """Time against money for some jobs; no rows where their times are a guess."""

    rows: tuple[OutlookRow, ...] = ()
    requests: float = 0.0  # USD, in each row


NO_OUTLOOK = Outlook()


def outlook_of(settings: Settings, jobs: int, times: JobTimes, prices: MachinePrices) -> Outlook:
    """The choices for some jobs: fast and cheap, then half and double the machines."""
    if times.is_guess or not jobs:
        return NO_OUTLOOK
    slots = settings.tasks_per_machine * settings.docker_cores
    found = curve(jobs, times.seconds, settings.cluster_machines, slots, settings.finish)
    busy = jobs * sum(times.seconds) / len(times.seconds)
    requests = requests_of(
        jobs,
        busy,
        found[0].machine_hours * 3600,
        files=jobs,
        lease_seconds=settings.sqs_message_visibility,
    ).dollars
    return Outlook(tuple(_row(settings, choice, prices, requests) for choice in found), requests)


def job_times(
    aws: Aws | None, settings: Settings, given: float | None, rehearsal: Path | None
) -> JobTimes:
    """How long jobs take: `given` minutes, else by the app's last rehearsal or run, else a guess.

    `rehearsal` is the last rehearsal's report, as JSON.
    """
    if given is not None:
        return JobTimes((given * 60,), "as --minutes says")
    if seconds := _of_rehearsal(rehearsal):
        source = "the median of the app's last rehearsal on this computer"
        return JobTimes(seconds, source)
    try:
        if aws and (seconds := _of_last_run(aws, settings)):
            return JobTimes(seconds, "the median of the app's last run")
    except (ClientError, BotoCoreError) as error:
        logger.debug("The last run cannot be read: %s", error)
    source = "a guess: rehearse, or give --minutes"
    return JobTimes((GUESSED_MINUTES * 60,), source, is_guess=True)


def machine_prices(aws: Aws | None, settings: Settings, now: float) -> MachinePrices:
    """What a machine-hour costs, by the current spot prices and MACHINE_PRICE."""
    cap = settings.machine_price
    try:
        found = spot_prices_now(aws.ec2, settings.machine_type, now) if aws else {}
    except (ClientError, BotoCoreError) as error:
        logger.debug("Spot prices cannot be read: %s", error)
        found = {}
    all_prices = [price for zones in found.values() for price in zones.values()]
    paid = [price for price in all_prices if cap is None or price <= cap]
    if paid:
        return MachinePrices(min(paid), max(paid), "current spot prices")
    if all_prices:
        why = "MACHINE_PRICE, which is below every current spot price: no machine would come"
        return MachinePrices(cap, cap, why)
    return MachinePrices(None, cap, "MACHINE_PRICE; spot prices could not be read")


def _row(settings: Settings, found: Forecast, prices: MachinePrices, requests: float) -> OutlookRow:
    extras = extras_per_hour(settings.ebs_vol_size, settings.assign_ip)

    def dollars(price: float | None) -> float | None:
        return None if price is None else found.machine_hours * (price + extras) + requests

    low, high = dollars(prices.low), dollars(prices.high)
    return OutlookRow(found.finish, found.machines, found.hours, low, high)


def _of_rehearsal(report: Path | None) -> tuple[float, ...]:
    """The times of a rehearsal's jobs, by its histogram; none where there is no such report."""
    try:
        values = json.loads(report.read_text()) if report else {}
        middle = float(values["job_seconds"]["median"])
        columns = values.get("time_histogram") or {"edges": [], "counts": []}
        edges, counts = columns["edges"], columns["counts"]
        pairs = zip(edges, edges[1:], counts, strict=False)
        times = [(low + high) / 2 for low, high, count in pairs for _ in range(int(count))]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return _around(times, middle)


def _around(times: Sequence[float], middle: float) -> tuple[float, ...]:
    """Times with this very median, of which a histogram keeps the middles of its columns alone."""
    if len(times) < 3:
        return (middle,)
    ordered = sorted(times)
    return (*ordered[: len(ordered) // 2], middle, *ordered[(len(ordered) + 1) // 2 :])


def _of_last_run(aws: Aws, settings: Settings) -> tuple[float, ...]:
    record = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    if record is None or not record.run_id:
        return ()
    tried = islice(RunLedger.of(aws.s3, record).attempts(), _LOOKED_AT)
    done = (key for key in tried if key.state is AttemptState.DONE and not key.passed_over)
    return tuple(key.seconds for key in islice(done, _MEASURED))
