"""Notice that a machine cannot work, and end it, within the limit to which it is replaced."""

from __future__ import annotations

import errno
import json
import logging
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.ledger.keys import RunKeys
from distributed_something.protocol.machine_alarm import APP_TAG

from .. import ledger
from ..job.outcomes import MachineFault, NoRoom

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import ModifySpotFleetRequestRequestTypeDef
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

FAULT_EXIT = 75  # a loop's exit code: the machine cannot work
LEAST_DISK = 200 * 2**20  # bytes that must be free before a job is taken
_NEARLY_NOTHING = 16 * 2**20  # bytes; a tool that found less may have failed for it
REFILLS = 3  # machines a run may lose to faults; the next one is not replaced
_FAULT_FILE = "fault"


def check_disk(folder: Path, least: int = LEAST_DISK) -> None:
    """Raise NoRoom if under `least` bytes are free, MachineFault if nothing can be written."""
    probe = folder / f"probe-{time.monotonic_ns()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free >= least:
            probe.write_bytes(b"x")
            probe.unlink()
            return
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise MachineFault(f"{folder} cannot be written to: {error}") from error
        free = 0
    raise NoRoom(
        f"The disk of {folder} has {free // 2**20} MiB left, less than {least // 2**20}: "
        "raise EBS_VOL_SIZE."
    )


def full_disk(folder: Path) -> str:
    """What to add to a tool's failure where the disk may be its cause; '' where there is room."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    if free >= _NEARLY_NOTHING:
        return ""
    return (
        f" The disk was full when it ended ({free // 2**20} MiB left): raise EBS_VOL_SIZE, or run "
        "fewer jobs at once."
    )


def write_fault(folder: Path, reason: str) -> None:
    """Leave the supervisor the reason, if there is anywhere to leave it."""
    try:
        (folder / _FAULT_FILE).write_text(reason)
    except OSError as error:
        logger.warning("The reason could not be left for the supervisor: %s", error)


def read_fault(folder: Path) -> str:
    """The reason that a loop left."""
    try:
        return (folder / _FAULT_FILE).read_text()
    except OSError:
        return "its disk cannot be written to"


def end_broken_machine(settings: WorkerEnvironment, instance_id: str, reason: str) -> None:
    """Write to the ledger why this machine ends, see that not all follow it, and end it."""
    try:
        session = boto3.Session(region_name=settings.aws_region)
        s3, ec2 = session.client("s3"), session.client("ec2")
        record = read_record(s3, settings)
        keys = RunKeys(settings.app_name, str(record.get("run_id") or ledger.NO_RUN))
        s3.put_object(
            Bucket=settings.aws_bucket,
            Key=keys.broken_machine(instance_id),
            Body=json.dumps({"reason": reason, "written": time.time()}).encode(),
        )
        broken = s3.list_objects_v2(Bucket=settings.aws_bucket, Prefix=keys.broken_machines)
        if broken.get("KeyCount", 0) > REFILLS:
            ledger.stop_run(
                s3,
                settings.aws_bucket,
                keys,
                f"{broken['KeyCount']} machines could not work; the last one: {reason}",
            )
            lower_target(ec2, record, settings.app_name, instance_id, by=1)
        terminate_self(ec2, instance_id)
    except Exception:  # whatever it was, this container must not start again and take jobs
        logger.exception("This machine cannot end itself; its alarm will.")


def record_key(settings: WorkerEnvironment) -> str:
    """Where the app's run record is in the bucket."""
    return f"monitors/{settings.app_name}SpotFleetRequestId.json"


def read_record(s3: S3Client, settings: WorkerEnvironment) -> dict[str, Any]:
    """The app's run record; empty if there is none."""
    try:
        found = s3.get_object(Bucket=settings.aws_bucket, Key=record_key(settings))
        body = found["Body"].read()
        record = json.loads(body)
    except (s3.exceptions.NoSuchKey, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def lower_target(
    ec2: EC2Client,
    record: dict[str, Any],
    app_name: str,
    instance_id: str,
    by: int | None = None,
) -> None:
    """Ask this machine's fleet for `by` fewer machines, or for none; it ends none itself."""
    recorded = [fleet.get("fleet_id") for fleet in record.get("fleets", [])]
    fleet_ids = [one for one in recorded if one and _is_member(ec2, one, instance_id)]
    if not fleet_ids:  # a startCluster that was killed has not written down what it bought
        tagged = _fleets_of_app(ec2, app_name)
        fleet_ids = [one for one in tagged if _is_member(ec2, one, instance_id)]
    for fleet_id in fleet_ids:
        (request,) = ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[fleet_id])[
            "SpotFleetRequestConfigs"
        ]
        target = request["SpotFleetRequestConfig"]["TargetCapacity"]
        lower = 0 if by is None else max(0, target - by)
        change: ModifySpotFleetRequestRequestTypeDef = {
            "SpotFleetRequestId": fleet_id,
            "TargetCapacity": lower,
            "ExcessCapacityTerminationPolicy": "noTermination",
        }
        if request["SpotFleetRequestConfig"].get("OnDemandTargetCapacity", 0) > lower:
            change["OnDemandTargetCapacity"] = lower  # a part of the whole
        ec2.modify_spot_fleet_request(**change)
        logger.info("Fleet %s is asked for %d machines instead of %d.", fleet_id, lower, target)


def _fleets_of_app(ec2: EC2Client, app_name: str) -> list[str]:
    """The ids of all fleets with the app's tag that still buy machines."""
    pages = ec2.get_paginator("describe_spot_fleet_requests").paginate()
    return [
        fleet["SpotFleetRequestId"]
        for page in pages
        for fleet in page["SpotFleetRequestConfigs"]
        if {"Key": APP_TAG, "Value": app_name} in fleet.get("Tags", [])
        and fleet["SpotFleetRequestState"] in ("submitted", "active", "modifying")
    ]


def _is_member(ec2: EC2Client, fleet_id: str, instance_id: str) -> bool:
    token = ""
    while True:
        request: dict[str, Any] = {"SpotFleetRequestId": fleet_id, "MaxResults": 1000}
        if token:
            request["NextToken"] = token
        page = ec2.describe_spot_fleet_instances(**request)
        if any(active.get("InstanceId") == instance_id for active in page["ActiveInstances"]):
            return True
        token = page.get("NextToken", "")
        if not token:
            return False


def terminate_self(ec2: EC2Client, instance_id: str) -> None:
    """End this machine, if it is one of EC2's."""
    if re.fullmatch(r"i-[0-9a-f]{8,17}", instance_id):
        logger.info("Machine %s ends itself.", instance_id)
        ec2.terminate_instances(InstanceIds=[instance_id])
