"""Keep beside a run's ledger what it was made with: enough to run it again, and no secret."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.account.rights import find_task_definition
from ...protocol.ledger.run_ledger import RunLedger
from ...protocol.values.secrets import redacted, without_secrets

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.job_files import JobFile
    from ...inputs.settings import Settings
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

DigestOf = Callable[[str], str]

CONFIG = "config.py"
FLEET = "fleet.json"
TASK = "task_definition.json"
IMAGE = "image"
_SHOWN = 20_000  # bytes of each that are read to be shown
_UNREAD = ("UserData",)  # keys of a fleet file that do nothing here, and may hold anything


def keep_jobs(aws: Aws, record: RunRecord, settings: Settings, file: JobFile) -> None:
    """Keep the settings, the job file and its table; a file with a secret in it is not kept.

    What cannot be kept is said and costs the run nothing, for its jobs are in its ledger.
    """
    with _or_say_so("settings and job file"):
        _put(aws, record, CONFIG, config_text(settings))
        jobs = f"jobs-{_digest(file.path)[:8]}"
        _put_file(aws, record, f"{jobs}-{file.path.name}", file.path)
        if file.table is not None:
            # Named after its job file, which may be kept with other tables of that name.
            name = f"{jobs}-table-{_digest(file.table)[:8]}-{file.table.name}"
            _put_file(aws, record, name, file.table)


def keep_purchase(
    aws: Aws,
    record: RunRecord,
    settings: Settings,
    fleet_file: Mapping[str, Any],
    digest_of: DigestOf | None,
) -> None:
    """Keep the settings, the fleet file, the task definition and the image with its digest.

    `digest_of` gives the digest that a registry has for an image now, '' if it cannot be seen.
    """
    with _or_say_so("settings and fleet file"):
        _put(aws, record, CONFIG, config_text(settings))
        _put(aws, record, FLEET, _json(_readable(fleet_file)))
        task = find_task_definition(aws.ecs, record.task_family)
        if task:
            _put(aws, record, TASK, _json(_readable(task)))
        digest = digest_of(settings.dockerhub_tag) if digest_of else ""
        _put(aws, record, IMAGE, f"{settings.dockerhub_tag} {digest}".strip())


def read_provenance(ledger: RunLedger) -> dict[str, str]:
    """The kept files by name, those that are long cut short."""
    return {
        name: redacted(body.decode(errors="replace")) + ("\n..." if len(body) == _SHOWN else "")
        for name, body in ledger.made_with(_SHOWN)
    }


def config_text(settings: Settings) -> str:
    """The settings as a config file that gives them again, defaults written out."""
    lines = []
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        if field in ("extra", "secrets"):
            continue
        lines.append(f"{field.upper()} = {list(value) if isinstance(value, tuple) else value!r}")
    own = {**settings.extra, **settings.secrets}
    lines += [f"{name} = {value!r}" for name, value in own.items()]
    return "\n".join(lines) + "\n"


def _readable(value: Mapping[str, Any]) -> Any:
    """A request without secrets, and without what does nothing here and may hold anything."""
    return without_secrets(_without_unread(value))


def _without_unread(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_unread(held) for key, held in value.items() if key not in _UNREAD}
    return [_without_unread(held) for held in value] if isinstance(value, list) else value


@contextmanager
def _or_say_so(what: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, OSError) as error:
        logger.warning("The run's %s could not be kept with its ledger: %s", what, error)


def _put(aws: Aws, record: RunRecord, name: str, body: str | BinaryIO) -> None:
    text = body.encode() if isinstance(body, str) else body
    RunLedger.of(aws.s3, record).write_made_with(name, text)


def _put_file(aws: Aws, record: RunRecord, name: str, path: Path) -> None:
    if _holds_token(path):  # in a comment, say: what jobs are made of was looked at
        logger.warning("%s is not kept beside the run's ledger: there is a secret in it.", path)
        return
    with path.open("rb") as body:
        _put(aws, record, name, body)


def _holds_token(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return any(redacted(text) != text for text in iter(lambda: file.read(1 << 20), ""))


def _json(value: Any) -> str:
    def plain(value: Any) -> str:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    return json.dumps(value, indent=2, default=plain) + "\n"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()
