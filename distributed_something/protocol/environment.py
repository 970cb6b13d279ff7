"""The environment variables by which a task definition tells a worker its settings.

They have upstream's names where upstream has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class WorkerEnvironment:
    """What every worker is told; each field travels as the variable of its name in capitals."""

    app_name: str
    aws_region: str
    sqs_queue_url: str
    sqs_dead_letter_queue_url: str
    aws_bucket: str
    log_group_name: str
    ecs_cluster: str = "default"
    docker_cores: int = 1
    seconds_to_start: float = 0.0
    sqs_message_visibility: int = 60  # seconds
    job_retries: int = 10
    max_failures: int = 0  # jobs given up before the run stops; 0: however many
    source_bucket: str = ""  # '': AWS_BUCKET
    workspace_bucket: str = ""  # '': SOURCE_BUCKET
    destination_bucket: str = ""  # '': AWS_BUCKET
    upload_flags: str = ""
    requester_pays: bool = False
    check_if_done_bool: bool = False
    expected_number_files: int = 1
    min_file_size_bytes: int = 1
    necessary_string: str = ""
    download_files: bool = True
    mount_driver: str = ""  # what mounts the source bucket where DOWNLOAD_FILES is False; '': none
    install_script: str = ""  # run before the container's first job

    @property
    def mounts(self) -> bool:
        """Whether inputs are read from a mount of their bucket."""
        return bool(self.mount_driver) and not self.download_files

    def to_environment(self) -> dict[str, str]:
        """The variables, booleans as upstream's 'True' and 'False'."""
        return {field.name.upper(): _text(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> WorkerEnvironment:
        """Read them back.

        Raises KeyError for a needed one that is missing, ValueError for one that cannot be read.
        """
        values: dict[str, object] = {}
        for field in fields(cls):
            name = field.name.upper()
            if name not in variables and not isinstance(field.default, (str, int, float, bool)):
                raise KeyError(name)
            if name in variables:
                values[field.name] = _read(name, variables[name], str(field.type))
        return cls(**values)  # type: ignore[arg-type]  # each value was read by its field's own type


def _text(value: object) -> str:
    """A whole number without a point, as a shell's arithmetic and upstream's scripts want it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read(name: str, text: str, kind: str) -> object:
    try:
        return _READERS[kind](text)
    except ValueError:
        raise ValueError(
            f"The environment variable {name} is {text!r}, which is not {kind}."
        ) from None


def _truth(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise ValueError(text)


_READERS: Mapping[str, Callable[[str], object]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": _truth,
}
