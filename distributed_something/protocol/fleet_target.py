"""Lower how many machines a spot fleet is asked for: the one way, of the monitor and the worker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .machine_alarm import APP_TAG

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import ModifySpotFleetRequestRequestTypeDef

logger = logging.getLogger(__name__)

_LIVE = ("submitted", "active", "modifying")
# What EC2 answers of a fleet that is just being modified, or is of type `request`.
_NOT_NOW = "FleetNotInModifiableState"


@dataclass(frozen=True)
class FleetTarget:
    """How many machines a fleet is asked for, as EC2 shows it: the old number while it changes."""

    fleet_id: str
    state: str
    target: int
    on_demand: int  # of them
    refills: bool  # whether machines that end are replaced; only then the number can be changed

    @property
    def is_live(self) -> bool:
        return self.state in _LIVE


def read_target(ec2: EC2Client, fleet_id: str) -> FleetTarget:
    """A fleet's target; raises ClientError for one that EC2 does not know."""
    answer = ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[fleet_id])
    (found,) = answer["SpotFleetRequestConfigs"]
    config = found["SpotFleetRequestConfig"]
    return FleetTarget(
        fleet_id,
        str(found["SpotFleetRequestState"]),
        int(config["TargetCapacity"]),
        int(config.get("OnDemandTargetCapacity", 0)),
        refills=config.get("Type", "maintain") == "maintain",
    )


def lower_target(ec2: EC2Client, fleet_id: str, target: int) -> bool:
    """Have a fleet keep no more than `target` machines; none of those that run is ended by it.

    False if the fleet may buy more for now, as it is just being modified: then ask again. `target`
    is absolute: several who each take one off the number that EC2 shows would undo each other.
    """
    fleet = read_target(ec2, fleet_id)
    if not fleet.is_live or not fleet.refills:
        return True
    if fleet.state == "modifying":  # to what, is not shown: a higher number must not follow
        return False
    if fleet.target <= target:
        return True
    request: ModifySpotFleetRequestRequestTypeDef = {
        "SpotFleetRequestId": fleet_id,
        "TargetCapacity": target,
        "ExcessCapacityTerminationPolicy": "noTermination",
    }
    if fleet.on_demand > target:
        request["OnDemandTargetCapacity"] = target  # a part of the whole
    try:
        ec2.modify_spot_fleet_request(**request)
    except ec2.exceptions.ClientError as error:
        if error.response["Error"].get("Code") != _NOT_NOW:
            raise
        return False
    logger.info("Spot fleet %s now keeps %d machines, not %d.", fleet_id, target, fleet.target)
    return True


def fleets_of_machine(
    ec2: EC2Client, fleet_ids: Iterable[str], app_name: str, instance_id: str
) -> list[str]:
    """Which of the fleets a machine is of; of all the app's that live, if it is of none of them.

    A startCluster that was killed has not written down what it bought.
    """
    found = [fleet_id for fleet_id in fleet_ids if _is_member(ec2, fleet_id, instance_id)]
    if found:
        return found
    tagged = _fleets_of_app(ec2, app_name)
    return [fleet_id for fleet_id in tagged if _is_member(ec2, fleet_id, instance_id)]


def _fleets_of_app(ec2: EC2Client, app_name: str) -> list[str]:
    """The ids of all fleets with the app's tag that still buy machines."""
    pages = ec2.get_paginator("describe_spot_fleet_requests").paginate()
    return [
        fleet["SpotFleetRequestId"]
        for page in pages
        for fleet in page["SpotFleetRequestConfigs"]
        if {"Key": APP_TAG, "Value": app_name} in fleet.get("Tags", [])
        and fleet["SpotFleetRequestState"] in _LIVE
    ]


def _is_member(ec2: EC2Client, fleet_id: str, instance_id: str) -> bool:
    token = ""
    while True:  # this operation has no paginator
        request: dict[str, Any] = {"SpotFleetRequestId": fleet_id, "MaxResults": 1000}
        if token:
            request["NextToken"] = token
        page = ec2.describe_spot_fleet_instances(**request)
        if any(active.get("InstanceId") == instance_id for active in page["ActiveInstances"]):
            return True
        token = page.get("NextToken", "")
        if not token:
            return False
