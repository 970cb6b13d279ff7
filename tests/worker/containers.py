"""Workers as real containers of the real image, on the simulated account."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from .world import World

_OF_THE_HOST = ("PATH", "HOME", "PYTHONPATH", "WORKER_DIRECTORY")


@dataclass
class Containers:
    """The containers of one test."""

    engine: docker.DockerClient
    image: str
    world: World
    started: list[Container] = field(default_factory=list)

    def start(
        self, variables: Mapping[str, str] | None = None, *, settings: Any = None, **options: Any
    ) -> Container:
        """Start a worker in a container; `options` are docker-py's."""
        environment = self.world.environment(**(settings or {}))
        for name in _OF_THE_HOST:
            del environment[name]
        container = self.engine.containers.run(
            self.image,
            detach=True,
            init=True,
            network_mode="host",
            environment={**environment, **(variables or {})},
            labels={"distributed-something.test": self.world.name},
            **options,
        )
        self.started.append(container)
        return container

    def close(self) -> None:
        for container in self.started:
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
