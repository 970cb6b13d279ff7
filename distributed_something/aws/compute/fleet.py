"""Buy, watch, shrink and end spot fleets."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from ...command_lines import run_line
from ...definitions.tags import APP_TAG
from ...errors import DistributedSomethingError, NotFound
from ...words import count_of
from ..faults import error_code
from ..patience import until_known
from ..tags import has_tags

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

logger = logging.getLogger(__name__)

_OVER_STATES = ("cancelled", "cancelled_terminating", "failed")  # run no machines any more
_ENDED_STATES = ("cancelled", "cancelled_running", "cancelled_terminating")
_FLEET_NOT_FOUND = ("InvalidSpotFleetRequestId.NotFound", "InvalidSpotFleetRequestId.Malformed")


@dataclass(frozen=True)
class FleetOrigin:
    """The tags of a fleet request, and the user data of its launch specifications as text."""

    tags: Mapping[str, str]
    user_data: str

    def is_of(self, app_name: str, bucket: str, cluster: str) -> bool:
        """Whether its tag names the app or, without one, its machines join it, as upstream's do."""
        owner = self.tags.get(APP_TAG)
        if owner is not None:
            return owner == app_name
        named = (f"s3://{bucket}/", f"ECS_CLUSTER={cluster}")
        return any(name in self.user_data for name in named)


@dataclass(frozen=True)
class FleetStatus:
    """A spot fleet request as EC2 tells it; `target` and `fulfilled` count machines."""

    state: str  # submitted, active, modifying, failed or one of the _ENDED_STATES
    target: int
    fulfilled: float
    created: float = 0.0  # seconds since 1970
    refills: bool = True  # whether it replaces machines, and its target can be changed
    origin: FleetOrigin = FleetOrigin({}, "")

    @property
    def is_changing(self) -> bool:
        """Whether a change is under way, and `target` may still be the one before it."""
        return self.state == "modifying"

    @property
    def is_live(self) -> bool:
        return self.state not in (*_ENDED_STATES, "failed")


@dataclass(frozen=True)
class FleetError:
    """An error event of a fleet's history; `time` is in seconds since 1970."""

    time: float
    kind: str  # such as spotInstanceCountLimitExceeded
    text: str


def request_fleet(
    ec2: EC2Client, request: Mapping[str, Any], *, sleep: Callable[[float], None] = time.sleep
) -> str:
    """Buy a fleet and return its id; sent again, a request finds its fleet by its client token.

    Launch templates and roles that were made a moment ago are waited for.
    """
    config: Any = dict(request)
    answer = until_known(
        lambda: ec2.request_spot_fleet(SpotFleetRequestConfig=config),
        _names_something_new,
        sleep=sleep,
        what="the launch templates and roles of the spot fleet",
    )
    fleet_id = answer["SpotFleetRequestId"]
    machines = count_of(request["TargetCapacity"], "machine")
    logger.info("Requested the spot fleet %s of %s.", fleet_id, machines)
    return fleet_id


def _names_something_new(error: ClientError) -> bool:
    """Whether EC2 refuses a request for a template or a role that it may not know yet."""
    code, text = error_code(error), str(error)
    if code.startswith("InvalidLaunchTemplate"):
        return "NotFound" in code
    names_role = "IamFleetRole" in text or "iamInstanceProfile" in text
    return code == "InvalidSpotFleetRequestConfig" and names_role


def cancel_fleet(ec2: EC2Client, fleet_id: str) -> bool:
    """Cancel a fleet and terminate its machines; False if there is no such fleet.

    Cancelling a cancelled fleet is fine. Raises DistributedSomethingError if EC2 refuses.
    """
    try:
        answer = ec2.cancel_spot_fleet_requests(
            SpotFleetRequestIds=[fleet_id], TerminateInstances=True
        )
    except ClientError as error:
        if error_code(error) in _FLEET_NOT_FOUND:
            return False
        raise
    for refusal in answer.get("UnsuccessfulFleetRequests", []):
        fault = refusal.get("Error", {})
        if fault.get("Code") == "fleetRequestIdDoesNotExist":
            return False
        if fault.get("Code") != "fleetRequestNotInCancellableState":
            raise DistributedSomethingError(
                f"EC2 did not cancel the spot fleet {fleet_id}: {fault.get('Message', '')}"
            )
    logger.info("Cancelled the spot fleet %s and its machines.", fleet_id)
    return True


def describe_fleet(ec2: EC2Client, fleet_id: str) -> FleetStatus:
    """The fleet's state and numbers; raises NotFound."""
    try:
        fleets = ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[fleet_id])
    except ClientError as error:
        if error_code(error) not in _FLEET_NOT_FOUND:
            raise
        raise NotFound(_no_fleet(fleet_id)) from None
    for fleet in fleets["SpotFleetRequestConfigs"]:
        config = fleet["SpotFleetRequestConfig"]
        return FleetStatus(
            fleet["SpotFleetRequestState"],
            int(config["TargetCapacity"]),
            float(config.get("FulfilledCapacity", 0.0)),
            fleet["CreateTime"].timestamp(),
            config.get("Type", "maintain") == "maintain",
            _origin_of(fleet),
        )
    raise NotFound(_no_fleet(fleet_id))


def fleet_origin(ec2: EC2Client, fleet_id: str) -> FleetOrigin | None:
    """Who made a fleet, as its tags and its machines' user data say; None if there is none."""
    try:
        fleets = ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[fleet_id])
    except ClientError as error:
        if error_code(error) not in _FLEET_NOT_FOUND:
            raise
        return None
    return next(map(_origin_of, fleets["SpotFleetRequestConfigs"]), None)


def _origin_of(fleet: Any) -> FleetOrigin:
    launches = fleet["SpotFleetRequestConfig"].get("LaunchSpecifications", [])
    data = (str(launch.get("UserData", "")) for launch in launches)
    texts = (base64.b64decode(one, validate=False).decode(errors="replace") for one in data)
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in fleet.get("Tags", [])}
    return FleetOrigin(tags, "\n".join(texts))


def list_fleets(ec2: EC2Client) -> Iterator[str]:
    """The ids of all fleets of the account that may still run machines."""
    yield from find_fleets(ec2, {})


def find_fleets(ec2: EC2Client, tags: Mapping[str, str], *, ended: bool = False) -> list[str]:
    """The ids of all fleets with these tags that may still run machines, or that have `ended`."""
    pages = ec2.get_paginator("describe_spot_fleet_requests").paginate()
    return [
        fleet["SpotFleetRequestId"]
        for page in pages
        for fleet in page["SpotFleetRequestConfigs"]
        if has_tags(fleet, tags) and (fleet["SpotFleetRequestState"] in _OVER_STATES) is ended
    ]


def fleet_members(ec2: EC2Client, fleet_id: str) -> list[str]:
    """The instance ids of the machines that a fleet runs; none if there is no such fleet."""
    pages = ec2.get_paginator("describe_spot_fleet_instances").paginate(SpotFleetRequestId=fleet_id)
    try:
        return [member["InstanceId"] for page in pages for member in page["ActiveInstances"]]
    except ClientError as error:
        if error_code(error) in _FLEET_NOT_FOUND:
            return []
        raise


def count_launched(ec2: EC2Client, fleet: FleetStatus, fleet_id: str) -> int:
    """How many machines a fleet has launched in its life, as its history of two days shows."""
    launched = _events(ec2, fleet_id, "instanceChange", fleet.created)
    return sum(event.kind == "launched" for event in launched)


def fleet_errors(ec2: EC2Client, fleet_id: str, since: float) -> list[FleetError]:
    """What went wrong with a fleet since a time, oldest first; EC2 tells it up to 30 s late.

    Why one machine type was not to be had somewhere is information and no error to EC2. Nothing
    is told of a fleet that does not exist.
    """
    try:
        errors = [
            *_events(ec2, fleet_id, "error", since),
            *_events(ec2, fleet_id, "information", since),
        ]
    except ClientError as error:
        if error_code(error) not in _FLEET_NOT_FOUND:
            raise
        return []
    return sorted(errors, key=lambda event: event.time)


def _events(
    ec2: EC2Client,
    fleet_id: str,
    kind: Literal["error", "information", "instanceChange"],
    since: float,
) -> list[FleetError]:
    start = datetime.fromtimestamp(since, timezone.utc)
    errors: list[FleetError] = []
    request: dict[str, Any] = {}
    while True:  # this operation has no paginator
        answer = ec2.describe_spot_fleet_request_history(
            SpotFleetRequestId=fleet_id, EventType=kind, StartTime=start, **request
        )
        for record in answer["HistoryRecords"]:
            event = record["EventInformation"]
            errors.append(
                FleetError(
                    record["Timestamp"].timestamp(),
                    event.get("EventSubType", ""),
                    event.get("EventDescription", ""),
                )
            )
        if not answer.get("NextToken"):
            return errors
        request["NextToken"] = answer["NextToken"]


def _no_fleet(fleet_id: str) -> str:
    return f"EC2 knows no spot fleet {fleet_id}: run `{run_line('startCluster FLEET.json')}` first."
