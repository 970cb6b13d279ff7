"""Play EC2 and ECS through their own API: machines join, tasks start, real workers run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from typing_extensions import Self

from ...errors import DistributedSomethingError
from .runtimes import Runtime
from .scheduler import Scheduler
from .spot_machines import Interruptions, Machines
from .tasks import Tasks

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

_HOPELESS = 5  # quick failures in a row after which a worker will never work
_RESTART_SECONDS = 1.0  # after a worker failed at once


class Agent:
    """A thread that keeps real workers in step with the simulated account until it is left.

    `environment` is what every worker gets on top of its task definition's: endpoint, credentials,
    paces. `secrets` stand for those that it refers to. `logs` is the folder for what workers print.
    At most `most_tasks` run at a time.
    Leaving it ends every worker that is left.
    """

    def __init__(
        self,
        aws: Aws,
        runtime: Runtime,
        *,
        environment: Mapping[str, str],
        logs: Path,
        secrets: Mapping[str, str] | None = None,
        most_tasks: int = 16,
        interruptions: Interruptions | None = None,
        every: float = 0.5,
        on_failure: Callable[[str], None] = logger.error,
    ) -> None:
        self.machines = Machines(aws, interruptions or Interruptions())
        self.tasks = Tasks(
            aws, self.machines, runtime, environment=environment, secrets=secrets, logs=logs
        )
        self.failure = ""  # why no worker can ever work, once that is plain
        self._scheduler = Scheduler(aws, most_tasks)
        self._runtime = runtime
        self._every = every
        self._on_failure = on_failure
        self._stopped = Event()
        self._resume_at = 0.0
        self._thread = Thread(target=self._run, name="agent", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()
        self._runtime.close()
        self.machines.close()

    def tick(self) -> None:
        """Look once and do what follows."""
        self.machines.update()
        self._scheduler.update(may_start=time.monotonic() >= self._resume_at)
        before = self.tasks.quick_failures
        self.tasks.update()
        if self.tasks.quick_failures > before:
            self._resume_at = time.monotonic() + _RESTART_SECONDS
        if self.tasks.quick_failures >= _HOPELESS and not self.failure:
            self._give_up("Workers fail as soon as they start:\n" + self.tasks.last_failure)

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self.tick()
            except (ClientError, BotoCoreError) as error:
                logger.warning("The simulated machines had an error: %s", error)
            except DistributedSomethingError as error:
                self._give_up(str(error))
                return
            except BaseException as error:
                self._give_up(f"The simulated machines stopped working: {error!r}")
                raise

    def _give_up(self, why: str) -> None:
        self.failure = why
        self._on_failure(why)
