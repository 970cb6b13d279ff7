"""Tell who buys machines or sends jobs where the one would be of no use to the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.messaging import queues
from ...command_lines import run_line
from ...protocol.ledger.run_ledger import RunLedger
from ...words import count_of

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleet_file import FleetFile
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord


def stopped_notes(aws: Aws, record: RunRecord | None) -> Iterator[str]:
    """A sentence for a live run that was stopped and not removed: it goes on only if asked to."""
    if record is None or not record.is_live or not record.run_id:
        return
    if stopped := RunLedger.of(aws.s3, record).why_stopped():
        yield (
            f"Run {record.run_id} of {record.app_name} was stopped ({stopped.rstrip('.')}), and "
            f"its workers take no job: `{run_line('retry')}` lets it go on."
        )


def job_notes(
    aws: Aws, settings: Settings, wanted: FleetFile, machines_already: int
) -> Iterator[str]:
    """Sentences for a person who buys though no job waits, or more machines than jobs can use.

    A queue that does not say how many wait keeps nobody from buying.
    """
    url = queues.find_queue(aws.sqs, settings.sqs_queue_name)
    try:
        jobs = queues.count_jobs(aws.sqs, url).total
    except (ClientError, BotoCoreError) as error:
        yield f"Nobody could see how many jobs wait in {settings.sqs_queue_name}: {error}"
        return
    if not jobs:
        yield (
            f"No job waits in {settings.sqs_queue_name}: these machines would have nothing to do. "
            f"Jobs first: `{run_line('submitJob JOBS.json')}`."
        )
        return
    if any(one.weight is not None for one in wanted.specifications):
        return  # then CLUSTER_MACHINES counts no machines
    slots = settings.tasks_per_machine * settings.docker_cores
    useful = -(-jobs // slots)
    machines = machines_already + settings.cluster_machines
    if machines > useful:
        yield (
            f"{count_of(machines, 'machine')} would be there for {count_of(jobs, 'job')} that wait "
            f"or run, and {count_of(useful, 'machine')} can take them all ({slots} at once on "
            "each, by TASKS_PER_MACHINE and DOCKER_CORES): lower CLUSTER_MACHINES."
        )
