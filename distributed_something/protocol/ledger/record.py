"""The run record (upstream's monitor file): what a run is made of, and all that teardown reads.

It is written before anything costs money, in two places that say the same:
`files/<APP_NAME>SpotFleetRequestId.json` on the machine that started the run, and
`monitors/<the same name>` in the bucket, from where any other machine goes on.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DistributedSomethingError, UsageError
from .. import PROTOCOL_VERSION
from .keys import RunKeys, record_key, record_name
from .objects import MOST_FETCHED, Objects
from .unreadable import check_fields

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Upstream's keys, and the field that each is.
_UPSTREAM_KEYS = {
    "MONITOR_APP_NAME": "app_name",
    "MONITOR_ECS_CLUSTER": "cluster",
    "MONITOR_QUEUE_NAME": "queue_name",
    "MONITOR_BUCKET_NAME": "bucket",
    "MONITOR_LOG_GROUP_NAME": "log_group_name",
}


# What is in the keys of a run's objects: no slash, and nothing that steers a terminal.
_APP = re.compile(r"[\w. -]{1,255}")
_RUN_ID = re.compile(r"[\w-]{0,64}")


_CHANGING = (
    "fleets", "launch_templates", "schedule", "dashboard", "clean_dashboard", "topic", "max_cost",
    "tasks_per_machine", "docker_cores", "disk_gib", "ended", "queue_deleted", "export_due",
    "notice_due",
)  # fmt: skip


@dataclass(frozen=True)
class FleetRecord:
    """One spot fleet request: `fleet_id` is empty until AWS has answered, and the same request sent
    again with the same client token then finds the fleet instead of buying a second one."""

    client_token: str
    request: Mapping[str, Any]  # empty in files that upstream wrote
    target_capacity: int | None  # None in files that upstream wrote: EC2 knows
    fleet_id: str = ""


@dataclass(frozen=True)
class RunRecord:
    """All that is needed to watch a run and to take it down; times are seconds since 1970.

    What is None is not known, as in a file that upstream wrote: it is read from AWS or left alone.
    """

    app_name: str
    cluster: str
    queue_name: str
    bucket: str
    log_group_name: str
    run_id: str = ""  # '' in files that upstream wrote
    ledger: str = ""  # where the jobs of a run without an id are, see `queue_ledger`
    region: str = ""  # '' in files that upstream wrote
    dead_letter_queue_name: str = ""
    started: float = 0.0
    clean_dashboard: bool | None = None
    tasks_per_machine: int | None = None
    docker_cores: int | None = None
    disk_gib: int | None = None  # of each machine
    finish: str = "fast"  # or cheap, as FINISH says
    has_checkpoints: bool | None = None  # whether all jobs that were submitted keep checkpoints
    max_cost: float = 0.0  # USD at which the run is stopped; 0: whatever it costs
    fleets: tuple[FleetRecord, ...] = ()
    launch_templates: tuple[str, ...] = ()  # names
    schedule: str = ""  # the name of the schedule that has the Lambda watch this run
    dashboard: str = ""  # its name, if the run has one
    topic: str = ""  # the ARN of the SNS topic that is told of its end
    ended: float | None = None
    queue_deleted: float | None = None  # a deleted queue's name is not free for 60 s
    export_due: bool = False  # it has ended, and its logs are still to be exported
    notice_due: bool = False  # it has ended, and its topic is still to be told
    protocol: str = PROTOCOL_VERSION  # of the run's messages and ledger

    @property
    def service(self) -> str:
        return f"{self.app_name}Service"

    @property
    def task_family(self) -> str:
        return f"{self.app_name}Task"

    @property
    def keys(self) -> RunKeys:
        """Where this run's ledger is."""
        return RunKeys(self.app_name, self.run_id or self.ledger or "unknown")

    @property
    def title(self) -> str:
        """What a run is called within a sentence; one that upstream began has no id."""
        named = f"run {self.run_id}" if self.run_id else "the run"
        return f"{named} of {self.app_name}"

    @property
    def fleet_ids(self) -> tuple[str, ...]:
        return tuple(fleet.fleet_id for fleet in self.fleets if fleet.fleet_id)

    @property
    def is_live(self) -> bool:
        return self.ended is None

    @property
    def slots_per_machine(self) -> int | None:
        """How many jobs a machine takes at once; None if that is not known."""
        if self.tasks_per_machine is None or self.docker_cores is None:
            return None
        return self.tasks_per_machine * self.docker_cores

    def with_fleet(self, fleet: FleetRecord) -> RunRecord:
        """The record with a fleet added, or put in the place of the one with its client token."""
        others = tuple(f for f in self.fleets if f.client_token != fleet.client_token)
        return replace(self, fleets=(*others, fleet))

    def updated(self, found: RunRecord) -> RunRecord:
        """This record with what changes in a run's course, as the bucket has it.

        The names of a run never change: no one who can write to the bucket turns it against
        another's queue or cluster.
        """
        changes = {name: getattr(found, name) for name in _CHANGING}
        return replace(self, **changes)

    def to_json(self) -> str:
        """The file's text: upstream's keys first, then our own."""
        own = asdict(self)
        for name in _UPSTREAM_KEYS.values():
            del own[name]
        upstream: dict[str, Any] = {
            "MONITOR_FLEET_ID": self.fleet_ids[-1] if self.fleet_ids else ""
        }
        upstream |= {key: getattr(self, name) for key, name in _UPSTREAM_KEYS.items()}
        upstream["MONITOR_START_TIME"] = str(round(self.started * 1000))
        if (clean := own.pop("clean_dashboard")) is not None:
            upstream["CLEAN_DASHBOARD"] = str(clean)
        del own["started"]
        return json.dumps({**upstream, **own}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> RunRecord:
        """Read a record of ours or of upstream's, malformed ones too; raises UsageError."""
        values = _read_object(text, source)
        missing = [key for key in _UPSTREAM_KEYS if key not in values]
        if missing:
            raise UsageError(f"{source} is not a monitor file: it has no {', '.join(missing)}.")
        _refuse_other_version(values, source)
        try:
            return cls._of(values)
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(f"{source} is not a monitor file: {error}.") from None

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> RunRecord:
        known = {f.name for f in fields(cls)}
        own = {key: value for key, value in values.items() if key in known}
        own |= {name: values[key] for key, name in _UPSTREAM_KEYS.items()}
        own["started"] = _time(values.get("MONITOR_START_TIME")) / 1000
        if "CLEAN_DASHBOARD" in values:
            own["clean_dashboard"] = str(values["CLEAN_DASHBOARD"]).lower() == "true"
        for name in ("launch_templates", "fleets"):
            if not isinstance(own.get(name, []), list):
                raise ValueError(f"{name} is no list")
        own["launch_templates"] = tuple(own.get("launch_templates", ()))
        own["fleets"] = tuple(_fleet(fleet) for fleet in own.get("fleets", ()))
        if not own["fleets"] and values.get("MONITOR_FLEET_ID"):
            own["fleets"] = (FleetRecord("", {}, None, str(values["MONITOR_FLEET_ID"])),)
        record = cls(**own)
        check_fields(record)
        if not (_APP.fullmatch(record.app_name) and _RUN_ID.fullmatch(record.run_id)):
            raise ValueError("its names of the app and the run cannot be in a key")
        return record


def _time(value: Any) -> float:
    """Milliseconds since 1970, 0 if none are given; raises ValueError."""
    try:
        number = float(value or 0)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if 0 <= number < 1e15:
        return number
    raise ValueError(f"MONITOR_START_TIME is {str(value)[:60]!r}, and no milliseconds since 1970")


def _refuse_other_version(values: Mapping[str, Any], source: str) -> None:
    """Raise UsageError for a run of another version of this program; upstream's have no id."""
    version = str(values.get("protocol", "1"))
    if values.get("run_id") and version != PROTOCOL_VERSION:
        raise UsageError(
            f"{source} is the record of a run of another version of this program (its protocol is "
            f"{version}, and this is {PROTOCOL_VERSION}): end that run with the version that "
            "started it, or delete this file once nothing of the run is left."
        )


def _fleet(values: Mapping[str, Any]) -> FleetRecord:
    known = {f.name for f in fields(FleetRecord)}
    return FleetRecord(**{key: value for key, value in values.items() if key in known})


def save_record(s3: S3Client, record: RunRecord, folder: Path | None) -> None:
    """Write the record to the bucket, beside its ledger too, and to `folder` unless None."""
    text = record.to_json()
    s3.put_object(Bucket=record.bucket, Key=record_key(record.app_name), Body=text.encode())
    if record.run_id:
        s3.put_object(Bucket=record.bucket, Key=record.keys.record, Body=text.encode())
    if folder is not None:
        _write_atomically(folder / record_name(record.app_name), text)


def amend_ended(s3: S3Client, record: RunRecord) -> None:
    """Write the record of a run that has ended where its readers look last: beside its ledger.

    The app's may be the next run's by now; only a run of upstream's, which has no other, is there.
    """
    key = record.keys.record
    if not record.run_id:
        latest = find_record(s3, record.bucket, record.app_name)
        if latest is None or latest.ended != record.ended:
            return
        key = record_key(record.app_name)
    s3.put_object(Bucket=record.bucket, Key=key, Body=record.to_json().encode())


def find_record(s3: S3Client, bucket: str, app_name: str) -> RunRecord | None:
    """The record of the app's live or last run, from the bucket; None if there has been no run."""
    record = read_record(Objects(s3, bucket), record_key(app_name))
    if record is not None and (record.app_name, record.bucket) != (app_name, bucket):
        raise UsageError(
            f"s3://{bucket}/{record_key(app_name)} is not a record of {app_name}: it names "
            f"{record.app_name} and the bucket {record.bucket}."
        )
    return record


def find_readable(s3: S3Client, bucket: str, app_name: str) -> RunRecord | None:
    """The same; None for a record that cannot be read too, as upstream's may be."""
    try:
        return find_record(s3, bucket, app_name)
    except UsageError:
        return None


def live_run_id(s3: S3Client, bucket: str, app_name: str) -> str:
    """The id of the app's live run, for what belongs to none; '' if there is none."""
    record = find_readable(s3, bucket, app_name)
    return record.run_id if record and record.is_live else ""


def record_age(s3: S3Client, bucket: str, app_name: str) -> float | None:
    """How many seconds ago the record of the app's live or last run was written; None without."""
    found, _, _ = Objects(s3, bucket).first_page(record_key(app_name), most=1)
    return found[0].age if found else None


def read_record(objects: Objects, key: str) -> RunRecord | None:
    """The record under a key; None if there is none; raises UsageError if it cannot be read."""
    body = objects.fetch(key)
    if body is None:
        return None
    return RunRecord.from_json(_decode(body), f"s3://{objects.bucket}/{key}")


def read_record_file(path: Path) -> RunRecord:
    """Read a record from a file; raises UsageError if it is missing or none."""
    try:
        with path.open("rb") as file:
            body = file.read(MOST_FETCHED)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"Cannot read the monitor file {path}: {reason}.") from None
    return RunRecord.from_json(_decode(body), str(path))


def _decode(body: bytes) -> str:
    """The text of a monitor file, which Windows PowerShell writes as UTF-16."""
    wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return body.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _read_object(text: str, source: str) -> dict[str, Any]:
    """The file's object; upstream's HEAD closes it before its last key, which is read too."""
    try:
        values, end = json.JSONDecoder().raw_decode(text.strip())
        rest = text.strip()[end:].strip().lstrip(",")
        if rest:
            values |= json.loads("{" + rest.rstrip().removesuffix("}") + "}")
    except (ValueError, TypeError, RecursionError):
        raise UsageError(f"{source} is not a monitor file: its JSON cannot be read.") from None
    if not isinstance(values, dict):
        raise UsageError(f"{source} is not a monitor file: it is not a JSON object.")
    return values


def _write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all; raises DistributedSomethingError if it cannot be."""
    try:
        _replace(path, text)
    except OSError as error:
        raise DistributedSomethingError(
            f"The monitor file {path} cannot be written ({error.strerror}): "
            f"see that {path.parent} is a folder with room that you may write to."
        ) from error


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
