"""Read and terminate EC2 instances, and list their disks."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ...words import count_of
from ..faults import error_code

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

logger = logging.getLogger(__name__)

# The most instances that one TerminateInstances request should hold:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
TERMINATE_BATCH = 1000
_LIVE_STATES = ("pending", "running", "stopping", "stopped")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
_TAKEN_AWAY = ("Server.SpotInstanceTermination", "Server.SpotInstanceShutdown")
_MOMENT = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


@dataclass(frozen=True)
class Instance:
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
    seen: float = 0.0  # when EC2 said all this, by its own clock

    @property
    def age(self) -> float:
        """Seconds since its launch, by EC2's clock alone: this computer's may be minutes off."""
        return self.seen - self.launched

    @property
    def has_public_address(self) -> bool:
        return bool(self.address)

    @property
    def is_live(self) -> bool:
        return self.state in _LIVE_STATES


def list_machines(ec2: EC2Client) -> Iterator[str]:
    """The ids of all instances of the account that have not been terminated."""
    filters: Any = [{"Name": "instance-state-name", "Values": list(_LIVE_STATES)}]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        yield from (machine.instance_id for machine in _machines(page))


def list_volumes(ec2: EC2Client) -> Iterator[str]:
    """The ids of all disks of the account."""
    for page in ec2.get_paginator("describe_volumes").paginate():
        yield from (volume["VolumeId"] for volume in page["Volumes"])


def find_machines(
    ec2: EC2Client, tags: Mapping[str, str], *, ended: bool = False
) -> list[Instance]:
    """The machines with these tags that have not been terminated.

    With `ended` also those that have been, for as long as EC2 remembers them: about an hour.
    """
    filters: Any = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    if not ended:
        filters.append({"Name": "instance-state-name", "Values": list(_LIVE_STATES)})
    pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
    return [machine for page in pages for machine in _machines(page)]


def describe_machines(ec2: EC2Client, instance_ids: Sequence[str]) -> list[Instance]:
    """What EC2 knows of these machines; those that it has forgotten are left out."""
    filters: Any = [{"Name": "instance-id", "Values": []}]
    found: list[Instance] = []
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


def _machines(page: Any) -> Iterator[Instance]:
    seen = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
    for reservation in page["Reservations"]:
        for instance in reservation["Instances"]:
            yield Instance(
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
                seen=seen,
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
