"""Notice that a machine cannot work, and end it, within the limit to which it is replaced."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.fleet_target import (
    fleets_of_machine,
    lower_target,
    read_target,
)
from distributed_something.protocol.ledger.machine_facts import REFILLS
from distributed_something.protocol.ledger.record import RunRecord, find_readable
from distributed_something.protocol.ledger.run_ledger import RunLedger

from ..job.outcomes import MachineFault, NoRoom
from ..queue.job_queue import ledger_of

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

logger = logging.getLogger(__name__)

FAULT_EXIT = 75  # a loop's exit code: the machine cannot work
LEAST_DISK = 200 * 2**20  # bytes that must be free before a job is taken
_NEARLY_NOTHING = 16 * 2**20  # bytes; a tool that found less may have failed for it
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
        logger.warning("The reason could not be passed to the supervisor: %s", error)


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
        record = find_readable(s3, settings.aws_bucket, settings.app_name)
        ledger = ledger_of_machine(s3, session.client("sqs"), record, settings)
        ledger.machines.write_broken_machine(instance_id, reason, time.time())
        broken = len(ledger.machines.broken_machines())
        if broken > REFILLS:
            why = f"{broken} machines could not work; the last one: {reason}"
            logger.error("The run is stopped: %s", why)
            ledger.stop(why)
            for fleet_id in own_fleets(ec2, record, settings.app_name, instance_id):
                lower_target(ec2, fleet_id, max(0, read_target(ec2, fleet_id).target - 1))
        terminate_self(ec2, instance_id)
    except Exception:  # whatever it was, this container must not start again and take jobs
        logger.exception("This machine cannot end itself; its alarm will.")


def end_spare_machine(settings: WorkerEnvironment, instance_id: str) -> None:
    """End this machine, whose fleet was lowered for it; its alarm ends it where that fails."""
    try:
        terminate_self(boto3.Session(region_name=settings.aws_region).client("ec2"), instance_id)
    except (ClientError, BotoCoreError) as error:
        logger.warning("This machine cannot end itself; its alarm will: %s", error)


def ledger_of_machine(
    s3: S3Client, sqs: SQSClient, record: RunRecord | None, settings: WorkerEnvironment
) -> RunLedger:
    """The ledger of a record's run; without a run of ours, that of the queue's messages."""
    run_id = (record.run_id if record else "") or ledger_of(sqs, settings.sqs_queue_url)
    return RunLedger(s3, settings.aws_bucket, settings.app_name, run_id)


def own_fleets(
    ec2: EC2Client, record: RunRecord | None, app_name: str, instance_id: str
) -> list[str]:
    """The fleets that would replace this machine."""
    return fleets_of_machine(ec2, record.fleet_ids if record else (), app_name, instance_id)


def terminate_self(ec2: EC2Client, instance_id: str) -> None:
    """End this machine, if it is one of EC2's."""
    if re.fullmatch(r"i-[0-9a-f]{8,17}", instance_id):
        logger.info("Machine %s ends itself.", instance_id)
        ec2.terminate_instances(InstanceIds=[instance_id])
