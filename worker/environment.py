"""Read what the container tells a worker: its task's settings, and where and how fast it works."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distributed_something.protocol import __path__ as _protocol_path
from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.scaling import IDLE_SECONDS

from .files.cache import SHARE, Cache
from .files.mount import Bucket, mounted_bucket

CACHE_VARIABLE = "WORKER_CACHE_SHARE"
INSTANCE_VARIABLES = ("INSTANCE_ID", "INSTANCE_TYPE", "INSTANCE_ZONE")
_APPLICATION = Path(next(iter(_protocol_path))).parents[1]  # the folder Python finds us in
_OWN_VARIABLES = ("WORKER_SLOT", "PYTHONUNBUFFERED")


@dataclass(frozen=True)
class Pace:
    """How fast a worker does things, mostly in seconds; tests and rehearsals set variables.

    The variable of each is `WORKER_` and its name in capitals, such as WORKER_GRACE_SECONDS.
    """

    # A worker told to stop waits for its receive to end, or the message would hide from
    # everyone for a lease. SQS takes up to 20; 5 costs a waiting worker 720 requests an hour.
    poll_seconds: float = 5.0
    grace_seconds: float = 30.0  # from TERM to KILL for the tool
    stop_seconds: float = 90.0  # from TERM to KILL for a loop; ECS gives our container 100
    backoff_seconds: float = 10.0  # after a first failure; it doubles with each
    backoff_most_seconds: float = 600.0
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
    lease_limit_seconds: float = 43200.0
    notice_seconds: float = 2.0  # how often the instance metadata is asked for a spot notice
    heartbeat_seconds: float = 60.0
    duty_seconds: float = 60.0  # how often a worker reports on its machine
    # A run this long over that nobody ends, ends its machines itself: well before their alarms do,
    # as the fleet replaces those that an alarm ends.
    idle_seconds: float = 300.0
    spare_seconds: float = IDLE_SECONDS  # without a job, after which a machine may go before that
    spare_look_seconds: float = 10.0  # how often that is looked at
    room_seconds: float = 300.0  # how long a full disk is waited for while no job here fills it
    checkpoint_seconds: float = 300.0  # how often a running job's checkpoint is saved
    machines_to_blame: float = 2.0  # so many must fail to start a command before it is to blame

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Pace:
        """Read the variables that are set; raises ValueError for one that is no number."""
        values = {}
        for name in cls.__dataclass_fields__:
            variable = f"WORKER_{name.upper()}"
            if variable in variables:
                try:
                    values[name] = float(variables[variable])
                except ValueError:
                    raise ValueError(
                        f"The environment variable {variable} is {variables[variable]!r}, "
                        "which is not a number."
                    ) from None
        return cls(**values)


@dataclass(frozen=True)
class Place:
    """Where a loop works: its machine, its slot and its folder, with the settings of its task."""

    settings: WorkerEnvironment
    pace: Pace
    directory: Path  # of this slot alone
    slot: str
    instance_id: str
    instance_type: str = ""
    zone: str = ""
    mounted: Bucket | None = None  # the bucket that is seen as a folder, if one is
    shows_lines: bool = False  # whether what jobs print is in the container's own log in any case
    cache_share: float = SHARE  # of the free disk, for inputs that several jobs use; 0: none

    @property
    def buckets(self) -> Buckets:
        return Buckets.of(self.settings)

    @property
    def cache(self) -> Cache:
        """What this loop keeps of inputs, together with the other loops of its container."""
        folder = cache_folder(self.directory.parent)
        return Cache(folder, self.cache_share, self.settings.docker_cores)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Place:
        """Read a loop's place; raises KeyError for a missing variable, ValueError for a bad one."""
        slot = variables["WORKER_SLOT"]
        settings = WorkerEnvironment.from_environment(variables)
        return cls(
            settings=settings,
            pace=Pace.from_environment(variables),
            directory=working_directory(variables) / slot,
            slot=slot,
            instance_id=variables.get("INSTANCE_ID") or socket.gethostname(),
            instance_type=variables.get("INSTANCE_TYPE", ""),
            zone=variables.get("INSTANCE_ZONE", ""),
            mounted=mounted_bucket(settings, variables) if settings.mounts else None,
            shows_lines=bool(variables.get("WORKER_SHOW_LINES")),
            cache_share=_share(variables),
        )


def working_directory(variables: Mapping[str, str]) -> Path:
    """The folder of all slots' folders: WORKER_DIRECTORY, else one in the temporary folder."""
    given = variables.get("WORKER_DIRECTORY")
    return Path(given) if given else Path(tempfile.gettempdir()) / "distributed-something"


def cache_folder(directory: Path) -> Path:
    """The folder of the inputs that several jobs use, beside the slots' own folders."""
    return directory / "inputs"


def _share(variables: Mapping[str, str]) -> float:
    given = variables.get(CACHE_VARIABLE, str(SHARE))
    try:
        share = float(given)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{CACHE_VARIABLE} is {given!r}; it must be a share from 0 to 1.")
    return share


def loop_environment(variables: Mapping[str, str], slot: str) -> dict[str, str]:
    """The environment of a loop: the container's own, its slot, and the way to this package."""
    path = variables.get("PYTHONPATH", "")
    return {
        **variables,
        "WORKER_SLOT": slot,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_APPLICATION), path])),
        "PYTHONUNBUFFERED": "1",
    }


def tool_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a tool: the container's, without the worker's own additions to it."""
    kept = {name: value for name, value in variables.items() if name not in _OWN_VARIABLES}
    entries = kept.pop("PYTHONPATH", "").split(os.pathsep)
    others = [entry for entry in entries if entry and Path(entry) != _APPLICATION]
    if others:
        kept["PYTHONPATH"] = os.pathsep.join(others)
    return kept


def python_command(*arguments: str) -> list[str]:
    """The command that runs this package again.

    In the image it is isolated from the variables by which a tool's image leads its own Python.
    """
    flags = ["-I", "-u"] if sys.flags.isolated else []
    return [sys.executable, *flags, "-m", "worker", *arguments]
