"""Read `config.py` into one validated, typed object, and say all that is wrong with it at once."""

from __future__ import annotations

import logging
import runpy
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import UsageError
from ..protocol.upload_flags import UploadFlags
from ..protocol.values.secrets import redacted
from .forms.command_prefix import KEY
from .forms.misplaced import misplaced_keys
from .near_names import misspelt_constants
from .secret_faults import constant_fault, is_secret_reference, reference_fault
from .setting_types import (
    APP_NAME,
    Amount,
    AppName,
    BucketName,
    Cluster,
    Count,
    Finish,
    Flag,
    Image,
    LogGroup,
    MachineTypes,
    MountDriver,
    OptionalAddress,
    OptionalAmount,
    OptionalBucket,
    OptionalText,
    OptionalTopic,
    Price,
    Profile,
    QueueName,
    Region,
    Ulimits,
    UploadFlagsText,
)

logger = logging.getLogger(__name__)

_NUMBERS = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
}
_UNITS = {"MEMORY": "MB", "EBS_VOL_SIZE": "GiB", "SQS_MESSAGE_VISIBILITY": "seconds"}
_UNITS |= {
    "SECONDS_TO_START": "seconds",
    "SHARED_MEMORY_MB": "MB",
    "MACHINE_PRICE": "US dollars",
    "MAX_COST": "US dollars",
}
# Where older configs of the family had what every config needs.
_WHERE = {
    "MACHINE_TYPE": " If your fleet file names it, as for Distributed-CellProfiler 1, put the "
    "InstanceType of its LaunchSpecifications here: MACHINE_TYPE = ['m4.xlarge']."
}
_SHOWN = 100  # characters of a value in a message
_WORKERS_OWN = frozenset({"WORKER_CACHE_SHARE"})  # a worker's, which tasks get as any extra one
_COLLECTED = frozenset({"EXTRA", "SECRETS"})  # fields that are no constants
# What ends a run that costs too much: nothing near these may be taken for anything else.
_GUARDS = frozenset({"MAX_COST", "MAX_FAILURES", "MAX_HOURS", "MACHINE_PRICE"})


class Settings(BaseModel):
    """All constants of `config.py`, each field named as its constant in lower case."""

    model_config = ConfigDict(
        frozen=True, alias_generator=str.upper, extra="ignore", allow_inf_nan=False
    )

    # Names
    app_name: AppName
    log_group_name: LogGroup
    dockerhub_tag: Image

    # Account
    aws_region: Region = "us-east-1"
    aws_profile: Profile = "default"
    ssh_key_name: OptionalText = ""
    aws_bucket: BucketName
    source_bucket: OptionalBucket = ""
    workspace_bucket: OptionalBucket = ""
    destination_bucket: OptionalBucket = ""
    upload_flags: UploadFlagsText = ""
    requester_pays: Flag = False  # this account pays for what it reads of others' buckets
    task_role_arn: OptionalText = ""

    # Machines
    ecs_cluster: Cluster = "default"
    cluster_machines: Annotated[Count, Field(ge=1)]
    tasks_per_machine: Annotated[Count, Field(ge=1)] = 1
    machine_type: MachineTypes
    machine_price: Price = None  # USD per machine-hour
    on_demand: Flag = False  # machines that nobody takes away, at the on-demand price
    run_per_machine_type: Flag = False  # each job on the type that its group names
    ebs_vol_size: Annotated[Count, Field(ge=22)] = 30  # GiB
    assign_ip: Flag = True
    max_cost: OptionalAmount = 0.0  # USD a run
    max_hours: Annotated[Amount, Field(gt=0, le=8760)] = 168.0

    # Containers
    docker_cores: Annotated[Count, Field(ge=1)] = 1
    cpu_shares: Annotated[Count, Field(ge=1)]
    memory: Annotated[Count, Field(ge=4)]  # MB as ECS counts them
    shared_memory_mb: Annotated[Count, Field(ge=0)] = 0  # /dev/shm; 0: Docker's 64
    ulimits: Ulimits = {}  # name: soft and hard limit
    seconds_to_start: Annotated[Amount, Field(ge=0)] = 0.0

    # Queue
    sqs_queue_name: QueueName
    sqs_message_visibility: Annotated[Count, Field(ge=1, le=43200)] = 60  # seconds
    sqs_dead_letter_queue: QueueName
    job_retries: Annotated[Count, Field(ge=1, le=1000)] = 10
    max_failures: Annotated[Count, Field(ge=0)] = 0  # jobs given up that stop the run; 0: none

    # Jobs
    job_defaults: dict[str, Any] = {}
    command_prefix: OptionalText = ""  # before each line that a table has for a command
    install_script: OptionalText = ""  # key or s3:// address; run before a container's first job
    download_files: Flag = True
    mount_driver: MountDriver = ""  # mounts the source bucket where DOWNLOAD_FILES is 'False'
    check_if_done_bool: Flag = False
    expected_number_files: Annotated[Count, Field(ge=0)] = 1
    min_file_size_bytes: Annotated[Count, Field(ge=0)] = 1
    necessary_string: OptionalText = ""

    # Watching
    finish: Finish = "fast"
    auto_monitor: Flag = False
    create_dashboard: Flag = False
    clean_dashboard: Flag = False

    notify_email: OptionalAddress = ""
    notify_topic: OptionalTopic = ""

    # Extra constants, which reach the worker under their own names
    extra: dict[str, str] = {}
    secrets: dict[str, str] = {}  # those that refer to a secret, by the ARNs that they hold

    @property
    def mounts(self) -> bool:
        """Whether workers mount the source bucket instead of bringing inputs."""
        return bool(self.mount_driver) and not self.download_files

    @property
    def pays_requests(self) -> bool:
        """Whether S3 may bill this account for its requests to others' buckets."""
        return self.requester_pays or UploadFlags.read(self.upload_flags).requester_pays

    @property
    def scripts(self) -> dict[str, str]:
        """Keys or s3:// addresses of what the config itself has jobs read, by their constants."""
        named = {"INSTALL_SCRIPT": self.install_script} if self.install_script else {}
        return named | {
            name: value for name, value in self.extra.items() if value.startswith("s3://")
        }

    @property
    def container_count(self) -> int:
        return self.cluster_machines * self.tasks_per_machine


def load_settings(path: Path, defaults: Mapping[str, object] | None = None) -> Settings:
    """Run a config file and check its constants; raises UsageError with a line for every fault.

    `defaults` stand for constants that the file leaves out or empty.
    """
    constants = _constants(path)
    for sentence in misplaced_keys(constants, constant_names(), path.read_text(encoding="utf-8")):
        logger.warning("%s: %s", path, sentence)
    unset = {name: default for name, default in (defaults or {}).items() if not constants.get(name)}
    return make_settings({**constants, **unset}, str(path))


def make_settings(constants: Mapping[str, object], source: str) -> Settings:
    """Check the constants of a config file; `source` names it in the error."""
    problems: list[str] = []
    values = _with_defaults(constants)
    values["EXTRA"], values["SECRETS"] = _extra(constants, problems)
    for sentence, is_slip in misspelt_constants(
        constants, constant_names() | _WORKERS_OWN, _GUARDS
    ):
        if is_slip:
            problems.append(sentence)
        else:
            logger.warning("%s: %s", source, sentence)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems = [*_sentences(error), *problems]
    else:
        if settings.sqs_queue_name == settings.sqs_dead_letter_queue:
            problems.append(
                f"SQS_DEAD_LETTER_QUEUE = {settings.sqs_dead_letter_queue!r}: must be another "
                "queue than SQS_QUEUE_NAME."
            )
        if settings.notify_email and settings.notify_topic:
            problems.append(
                "NOTIFY_EMAIL and NOTIFY_TOPIC: set only one; your own topic can have addresses "
                "as subscribers."
            )
        if settings.shared_memory_mb >= settings.memory:
            problems.append(
                f"SHARED_MEMORY_MB = {settings.shared_memory_mb}: must be less than MEMORY "
                f"({settings.memory}), of which it is a part."
            )
        if settings.mount_driver and settings.download_files:
            problems.append(
                f"MOUNT_DRIVER = {settings.mount_driver!r}: inputs are downloaded, and no bucket "
                "is mounted, unless DOWNLOAD_FILES = 'False'."
            )
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError("\n  ".join([f"{source} has {count}:", *problems]))
    return _with_prefix(settings)


def _with_prefix(settings: Settings) -> Settings:
    """The settings with COMMAND_PREFIX among the keys that job files may lack."""
    if not settings.command_prefix:
        return settings
    defaults = {KEY: settings.command_prefix, **settings.job_defaults}
    return settings.model_copy(update={"job_defaults": defaults})


def _constants(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise UsageError(
            f"No {path} here: run from the folder that holds it, or name it with --config."
        )
    try:
        names = runpy.run_path(str(path))
    except SyntaxError as error:
        place = f"{error.filename or path}" + (f", line {error.lineno}" if error.lineno else "")
        raise UsageError(f"{place}: {error.msg}. Correct the line, then try again.") from None
    except (Exception, SystemExit) as error:  # the user's own Python may raise anything
        lines = [
            at.lineno
            for at in traceback.extract_tb(error.__traceback__)
            if at.filename == str(path)
        ]
        place = f"{path}, line {lines[-1]}," if lines else f"{path}"
        raise UsageError(f"{place} stops with {type(error).__name__}: {error}.") from error
    return {
        name: value for name, value in names.items() if name.isupper() and not name.startswith("_")
    }


def _with_defaults(constants: Mapping[str, object]) -> dict[str, object]:
    """Fill in the constants whose default is made from another's value."""
    app = constants.get("APP_NAME")
    if not isinstance(app, str) or not APP_NAME.fullmatch(app):
        app = "App"  # so that a bad name is told once, and not for all that is named after it
    defaults: dict[str, object] = {
        "LOG_GROUP_NAME": app,
        "SQS_QUEUE_NAME": f"{app}Queue",
        "SQS_DEAD_LETTER_QUEUE": f"{app}_DeadMessages",
        "CPU_SHARES": 1024 * _cores(constants.get("DOCKER_CORES", 1)),
    }
    own = {name: value for name, value in constants.items() if name not in _COLLECTED}
    return {**defaults, **own}


def _cores(value: object) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else 1


def constant_names() -> frozenset[str]:
    """The constants of config.py that have a meaning here."""
    return frozenset(name.upper() for name in Settings.model_fields) - _COLLECTED


def _extra(
    constants: Mapping[str, object], problems: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The constants that are none of ours, and those of them that refer to secrets.

    Scalars reach the worker; secrets are refused, in ours too.
    """
    known = constant_names()
    extra: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, value in constants.items():
        if fault := constant_fault(name, value):
            problems.append(fault)
        elif name in known or not isinstance(value, (str, int, float, bool)):
            continue
        elif not is_secret_reference(name, value):
            extra[name] = str(value)
        elif fault := reference_fault(name):
            problems.append(fault)
        else:
            secrets[name] = str(value)
    return extra, secrets


def _units(kind: str, name: str) -> str:
    """What a number counts, for who gave it with a unit."""
    return f" of {_UNITS[name]}, without a unit" if kind in _NUMBERS and name in _UNITS else ""


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for fault in error.errors():
        name, *inner = fault["loc"]
        if fault["type"] == "missing":
            sentences.append(
                f"{name} is missing; every config needs it.{_WHERE.get(str(name), '')}"
            )
            continue
        place = f"{name}{''.join(f'[{part!r}]' for part in inner)}"
        rule = _NUMBERS.get(fault["type"], fault["msg"]).removeprefix("Value error, ")
        rule = rule.replace("Input should", "should") + _units(fault["type"], str(name))
        sentences.append(f"{place} = {repr(fault['input'])[:_SHOWN]}: {rule[0].lower()}{rule[1:]}.")
    return [redacted(sentence) for sentence in sentences]
