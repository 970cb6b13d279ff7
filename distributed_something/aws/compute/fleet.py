"""Buy, watch, shrink and end spot fleets, and keep the launch templates they start from."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from ...errors import DistributedSomethingError, NotFound, UsageError
from ...words import count_of
from ..tags import ec2_tags, error_code, has_tags

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import ModifySpotFleetRequestRequestTypeDef

logger = logging.getLogger(__name__)

# The most instances that one TerminateInstances request should hold:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
TERMINATE_BATCH = 1000
_NO_TEMPLATE = (
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateId.NotFoundException",
    "InvalidLaunchTemplateName.NotFoundException",
)
_LIVE_STATES = ("pending", "running", "stopping", "stopped")
_OVER_STATES = ("cancelled", "cancelled_terminating", "failed")  # run no machines any more
_ENDED_STATES = ("cancelled", "cancelled_running", "cancelled_terminating")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
_TAKEN_AWAY = ("Server.SpotInstanceTermination", "Server.SpotInstanceShutdown")
_MOMENT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
_FLEET_NOT_FOUND = ("InvalidSpotFleetRequestId.NotFound", "InvalidSpotFleetRequestId.Malformed")


@dataclass(frozen=True)
class FleetStatus:
    """A spot fleet request as EC2 tells it; `target` and `fulfilled` count machines."""

    state: str  # submitted, active, modifying, failed or one of the _ENDED_STATES
    target: int
    fulfilled: float

    @property
    def is_live(self) -> bool:
        return self.state not in (*_ENDED_STATES, "failed")


@dataclass(frozen=True)
class FleetInstance:
    """A machine that a fleet runs."""

    instance_id: str
    instance_type: str


@dataclass(frozen=True)
class Machine:
    """An EC2 instance; `launched` is in seconds since 1970."""

    instance_id: str
    instance_type: str
    zone: str
    state: str
    launched: float
    reason: str = ""  # why it ended, as EC2 says it
    has_profile: bool = False  # an instance profile, without which its agent may do nothing
    address: str = ""  # its public IPv4 address
    key_name: str = ""  # the key pair with which one can log in
    is_spot: bool = False
    interrupted: bool = False  # EC2 took it away
    ended: float | None = None  # where EC2 says when

    @property
    def has_public_address(self) -> bool:
        return bool(self.address)

    @property
    def is_live(self) -> bool:
        return self.state in _LIVE_STATES


@dataclass(frozen=True)
class FleetError:
    """An error event of a fleet's history; `time` is in seconds since 1970."""

    time: float
    kind: str  # such as spotInstanceCountLimitExceeded
    text: str


def request_fleet(ec2: EC2Client, request: Mapping[str, Any]) -> str:
    """Buy a fleet and return its id; sent again, a request finds its fleet by its client token."""
    config: Any = dict(request)
    fleet_id = ec2.request_spot_fleet(SpotFleetRequestConfig=config)["SpotFleetRequestId"]
    machines = count_of(request["TargetCapacity"], "machine")
    logger.info("Requested the spot fleet %s of %s.", fleet_id, machines)
    return fleet_id


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
        )
    raise NotFound(_no_fleet(fleet_id))


def find_fleets(ec2: EC2Client, tags: Mapping[str, str], *, ended: bool = False) -> list[str]:
    """The ids of all fleets with these tags that may still run machines, or that have `ended`."""
    pages = ec2.get_paginator("describe_spot_fleet_requests").paginate()
    return [
        fleet["SpotFleetRequestId"]
        for page in pages
        for fleet in page["SpotFleetRequestConfigs"]
        if has_tags(fleet, tags) and (fleet["SpotFleetRequestState"] in _OVER_STATES) is ended
    ]


def fleet_instances(ec2: EC2Client, fleet_id: str) -> list[FleetInstance]:
    """The machines that a fleet runs; none if there is no such fleet."""
    pages = ec2.get_paginator("describe_spot_fleet_instances").paginate(SpotFleetRequestId=fleet_id)
    try:
        return [
            FleetInstance(instance["InstanceId"], instance.get("InstanceType", ""))
            for page in pages
            for instance in page["ActiveInstances"]
        ]
    except ClientError as error:
        if error_code(error) in _FLEET_NOT_FOUND:
            return []
        raise


def set_target(ec2: EC2Client, fleet_id: str, target: int) -> None:
    """Change how many machines a fleet keeps; none of those that run is ended by it.

    Its On-Demand machines are part of them, and their number may not stay above the whole.
    """
    request: ModifySpotFleetRequestRequestTypeDef = {
        "SpotFleetRequestId": fleet_id,
        "TargetCapacity": target,
        "ExcessCapacityTerminationPolicy": "noTermination",
    }
    fleets = ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[fleet_id])
    for found in fleets["SpotFleetRequestConfigs"]:
        if found["SpotFleetRequestConfig"].get("OnDemandTargetCapacity", 0) > target:
            request["OnDemandTargetCapacity"] = target
    ec2.modify_spot_fleet_request(**request)
    logger.info("The spot fleet %s now keeps %s.", fleet_id, count_of(target, "machine"))


def fleet_errors(ec2: EC2Client, fleet_id: str, since: float) -> list[FleetError]:
    """What went wrong with a fleet since a time, oldest first; EC2 tells it up to 30 s late.

    Why one machine type was not to be had somewhere is information and no error to EC2. Nothing
    is told of a fleet that is not there.
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
    ec2: EC2Client, fleet_id: str, kind: Literal["error", "information"], since: float
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


def find_machines(ec2: EC2Client, tags: Mapping[str, str], *, ended: bool = False) -> list[Machine]:
    """The machines with these tags that have not been terminated.

    With `ended` also those that have been, for as long as EC2 remembers them: about an hour.
    """
    filters: Any = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    if not ended:
        filters.append({"Name": "instance-state-name", "Values": list(_LIVE_STATES)})
    pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
    return [machine for page in pages for machine in _machines(page)]


def describe_machines(ec2: EC2Client, instance_ids: Sequence[str]) -> list[Machine]:
    """What EC2 knows of these machines; those that it has forgotten are left out."""
    filters: Any = [{"Name": "instance-id", "Values": []}]
    found: list[Machine] = []
    for batch in _batches(instance_ids, 200):  # the most values that a filter takes
        filters[0]["Values"] = list(batch)
        for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
            found.extend(_machines(page))
    return found


def terminate_instances(ec2: EC2Client, instance_ids: Iterable[str]) -> None:
    """Terminate machines by id; those that are gone are fine."""
    for batch in _batches(list(instance_ids), TERMINATE_BATCH):
        try:
            ec2.terminate_instances(InstanceIds=list(batch))
        except ClientError as error:
            if error_code(error) != "InvalidInstanceID.NotFound":
                raise
            # One id that EC2 has forgotten refuses the whole batch.
            known = [machine.instance_id for machine in describe_machines(ec2, batch)]
            if known:
                ec2.terminate_instances(InstanceIds=known)
        logger.info("Terminated %s.", count_of(len(batch), "machine"))


def ensure_launch_template(
    ec2: EC2Client, name: str, data: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """Make the launch template of this exact name; one that is there already is replaced."""
    delete_launch_template(ec2, name)
    try:
        _create_launch_template(ec2, name, data, tags)
    except ClientError as error:
        if error_code(error) != "InvalidLaunchTemplateName.AlreadyExistsException":
            raise
        # The answer to a first request was lost after it took effect.
        delete_launch_template(ec2, name)
        _create_launch_template(ec2, name, data, tags)
    logger.info("Made the launch template %s.", name)


def _create_launch_template(
    ec2: EC2Client, name: str, data: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    template: Any = dict(data)
    ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData=template,
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": ec2_tags(tags)}],
    )


def delete_launch_template(ec2: EC2Client, name: str) -> bool:
    """Delete the launch template of this exact name; False if there is none."""
    found = ec2.describe_launch_templates(
        Filters=[{"Name": "launch-template-name", "Values": [name]}]
    )["LaunchTemplates"]
    for template in found:
        try:
            ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
        except ClientError as error:
            if error_code(error) not in _NO_TEMPLATE:
                raise
        logger.info("Deleted the launch template %s.", name)
    return bool(found)


def launch_template_data(ec2: EC2Client, reference: Mapping[str, str]) -> dict[str, Any]:
    """What a launch template holds, by its id or name and its version; raises UsageError."""
    named = {k: v for k, v in reference.items() if k in ("LaunchTemplateId", "LaunchTemplateName")}
    request: Any = {**named, "Versions": [str(reference.get("Version") or "$Default")]}
    try:
        versions = ec2.describe_launch_template_versions(**request)["LaunchTemplateVersions"]
    except ClientError as error:
        if not error_code(error).startswith("InvalidLaunchTemplate"):
            raise
        versions = []
    if not versions:
        raise UsageError(
            f"There is no launch template {next(iter(named.values()), '')} of version "
            f"{request['Versions'][0]} in {ec2.meta.region_name}: mend LaunchTemplateConfigs in "
            "the fleet file."
        )
    return dict(versions[0]["LaunchTemplateData"])


def find_launch_templates(ec2: EC2Client, tags: Mapping[str, str]) -> list[str]:
    """The names of the launch templates with these tags."""
    filters: Any = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    pages = ec2.get_paginator("describe_launch_templates").paginate(Filters=filters)
    return [t["LaunchTemplateName"] for page in pages for t in page["LaunchTemplates"]]


def _machines(page: Any) -> Iterator[Machine]:
    for reservation in page["Reservations"]:
        for instance in reservation["Instances"]:
            yield Machine(
                instance_id=instance["InstanceId"],
                instance_type=instance.get("InstanceType", ""),
                zone=instance.get("Placement", {}).get("AvailabilityZone", ""),
                state=instance["State"]["Name"],
                launched=instance["LaunchTime"].timestamp(),
                reason=instance.get("StateReason", {}).get("Message", ""),
                has_profile=bool(instance.get("IamInstanceProfile")),
                address=instance.get("PublicIpAddress", ""),
                key_name=instance.get("KeyName", ""),
                is_spot=instance.get("InstanceLifecycle") == "spot",
                interrupted=instance.get("StateReason", {}).get("Code", "") in _TAKEN_AWAY,
                ended=_ended(instance.get("StateTransitionReason", "")),
            )


def _ended(transition: str) -> float | None:
    """When a machine ended, as in `User initiated (2026-11-21 05:00:00 GMT)`."""
    found = _MOMENT.search(transition)
    if found is None:
        return None
    moment = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S")
    return moment.replace(tzinfo=timezone.utc).timestamp()


def _batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _no_fleet(fleet_id: str) -> str:
    return f"EC2 knows no spot fleet {fleet_id}: run `python run.py startCluster FLEET.json` first."
