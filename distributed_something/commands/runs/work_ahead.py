"""Tell who buys machines or sends jobs where the one would be of no use to the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.messaging import queues
from ...command_lines import run_line
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.scaling import machines_to_buy
from ...words import count_of

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleets.fleet_file import FleetFile
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_FEW_JOBS_A_SLOT = 3


def stopped_notes(aws: Aws, record: RunRecord | None) -> Iterator[str]:
    """A sentence for a live run that was stopped and not removed: it goes on only if asked to."""
    if record is None or not record.is_live or not record.run_id:
        return
    if stopped := RunLedger.of(aws.s3, record).why_stopped():
        yield (
            f"Run {record.run_id} of {record.app_name} was stopped ({stopped.rstrip('.')}), and "
            f"its workers take no jobs: `{run_line('retry')}` continues it."
        )


def count_waiting(aws: Aws, settings: Settings) -> int | None:
    """How many jobs wait or run; None if the queue does not say, which keeps no one from buying."""
    url = queues.find_queue(aws.sqs, settings.sqs_queue_name)
    try:
        return queues.count_jobs(aws.sqs, url).total
    except (ClientError, BotoCoreError) as error:
        logger.warning(
            "The number of jobs waiting in %s is unknown: %s", settings.sqs_queue_name, error
        )
        return None


def machines_wanted(
    settings: Settings, wanted: FleetFile, jobs: int | None, seconds: Sequence[float]
) -> int:
    """How many machines to ask for: CLUSTER_MACHINES, or fewer where FINISH is cheap.

    `seconds` are times of some of the jobs, none if they are not known.
    """
    if jobs is None or _is_weighted(wanted):
        return settings.cluster_machines
    slots = settings.tasks_per_machine * settings.docker_cores
    is_cheap = settings.finish == "cheap"
    return machines_to_buy(
        settings.cluster_machines, jobs, slots, is_cheap=is_cheap, seconds=seconds
    )


def job_notes(
    settings: Settings, wanted: FleetFile, jobs: int | None, machines_already: int, asked: int
) -> Iterator[str]:
    """Sentences for a person who buys though no job waits, or more machines than jobs can use.

    `asked` is CLUSTER_MACHINES as the config has it, where `settings` has what FINISH makes of it.
    """
    if jobs is None:
        yield f"The number of jobs waiting in {settings.sqs_queue_name} could not be read."
        return
    if not jobs:
        yield (
            f"No job waits in {settings.sqs_queue_name}: these machines would have nothing to "
            f"do. Submit jobs first: `{run_line('submitJob JOBS.json')}`."
        )
        return
    if _is_weighted(wanted):
        return
    slots = settings.tasks_per_machine * settings.docker_cores
    if settings.cluster_machines < asked:
        yield (
            f'FINISH = "cheap": {count_of(settings.cluster_machines, "machine")} instead of '
            f"{asked} (CLUSTER_MACHINES): each of the {slots} slots has work for long enough."
        )
    useful = -(-jobs // slots)
    machines = machines_already + settings.cluster_machines
    if machines > useful:
        yield (
            f"{count_of(machines, 'machine')} would be bought for {count_of(jobs, 'job')} that "
            f"wait or run, and {count_of(useful, 'machine')} can take them all ({slots} at once on "
            "each, by TASKS_PER_MACHINE and DOCKER_CORES): lower CLUSTER_MACHINES."
        )
    elif settings.finish == "fast" and jobs < _FEW_JOBS_A_SLOT * slots * machines:
        few = machines_to_buy(machines, jobs, slots, is_cheap=True)
        yield (
            f"{count_of(jobs, 'job')} for {slots * machines} slots: much of the bill would be "
            "starting "
            f'machines, and machines that wait for the last jobs. FINISH = "cheap" asks for {few}.'
        )


def _is_weighted(wanted: FleetFile) -> bool:
    """Whether CLUSTER_MACHINES counts something else than machines."""
    return any(spec.weight is not None for spec in wanted.specifications)
