"""Adopt the fleets that a startCluster bought and was ended before it could note their ids.

Their machines run and cost money: who looks at the run must see them.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ...aws.compute import fleet
from ...definitions.tags import TOKEN_TAG
from ...protocol.ledger.record import FleetRecord, RunRecord, save_record
from .runs import refresh

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)


def find_bought(aws: Aws, unsure: FleetRecord) -> FleetRecord | None:
    """A fleet of the record with the id that EC2 gave it; None if it was never bought, or ended."""
    found = fleet.find_fleets(aws.ec2, {TOKEN_TAG: unsure.client_token})
    return replace(unsure, fleet_id=found[0]) if found else None


def adopt(aws: Aws, record: RunRecord) -> RunRecord:
    """The record with the ids of all fleets that were bought; nothing is asked if it has them."""
    unsure = [fleet_record for fleet_record in record.fleets if not fleet_record.fleet_id]
    for bought in filter(None, (find_bought(aws, fleet_record) for fleet_record in unsure)):
        record = replace(
            record,
            fleets=tuple(
                bought if fleet_record.client_token == bought.client_token else fleet_record
                for fleet_record in record.fleets
            ),
        )
    return record


def save_adopted(aws: Aws, record: RunRecord) -> None:
    """Write the ids that `adopt` found to the run's record, as the bucket has it by now."""
    latest = refresh(aws, record)
    known = {
        fleet_record.client_token: fleet_record
        for fleet_record in record.fleets
        if fleet_record.fleet_id
    }
    fleets = tuple(
        fleet_record
        if fleet_record.fleet_id
        else known.get(fleet_record.client_token, fleet_record)
        for fleet_record in latest.fleets
    )
    if latest.is_live and fleets != latest.fleets:
        save_record(aws.s3, replace(latest, fleets=fleets), None)
        logger.warning(
            "A startCluster ended before it could record its purchase: the machines of %s "
            "belong to this run and are watched.",
            ", ".join(
                fleet_record.fleet_id
                for fleet_record in fleets
                if fleet_record not in latest.fleets
            ),
        )
