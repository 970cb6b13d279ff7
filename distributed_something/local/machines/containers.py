"""Run workers as containers of a Docker engine on this computer."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import IO, Any

import docker
import psutil
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container as DockerContainer
from docker.types import Ulimit

from ...command_lines import build_line
from ...commands.setting_up.build import SOMETHING
from ...commands.submitting.no_command import SHIPPED
from ...errors import UsageError
from ...protocol import IMAGE_LABEL, PROTOCOL_VERSION
from .runtimes import Container, ProcessRuntime, Runtime

logger = logging.getLogger(__name__)

OWNER_LABEL = "distributed-something.rehearsal"  # pid and start time of the process that owns it
_SWEEPER = Path(__file__).with_name("sweep.py")
_STOP_SECONDS = 1
_LOOK_FOR_PROGRAM = "import shutil, sys; sys.exit(shutil.which(sys.argv[1]) is None)"
_IS_SHIPPED = (
    "import hashlib, pathlib, sys; code = pathlib.Path(sys.argv[1]).read_bytes(); "
    "digest = hashlib.sha256(code.replace(b'\\r\\n', b'\\n')).hexdigest(); "
    "sys.exit(digest != sys.argv[2])"
)
_PROBE = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3).close()"


def _make_it() -> str:
    return f"`{build_line(options='')}` creates it"


class DockerWorker:
    """A worker that is a container."""

    def __init__(self, container: DockerContainer, log: IO[bytes]) -> None:
        self._container = container
        self._exit_code: int | None = None
        self._log = log
        self._follower = Thread(target=self._follow, daemon=True)
        self._follower.start()

    def exit_code(self) -> int | None:
        if self._exit_code is None:
            try:
                self._container.reload()
                state = self._container.attrs["State"]
            except NotFound:
                self._exit_code = 137
                return self._exit_code
            if not state["Running"] and state["Status"] != "created":
                self._exit_code = int(state["ExitCode"])
                self._remove()
        return self._exit_code

    def stop(self) -> None:
        with contextlib.suppress(APIError):
            self._container.kill("SIGTERM")

    def kill(self) -> None:
        self._remove()
        if self._exit_code is None:
            self._exit_code = 137

    def _remove(self) -> None:
        with contextlib.suppress(APIError):  # NotFound, or another removal is under way
            self._container.remove(force=True, v=True)
        self._follower.join(timeout=5)
        self._log.close()

    def _follow(self) -> None:
        with contextlib.suppress(DockerException, OSError, ValueError):
            for chunk in self._container.logs(stream=True, follow=True):
                self._log.write(chunk)
                self._log.flush()


class DockerRuntime:
    """Workers as containers on the host's network, from the image of their task definition."""

    name = "docker"

    def __init__(
        self, client: docker.DockerClient, image: str, something: Path | None = None
    ) -> None:
        self._client = client
        self._image = image
        self._something = something
        self._owner = _owner(psutil.Process())
        self._workers: list[DockerWorker] = []
        remove_leftovers(client)
        self._sweeper = subprocess.Popen(
            [sys.executable, str(_SWEEPER), OWNER_LABEL, self._owner],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def has_program(self, program: str) -> bool:
        return _probe(self._client, self._image, [_LOOK_FOR_PROGRAM, program])

    def has_own_code(self) -> bool:
        if self._something is not None:
            return True
        return not _probe(self._client, self._image, [_IS_SHIPPED, str(SOMETHING), SHIPPED])

    def start(self, container: Container) -> DockerWorker:
        options: dict[str, Any] = {
            "name": f"ds-{os.getpid()}-{container.name}",
            "environment": dict(container.environment),
            "network_mode": "host",
            "mem_limit": f"{container.memory}m",
            "labels": {OWNER_LABEL: self._owner},
            "init": True,  # as the task definition asks
            **_rights(container),
        }
        started = self._client.containers.create(container.image, **options)
        if self._something is not None:
            started.put_archive(str(SOMETHING.parent), _archive(self._something))
        started.start()
        worker = DockerWorker(started, container.log.open("ab"))
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        assert self._sweeper.stdin is not None
        self._sweeper.stdin.close()
        self._sweeper.wait()
        self._client.close()


def _archive(something: Path) -> bytes:
    """The file as something.py in an archive, for every user to read."""
    content = something.read_bytes()
    entry = tarfile.TarInfo(SOMETHING.name)
    entry.size, entry.mode, entry.mtime = len(content), 0o644, int(time.time())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _rights(container: Container) -> dict[str, Any]:
    """What a task definition grants a container beyond the usual, in docker-py's words."""
    rights: dict[str, Any] = {}
    if container.user:
        rights["user"] = container.user
    if container.devices:
        rights["devices"] = [f"{path}:{path}:rw" for path in container.devices]
    if container.capabilities:
        rights["cap_add"] = list(container.capabilities)
    if container.shared_memory:
        rights["shm_size"] = f"{container.shared_memory}m"
    if container.ulimits:
        rights["ulimits"] = [
            Ulimit(name=name, soft=soft, hard=hard) for name, soft, hard in container.ulimits
        ]
    return rights


def choose_runtime(
    wanted: str, image: str, something: Path | None = None
) -> tuple[Callable[[], Runtime], str]:
    """What makes a runtime, and why it is that one; `wanted` is 'docker', 'process' or 'auto'.

    `something` is the file that workers use instead of something.py, if not their own. Nothing is
    left of the search. Raises UsageError if containers are wanted and cannot be had.
    """
    if wanted == "process":
        return partial(ProcessRuntime, something), "as asked"
    client, obstacle = _find_engine(image)
    if client is not None:
        make = partial(DockerRuntime, client, image, something)
        return make, f"a Docker engine is here and has {image}"
    if wanted == "docker":
        raise UsageError(f"Cannot run workers as containers: {obstacle}.")
    return partial(ProcessRuntime, something), obstacle


def remove_leftovers(client: docker.DockerClient) -> None:
    """Remove the containers of rehearsals whose process is gone."""
    for container in client.containers.list(all=True, filters={"label": OWNER_LABEL}):
        if not _is_running(container.labels[OWNER_LABEL]):
            logger.info("Removing the container %s of an earlier rehearsal.", container.name)
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)


def _find_engine(image: str) -> tuple[docker.DockerClient | None, str]:
    """A client of the engine, or why it cannot run this image's workers."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except DockerException:
        return None, "no Docker engine answers"
    obstacle = _image_obstacle(client, image) or _network_obstacle(client, image)
    if obstacle:
        client.close()
        return None, obstacle
    return client, ""


def _image_obstacle(client: docker.DockerClient, image: str) -> str:
    try:
        version = client.images.get(image).labels.get(IMAGE_LABEL)
    except ImageNotFound:
        return f"the image {image} is not on this computer ({_make_it()})"
    if version != PROTOCOL_VERSION:
        return f"the image {image} contains no worker of this version ({_make_it()})"
    return ""


def _network_obstacle(client: docker.DockerClient, image: str) -> str:
    """Docker Desktop's engine is in a virtual machine, whose host network is not ours."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if _probe(client, image, [_PROBE, str(listener.getsockname()[1])]):
            return ""
    return "its containers do not reach this computer's own network address"


def _probe(client: docker.DockerClient, image: str, words: list[str]) -> bool:
    """Whether a script ends well under the Python of a worker's image."""
    name = f"ds-{os.getpid()}-probe"
    try:
        client.containers.run(
            image,
            ["-c", *words],
            name=name,
            entrypoint=client.images.get(image).attrs["Config"]["Entrypoint"][:1],
            network_mode="host",
            labels={OWNER_LABEL: _owner(psutil.Process())},
        )
    except DockerException:
        return False
    finally:  # by its name, for a signal may come before it is known by anything else
        with contextlib.suppress(DockerException):
            client.containers.get(name).remove(force=True, v=True)
    return True


def _owner(process: psutil.Process) -> str:
    return f"{process.pid}-{process.create_time():.2f}"


def _is_running(owner: str) -> bool:
    try:
        return _owner(psutil.Process(int(owner.split("-", 1)[0]))) == owner
    except (psutil.NoSuchProcess, ValueError):
        return False
