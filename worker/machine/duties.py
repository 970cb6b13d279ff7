"""What a worker does for its machine: metric, alarm, state in the log, dead man's switch."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.fleet_target import lower_target
from distributed_something.protocol.ledger.record import RunRecord, find_readable, record_age

from .alarm import MachineAlarm
from .faults import ledger_of_machine, own_fleets, terminate_self

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType

logger = logging.getLogger(__name__)

FORGOTTEN_SECONDS = 3600.0  # machines that so long after their purchase have had no job, end
_GIB = 2**30


@dataclass(frozen=True)
class DutyClients:
    """The clients that a machine's duties need."""

    cloudwatch: CloudWatchClient
    ec2: EC2Client
    s3: S3Client
    sqs: SQSClient


def make_duty_clients(region: str) -> DutyClients:
    """Make them all, for one region."""
    session = boto3.Session(region_name=region)
    return DutyClients(
        cloudwatch=session.client("cloudwatch"),
        ec2=session.client("ec2"),
        s3=session.client("s3"),
        sqs=session.client("sqs"),
    )


class Duties:
    """One machine's duties, done once a minute; each is tried, whatever became of the others."""

    def __init__(
        self,
        clients: DutyClients,
        settings: WorkerEnvironment,
        instance_id: str,
        count_busy: Callable[[], int],
        folder: Path,
        idle_seconds: float,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._instance_id = instance_id
        self._count_busy = count_busy
        self._folder = folder
        self._idle_seconds = idle_seconds
        self._now = now
        self._alarm = MachineAlarm(
            clients.cloudwatch, settings.app_name, instance_id, settings.aws_region
        )
        self._empty_since: float | None = None
        self._complained: set[str] = set()

    def begin(self) -> None:
        """Make this machine's alarm, unless its run is over already."""
        self._try("alarm", self._arm)

    def do(self) -> None:
        """Do each duty once, first the one without which the alarm ends this machine."""
        busy = self._count_busy()
        self._try("metric", lambda: self._alarm.report(busy))
        self._try("alarm", self._arm)
        self._try("state in the log", lambda: self._log(busy))
        self._try("dead man's switch", lambda: self._end_if_over(busy))

    def _try(self, duty: str, do: Callable[[], None]) -> None:
        """Do one duty; what it cannot do (a right that the role lacks) is said once.

        Whatever goes wrong, the next minute is another try: nobody else does these duties.
        """
        try:
            do()
        except Exception as error:
            if duty not in self._complained:
                bug = not isinstance(error, (ClientError, BotoCoreError, OSError))
                logger.warning("No %s for this machine: %s", duty, error, exc_info=bug)
                self._complained.add(duty)

    def _log(self, busy: int) -> None:
        logger.info("Machine: %d slots busy; %s", busy, machine_state(self._folder))

    def _arm(self) -> None:
        if self._alarm.is_armed:
            return
        record = self._find_record()
        if record is not None and not record.is_live:
            return  # it would never be deleted
        self._alarm.arm()

    def _end_if_over(self, busy: int) -> None:
        """End this machine when the run has long been over and nobody takes it down."""
        record = None if busy else self._find_record()
        has_ended = record is not None and not record.is_live
        if busy or not (has_ended or self._is_over(record)):
            self._empty_since = None
            return
        if self._empty_since is None:
            self._empty_since = self._now()
        idle = self._now() - self._empty_since
        if not has_ended and idle < self._idle_seconds:
            return
        why = "The run was removed" if has_ended else f"Nothing was left to do for {idle:g} s"
        logger.warning("%s, and nothing has ended this machine: it ends itself.", why)
        ec2 = self._clients.ec2
        fleet_ids = own_fleets(ec2, record, self._settings.app_name, self._instance_id)
        if all(lower_target(ec2, fleet_id, 0) for fleet_id in fleet_ids):
            terminate_self(ec2, self._instance_id)

    def _find_record(self) -> RunRecord | None:
        return find_readable(self._clients.s3, self._settings.aws_bucket, self._settings.app_name)

    def _is_over(self, record: RunRecord | None) -> bool:
        """Whether no job is left that may be taken, and no worker is at one."""
        ledger = ledger_of_machine(self._clients.s3, self._clients.sqs, record, self._settings)
        return (
            not self._jobs_left(is_stopped=bool(ledger.why_stopped()))
            and (ledger.has_jobs() or self._is_forgotten())
            and not ledger.machines.busy_slots()
        )

    def _jobs_left(self, is_stopped: bool) -> int:
        """How many jobs are in the queue: those in flight alone if the run is stopped."""
        in_flight: QueueAttributeNameType = "ApproximateNumberOfMessagesNotVisible"
        waiting: list[QueueAttributeNameType] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
        ]
        sqs = self._clients.sqs
        try:
            found = sqs.get_queue_attributes(
                QueueUrl=self._settings.sqs_queue_url,
                AttributeNames=[in_flight] if is_stopped else [in_flight, *waiting],
            )["Attributes"]
        except sqs.exceptions.QueueDoesNotExist:
            return 0
        return sum(int(count) for count in found.values())

    def _is_forgotten(self) -> bool:
        """Whether it is long ago that somebody began this run or added machines to it.

        The record's age says so, as it outlives this machine: an idle one is soon replaced.
        """
        settings = self._settings
        age = record_age(self._clients.s3, settings.aws_bucket, settings.app_name)
        return age is not None and age > FORGOTTEN_SECONDS


def is_ec2(instance_id: str) -> bool:
    """Whether this looks like a machine of EC2's, for which there are duties."""
    return re.fullmatch(r"i-[0-9a-f]{8,17}", instance_id) is not None


def machine_state(folder: Path) -> str:
    """A line on disk, memory, processors and, where there are any, graphics cards."""
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(folder)
    load, _, _ = psutil.getloadavg()
    line = (
        f"disk {disk.free / _GIB:.1f} of {disk.total / _GIB:.1f} GiB free, "
        f"memory {memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free, "
        f"processors {psutil.cpu_percent():.0f} % of {psutil.cpu_count()}, load {load:.1f}"
    )
    return ", ".join(filter(None, [line, _graphics()]))


def _graphics() -> str:
    """What NVIDIA's own tool says; empty where it is not installed."""
    if shutil.which("nvidia-smi") is None:
        return ""
    fields = "utilization.gpu,memory.used,memory.total"
    try:
        ended = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return "GPU " + "; ".join(ended.stdout.splitlines())
