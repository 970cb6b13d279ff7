"""Serve a simulated account with its machines, for the verbs of another terminal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from ..commands.setting_up.build import refuse_no_something
from ..errors import DistributedSomethingError
from . import FLEET_VARIABLE
from .account import buckets
from .data import put_data
from .rehearsal import DIRECTORY
from .stage import Listener, staged

if TYPE_CHECKING:
    from ..inputs.settings import Settings


@dataclass(frozen=True)
class Served:
    """What another terminal needs: a line for its shell, and a fleet file that works there."""

    endpoint_url: str
    line: str
    fleet_file: Path
    names: tuple[str, ...]  # of the variables that the line sets
    logs: Path  # the folder of what workers print


def serve(
    settings: Settings,
    *,
    port: int = 0,
    data: Path | Mapping[str, Path] | None = None,
    runtime: str = "auto",
    something: Path | None = None,
    directory: Path = DIRECTORY,
    on_ready: Callable[[Served], None],
    listener: Listener | None = None,
    until: Event | None = None,
) -> None:
    """Serve until `until` is set or the process is told to end; port 0 takes a free one.

    The account has the config's buckets, with `data` in them, and what every real account has.
    Main thread only. Raises UsageError for a busy port.
    """
    listener = listener or Listener()
    stopped = until or Event()
    refuse_no_something(something)
    folder = directory / settings.app_name
    with staged(settings, folder, runtime, listener, something=something, port=port) as stage:
        if data is not None:
            for sentence in put_data(
                stage.simulator, stage.aws, buckets(settings), data, on_progress=listener.on_data
            ):
                listener.on_step(sentence)
        variables = {**stage.simulator.environment, FLEET_VARIABLE: str(stage.fleet_file)}
        line = "export " + " ".join(f"{k}={shlex.quote(v)}" for k, v in variables.items())
        url, names = stage.simulator.endpoint_url, tuple(variables)
        on_ready(Served(url, line, stage.fleet_file, names, stage.logs))
        while not stopped.wait(0.5):
            if stage.agent.failure:
                raise DistributedSomethingError(stage.agent.failure)
