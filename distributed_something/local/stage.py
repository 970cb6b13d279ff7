"""Set up where a rehearsal is played: a simulated account and its machines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..commands.watching.monitor import RunProgress
from ..errors import UsageError
from .account import prepare_account, write_fleet_file
from .ending import isolation, unwinding, without_real_account
from .machines.agent import Agent
from .machines.containers import choose_runtime
from .machines.spot_machines import Interruptions
from .pace import WORKER_PACE
from .simulator import Simulator

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..inputs.settings import Settings


@dataclass(frozen=True)
class Listener:
    """What a person is told while a rehearsal goes on; every part may be left out."""

    on_runtime: Callable[[str, str], None] = lambda _name, _reason: None
    on_step: Callable[[str], None] = lambda _sentence: None
    on_data: Callable[[int, int | None], None] = lambda _done, _total: None
    on_jobs: Callable[[int, int | None], None] = lambda _done, _total: None
    on_capacity: Callable[[int, int], None] = lambda _machines, _target: None
    on_progress: Callable[[RunProgress], None] = lambda _progress: None


@dataclass(frozen=True)
class Stage:
    """A simulated account with its machines; `fleet_file` names what that account has."""

    aws: Aws
    simulator: Simulator
    agent: Agent
    fleet_file: Path
    runtime: str
    has_program: Callable[[str], bool]
    has_own_code: Callable[[], bool]
    logs: Path


@contextmanager
def staged(
    settings: Settings,
    folder: Path,
    runtime: str,
    listener: Listener,
    *,
    interruptions: Interruptions | None = None,
    something: Path | None = None,
    port: int = 0,
) -> Iterator[Stage]:
    """A simulated account with its machines, all gone once it is left; main thread only.

    Raises UsageError where the config refers to secrets that this computer has no value for.
    """
    secrets = _own_secrets(settings)
    with ExitStack() as stack:
        ending = stack.enter_context(unwinding())
        stack.enter_context(without_real_account())
        simulator = stack.enter_context(Simulator(port))
        with ending.undisturbed():
            temporary = tempfile.TemporaryDirectory(prefix="distributed-something-")
            scratch = stack.enter_context(temporary)
        aws = simulator.aws(settings.aws_region)
        prepare_account(aws, settings)
        fleet_file = Path(scratch) / "fleet.json"
        write_fleet_file(aws, fleet_file, public=settings.assign_ip)
        make_runtime, reason = choose_runtime(runtime, settings.dockerhub_tag, something)
        with ending.undisturbed():
            chosen = make_runtime()
            stack.callback(chosen.close)
        logs = folder / "worker_logs"
        agent = Agent(
            aws,
            chosen,
            environment={**simulator.worker_environment, **isolation(os.environ), **WORKER_PACE},
            secrets=secrets,
            logs=logs,
            most_tasks=max(1, most_loops() // settings.docker_cores),
            interruptions=interruptions,
        )
        with ending.undisturbed():
            stack.enter_context(agent)
        listener.on_runtime(chosen.name, reason)
        yield Stage(
            aws,
            simulator,
            agent,
            fleet_file,
            chosen.name,
            chosen.has_program,
            chosen.has_own_code,
            logs,
        )


def _own_secrets(settings: Settings) -> dict[str, str]:
    """What stands for the secrets that the config refers to: this computer's own variables."""
    lacking = [name for name in sorted(settings.secrets) if name not in os.environ]
    if lacking:
        raise UsageError(
            f"{', '.join(lacking)}: the config refers to a secret in an account, and a rehearsal "
            "asks none. Give it a value of this computer, which only the workers see: "
            + " ".join(f"export {name}=..." for name in lacking)
        )
    return {name: os.environ[name] for name in settings.secrets}


def most_loops() -> int:
    """How many worker loops this computer can play at a time."""
    return max(4, 2 * (os.cpu_count() or 1))
