"""Read from AWS what the monitor file of a run that upstream began does not say.

What is not known is never taken as zero: its fleet's machines, its queue's dead letters, its
dashboard and where its jobs' ledger is are looked up once, and noted in its monitor file.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...aws.compute import fleet
from ...aws.messaging import queues
from ...aws.monitoring import dashboards
from ...errors import NotFound
from ...protocol.ledger.keys import queue_ledger
from ...protocol.ledger.record import FleetRecord, RunRecord, find_record, save_record

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)


def complete(aws: Aws, record: RunRecord, clean_dashboard: bool = False) -> RunRecord:
    """The record with what AWS knows of its run; one of ours is complete.

    `clean_dashboard` is the config's, for older monitor files that do not say it.
    """
    if record.run_id or not record.is_live:
        return record
    if record.clean_dashboard is None:
        record = replace(record, clean_dashboard=clean_dashboard)
    if not record.dashboard and dashboards.dashboard_exists(aws.cloudwatch, record.app_name):
        record = replace(record, dashboard=record.app_name)
    record = replace(
        record, fleets=tuple(with_target(aws, fleet_record) for fleet_record in record.fleets)
    )
    if record.ledger:
        return record
    try:
        known = queues.describe_queue(aws.sqs, record.queue_name)
    except NotFound:  # what began to remove the run has removed it
        return record
    return replace(
        record,
        ledger=queue_ledger(known["CreatedTimestamp"]),
        dead_letter_queue_name=_dead_letters(known) or record.dead_letter_queue_name,
    )


def note_known(aws: Aws, record: RunRecord, clean_dashboard: bool) -> RunRecord:
    """The same, and written down in the bucket, for what removes the run half-way and goes on."""
    if record.run_id or record.ledger or not record.is_live:
        return record
    known = complete(aws, record, clean_dashboard)
    found = find_record(aws.s3, record.bucket, record.app_name)
    if known != record and (found is None or found.fleet_ids == record.fleet_ids):
        save_record(aws.s3, known, None)
    return known


def with_target(aws: Aws, bought: FleetRecord) -> FleetRecord:
    """A fleet with the number of machines that EC2 knows, where its record does not say it."""
    if bought.target_capacity is not None:
        return bought
    try:
        target = fleet.describe_fleet(aws.ec2, bought.fleet_id).target
    except NotFound:
        target = 0
    return replace(bought, target_capacity=target)


def _dead_letters(attributes: Any) -> str:
    """The name of the dead-letter queue that a queue's attributes tell; '' for none."""
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    return str(redrive.get("deadLetterTargetArn", "")).rsplit(":", 1)[-1]
