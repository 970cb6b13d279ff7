"""Start and end real workers for simulated machines: as processes, or as containers."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...commands.submitting.no_command import is_as_shipped

logger = logging.getLogger(__name__)

_APPLICATION = Path(__file__).resolve().parents[3]  # the folder that holds the package `worker`
_LEASH = Path(__file__).with_name("leash.py")


@dataclass(frozen=True)
class Container:
    """What a task definition asks for, as far as a runtime needs it."""

    name: str  # unique among the rehearsal's
    image: str
    environment: Mapping[str, str]
    memory: int  # MiB
    log: Path  # what the worker prints is added to this file
    user: str = ""  # '': the image's own
    devices: tuple[str, ...] = ()  # paths, here and there
    capabilities: tuple[str, ...] = ()
    shared_memory: int = 0  # MiB; 0: Docker's own 64
    ulimits: tuple[tuple[str, int, int], ...] = ()  # name, soft and hard limit


class Worker(Protocol):
    """A running worker."""

    def exit_code(self) -> int | None:
        """None while it runs."""

    def stop(self) -> None:
        """Ask it to end, as ECS does (TERM); returns at once."""

    def kill(self) -> None:
        """End it and all below it now."""


class Runtime(Protocol):
    """A way to run workers; closing it ends every one that is left."""

    @property
    def name(self) -> str: ...

    def has_program(self, program: str) -> bool:
        """Whether a job's command could start a program of this name or path."""

    def has_own_code(self) -> bool:
        """Whether workers have another something.py than the one that is shipped."""

    def start(self, container: Container) -> Worker: ...

    def close(self) -> None: ...


class ProcessWorker:
    """A worker that is a process below a leash."""

    def __init__(self, process: subprocess.Popen[bytes], leash: int) -> None:
        self._process = process
        self._leash: int | None = leash

    def exit_code(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Let the leash go: it kills everything below it, and removes the worker's folder."""
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        self._process.wait()


class ProcessRuntime:
    """Workers as processes of this computer, each in a folder of its own.

    They share its programs and its memory: a tool must be installed here, and no limit is kept.
    """

    name = "process"

    def __init__(self, something: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="distributed-something-"))
        self._workers: list[ProcessWorker] = []
        self._something = something
        self._application = _APPLICATION
        if something is not None:
            self._application = self._folder / "application"
            shutil.copytree(_APPLICATION / "worker", self._application / "worker")
            shutil.copyfile(something, self._application / "worker" / "something.py")
            package = __name__.partition(".")[0]
            (self._application / package).symlink_to(_APPLICATION / package)

    def has_program(self, program: str) -> bool:
        return shutil.which(program, path=_own_environment()["PATH"]) is not None

    def has_own_code(self) -> bool:
        return self._something is not None or not is_as_shipped()

    def start(self, container: Container) -> ProcessWorker:
        folder = self._folder / container.name
        folder.mkdir(mode=0o700)
        reader, writer = os.pipe()
        environment = _own_environment() | dict(container.environment)
        environment |= {
            "WORKER_DIRECTORY": str(folder),
            "PYTHONPATH": _python_path(self._application),
        }
        environment["MOUNT_DRIVER"] = ""  # a process of this user's may not mount: it brings inputs
        command = [sys.executable, "-m", "worker"]
        with container.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(_LEASH), str(reader), str(folder), *command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[reader],
                start_new_session=True,  # a Ctrl-C is ours to pass on
            )
        os.close(reader)
        worker = ProcessWorker(process, writer)
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _own_environment() -> dict[str, str]:
    """This process's environment without what would lead a worker to a real account.

    Programs installed beside this Python come first, as in an activated virtual environment.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
    return own


def _python_path(application: Path) -> str:
    return os.pathsep.join(filter(None, [str(application), os.environ.get("PYTHONPATH", "")]))
