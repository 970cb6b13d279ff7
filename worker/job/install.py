"""Run the config's INSTALL_SCRIPT once in a container, before its first job."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.environment import WorkerEnvironment
from distributed_something.protocol.values.secrets import Redactor

from ..clients import make_clients
from ..environment import tool_environment
from ..files.uploads import PAUSES
from ..stopping import Stopping
from .judge import may_pass
from .outcomes import MachineFault
from .success import exit_sentence
from .tool import CannotStart, run_tool

logger = logging.getLogger(__name__)

TIMEOUT = 3600.0  # seconds
GRACE = 5.0  # seconds from TERM to KILL
_LAST_LINES = 10


def install(
    settings: WorkerEnvironment, folder: Path, variables: Mapping[str, str], stopping: Stopping
) -> None:
    """Bring the script to `folder` and run it there under bash; its lines go to the log.

    Raises MachineFault if it cannot be had or fails, and returns early if the worker is stopped.
    """
    script = _bring(settings, folder, stopping)
    last: deque[str] = deque(maxlen=_LAST_LINES)
    redact = Redactor.of_environment(variables)

    def on_line(line: str) -> None:
        line = redact.line(line)
        logger.info("install: %s", line)
        last.append(line)

    logger.info("Running the install script %s.", settings.install_script)
    try:
        result = run_tool(
            ["bash", str(script)],
            folder,
            tool_environment(variables),
            on_line=on_line,
            wake=stopping.wake,
            why_end=lambda: stopping.reason if stopping.asked else "",
            timeout=TIMEOUT,
            grace=lambda: GRACE,
        )
    except CannotStart as error:
        raise MachineFault(f"The install script cannot be started: {error}") from error
    if stopping.asked:
        return
    if result.ended or result.exit_code:
        how = f"It was ended: {result.ended}." if result.ended else exit_sentence(result.exit_code)
        told = " | ".join(last) or "(it printed nothing)"
        raise MachineFault(
            f"The install script {settings.install_script} failed, so no job was run. "
            f"{how.replace('The command', 'It')} Its last lines of output: {told}"
        )
    logger.info("The install script is done after %.0f s.", result.seconds)


def _bring(settings: WorkerEnvironment, folder: Path, stopping: Stopping) -> Path:
    named = Buckets.of(settings)
    bucket, key = named.find(settings.install_script, named.source)
    path = folder / key.rsplit("/", 1)[-1]
    s3 = make_clients(settings.aws_region, requester_pays=settings.requester_pays).s3
    for pause in (*PAUSES, None):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, key, str(path))
        except (ClientError, BotoCoreError, Boto3Error, OSError) as error:
            if pause is None or stopping.asked or not may_pass(error):
                raise MachineFault(
                    f"The install script s3://{bucket}/{key} (INSTALL_SCRIPT) cannot be "
                    "downloaded: "
                    f"{error}"
                ) from error
            logger.warning("The install script cannot be had (%s); again in %g s.", error, pause)
            stopping.wait(pause)
        else:
            break
    return path
