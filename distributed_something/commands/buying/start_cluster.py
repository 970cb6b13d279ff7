"""The verb `startCluster`: buy the machines of a run, last of all and recoverably."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws import storage
from ...aws.compute import cluster, fleet
from ...aws.faults import error_code
from ...aws.messaging import queues
from ...command_lines import run_line
from ...definitions.fleet import launch_template, may_have_public_address, valid_until
from ...definitions.task import service_name
from ...errors import DistributedSomethingError, NotFound
from ...inputs.fleets.fleet_file import read_fleet_file
from ...inputs.text import read_text
from ...protocol.ledger.record import RunRecord, find_record, save_record
from ...run.fleet_troubles import judge
from ...run.money import extras_per_hour
from ..runs.outlook import (
    NO_OUTLOOK,
    NO_TIMES,
    JobTimes,
    Outlook,
    job_times,
    machine_prices,
    outlook_of,
)
from ..runs.provenance import DigestOf, keep_purchase
from ..runs.runs import ensure_run
from ..runs.schedule import start_schedule
from ..runs.work_ahead import count_waiting, job_notes, machines_wanted, stopped_notes
from ..setting_up.dashboard import draw_dashboard, name_dashboard
from ..setting_up.setup import ensure_log_groups
from ..watching.notices import with_topic
from . import purchase
from .capacity import wait_for_capacity
from .fleet_plan import FleetPlan, plan_fleet, read_templates, with_price_of_file
from .purchase_checks import Wish, check_purchase

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleets.fleet_file import FleetFile
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Purchase:
    """What a person is shown before anything is bought."""

    app_name: str
    region: str
    machines: int
    machine_types: tuple[str, ...]
    price_cap: float | None  # USD per machine-hour; None: the on-demand price
    ends_by: float  # seconds since 1970: when the fleet ends by itself, whatever happens
    disk_gib: int
    fleets_already: tuple[str, ...]  # the ids of those that this run has
    notes: tuple[str, ...]  # sentences
    account: str = ""  # whose bill it is, in words; '' if nobody could say
    max_hours: float = 168.0
    max_cost: float = 0.0  # USD of the run; 0: no limit
    extras_per_hour: float = 0.0  # USD, of all these machines' disks and addresses
    already_per_hour: float | None = None  # USD, the most the fleets already there can cost
    outlook: Outlook = NO_OUTLOOK

    @property
    def price_cap_per_hour(self) -> float | None:
        """The most that all these machines together can cost in an hour, USD."""
        if self.price_cap is None:
            return None
        return float(Decimal(repr(self.price_cap)) * self.machines)  # 3 times 0.1 is 0.3

    @property
    def price_cap_in_all(self) -> float | None:
        """The most that all these machines can cost until they end by themselves, USD."""
        per_hour = self.price_cap_per_hour
        return None if per_hour is None else per_hour * self.max_hours


def start_cluster(
    aws: Aws,
    settings: Settings,
    fleet_file: Path,
    *,
    folder: Path | None,
    confirm: Callable[[Purchase], bool] = lambda _: True,
    on_capacity: Callable[[int, int], None] = lambda _machines, _target: None,
    keep_ami: bool = False,
    minutes: float | None = None,
    rehearsal: Path | None = None,
    digest_of: DigestOf | None = None,
    max_wait: float = 900.0,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> RunRecord:
    """Buy the fleet of a file and wait until its machines are there, `max_wait` seconds at most.

    Adds to the app's live run, or begins one, with its record in the bucket and in `folder`.
    Raises UsageError for what can never work and DistributedSomethingError if `confirm` says no;
    nothing has been created then. `minutes` is what a job takes, `rehearsal` the last one's report.
    Whatever fails after the purchase cancels it. `digest_of` is
    asked for the digest of the workers' image, which is kept with what else the run is made with.
    """
    times_of = partial(job_times, aws, given=minutes, rehearsal=rehearsal)
    offer = _prepare(aws, settings, fleet_file, keep_ami, times_of, now())
    if not confirm(offer.quote):
        raise DistributedSomethingError("Nothing was bought and nothing was changed.")
    record, order = _begin(aws, offer, folder, digest_of, now)

    def wait(record: RunRecord, fleet_id: str) -> None:
        wait_for_capacity(
            aws, record, fleet_id, on_capacity, max_wait=max_wait, sleep=sleep, now=now
        )

    return _buy(aws, offer.settings, record, order, folder, wait, sleep)


@dataclass(frozen=True)
class _Offer:
    """What can be bought, checked as far as it can be before it is."""

    settings: Settings  # with the file's price, and as many machines as there is work for
    wanted: FleetFile
    text: str  # of the fleet file
    plan: FleetPlan
    quote: Purchase


def _prepare(
    aws: Aws,
    settings: Settings,
    fleet_file: Path,
    keep_ami: bool,
    times_of: Callable[[Settings], JobTimes],
    now: float,
) -> _Offer:
    """Plan and check the machines that a fleet file asks for; creates nothing."""
    text = read_text(fleet_file, "fleet file")
    wanted = read_fleet_file(text, str(fleet_file))
    _check_set_up(aws, settings)
    wanted = read_templates(aws, wanted)
    settings, of_price = with_price_of_file(settings, wanted)
    jobs, as_asked = count_waiting(aws, settings), settings
    times = times_of(settings) if jobs else NO_TIMES
    machines = machines_wanted(settings, wanted, jobs, times.known)
    settings = settings.model_copy(update={"cluster_machines": machines})
    plan = plan_fleet(aws, settings, wanted, keep_ami=keep_ami)
    unseen = check_purchase(aws, Wish(settings, wanted, plan))
    plan = replace(plan, notes=(*of_price, *plan.notes, *unseen))
    quote = _purchase(aws, settings, wanted, plan, (jobs, as_asked.cluster_machines), now)
    if jobs:
        prices = machine_prices(aws, settings, now)
        quote = replace(quote, outlook=outlook_of(as_asked, jobs, times, prices))
    return _Offer(settings, wanted, text, plan, quote)


def _begin(
    aws: Aws,
    offer: _Offer,
    folder: Path | None,
    digest_of: DigestOf | None,
    now: Callable[[], float],
) -> tuple[RunRecord, purchase.Order]:
    """Write the order into the record of the app's live run, or of a new one, before it is sent."""
    settings = offer.settings
    ensure_log_groups(aws, settings)
    record = ensure_run(aws, settings, folder=folder, now=now)
    record = with_topic(aws, settings, record)
    recovered = purchase.recover(aws, record)
    order = purchase.make_order(
        settings, record, recovered, offer.wanted, offer.plan.launches, now()
    )
    record = purchase.write_down(aws, settings, record, recovered, order, folder)
    keep_purchase(aws, record, settings, json.loads(offer.text), digest_of)
    return record, order


def _buy(
    aws: Aws,
    settings: Settings,
    record: RunRecord,
    order: purchase.Order,
    folder: Path | None,
    wait: Callable[[RunRecord, str], None],
    sleep: Callable[[float], None],
) -> RunRecord:
    """Send the order and wait for its machines; whatever fails, the purchase is taken back."""
    try:
        record = start_schedule(aws, settings, record, folder, sleep=sleep)
        record = name_dashboard(aws, settings, record, folder)
        record = purchase.buy(aws, settings, record, order, sleep=sleep)
        save_record(aws.s3, record, folder)
        draw_dashboard(aws, settings, record)
        wait(record, purchase.fleet_of(record, order).fleet_id)
    except Exception as error:  # machines cost money whatever went wrong
        failures = purchase.undo(aws, record, order, folder)
        if isinstance(error, purchase.FAILURES):
            raise _taken_back(error, failures) from error
        for failure in failures:
            logger.error("%s", failure)
        raise  # a bug, which shows itself
    return record


def _check_set_up(aws: Aws, settings: Settings) -> None:
    """Raise NotFound unless `setup` has made what a machine needs to work."""
    storage.check_bucket(aws.s3, settings.aws_bucket)
    queues.find_queue(aws.sqs, settings.sqs_queue_name)
    cluster.describe_service(aws.ecs, settings.ecs_cluster, service_name(settings.app_name))


def _purchase(
    aws: Aws,
    settings: Settings,
    wanted: FleetFile,
    plan: FleetPlan,
    work: tuple[int | None, int],
    now: float,
) -> Purchase:
    last = find_record(aws.s3, settings.aws_bucket, settings.app_name)
    # A fleet that was taken back stays in the record if that could not be written.
    recorded = last.fleet_ids if last is not None and last.is_live else ()
    already = {
        fleet_id: target
        for fleet_id in recorded
        if (target := _live_target(aws, fleet_id)) is not None
    }
    types = [machine_type for launch in plan.launches for machine_type in launch.machine_types]
    disk = purchase.largest_disk(settings, plan.launches)
    is_public = any(
        may_have_public_address(launch_template(settings, launch, run_id=""))
        for launch in plan.launches
    )
    jobs, asked = work
    of_jobs = job_notes(settings, wanted, jobs, sum(already.values()), asked)
    return Purchase(
        app_name=settings.app_name,
        region=aws.region,
        machines=settings.cluster_machines,
        machine_types=tuple(dict.fromkeys(types)),
        price_cap=settings.machine_price,
        ends_by=valid_until(settings, now),
        disk_gib=disk,
        fleets_already=tuple(already),
        notes=(*stopped_notes(aws, last), *of_jobs, *plan.notes),
        max_hours=settings.max_hours,
        max_cost=settings.max_cost,
        extras_per_hour=settings.cluster_machines * extras_per_hour(disk, is_public),
        already_per_hour=_most_per_hour(last, already),
    )


def _most_per_hour(record: RunRecord | None, targets: Mapping[str, int]) -> float | None:
    """The most that a run's live fleets can cost in an hour, USD; None if one has no cap."""
    fleets = record.fleets if record is not None else ()
    caps = {fleet_record.fleet_id: fleet_record.request.get("SpotPrice") for fleet_record in fleets}
    if not all(caps.get(fleet_id) for fleet_id in targets):
        return None
    return sum(float(str(caps[fleet_id])) * target for fleet_id, target in targets.items())


def _live_target(aws: Aws, fleet_id: str) -> int | None:
    """How many machines a fleet asks for; None if it asks for no more."""
    try:
        status = fleet.describe_fleet(aws.ec2, fleet_id)
    except NotFound:
        return None
    return status.target if status.is_live else None


def _taken_back(error: Exception, failures: list[str]) -> DistributedSomethingError:
    """The error to show for a purchase that failed, with what could not be taken back."""
    if failures:
        return DistributedSomethingError(
            "\n  ".join(
                [
                    f"startCluster failed: {error}",
                    *failures,
                    f"Machines may be running: `{run_line('monitor')}` removes what is left.",
                ]
            )
        )
    return DistributedSomethingError(
        f"startCluster failed: {_in_words(error)} Nothing of the purchase remains: fix this and "
        "try again."
    )


def _in_words(error: Exception) -> str:
    """An error with what to do about it, where EC2's code or words tell."""
    text = f"{str(error).rstrip('.')}."
    if not isinstance(error, ClientError):
        return text
    verdict = judge(error_code(error), str(error))
    return f"{text} So {verdict.advice}." if verdict.lasting else text
