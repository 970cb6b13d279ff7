"""The Docker engine and the worker's images of the tests, and when they may be left out."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from distributed_something.commands.setting_up.build import Plan, build

# Has Python 3.10 or newer with its module venv; .ci/run makes it and says so.
BASE = os.environ.get("TEST_BASE_IMAGE", "debian-python:bookworm")
# An older system without Python, such as many a tool's image is.
BARE = os.environ.get("TEST_BARE_IMAGE", "debian-bare:bullseye")
# Two clones that are tested on one engine do not take each other's images.
_CLONE = hashlib.sha256(str(Path(__file__).parents[1]).encode()).hexdigest()[:8]
NAME = f"distributed-something-test-{_CLONE}"
IS_PROMISED = any(os.environ.get(name) for name in ("CI", "TEST_BASE_IMAGE"))


def find_engine() -> docker.DockerClient:
    """An engine that has the base image; skips without one, except where CI has promised one."""
    try:
        client = docker.from_env(timeout=300)
        client.ping()
        client.images.get(BASE)
    except DockerException as error:
        if IS_PROMISED:
            raise
        pytest.skip(f"No Docker engine with the image {BASE}: {error}")
    return client


def find_image(engine: docker.DockerClient, name: str) -> str:
    """An image that .ci/run makes; skips without it, except where CI has promised it."""
    try:
        engine.images.get(name)
    except ImageNotFound as error:
        if IS_PROMISED:
            raise
        pytest.skip(f"{error}")
    return name


@contextmanager
def one_build_at_a_time(file: Path | str = "") -> Iterator[None]:
    """Wait for another process's build of the same tool: then the engine has its layers."""
    name = hashlib.sha256(f"{NAME} {file}".encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"{NAME}-{name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def worker_on(
    engine: docker.DockerClient,
    name: str,
    base: str = BASE,
    *,
    file: Path | None = None,
    user: str = "",
    driver: str = "",
    something: Path | None = None,
) -> str:
    """The worker's image on a base, made as `build` makes it; returns its tag."""
    architecture = engine.images.get(BASE).attrs["Architecture"]
    plan = Plan(
        tag=f"{NAME}:{name}",
        platform=f"linux/{architecture}",
        base=base,
        file=file,
        user=user,
        python=BASE,
        driver=driver,
        something=something,
    )
    with one_build_at_a_time(file or ""):
        return build(engine, plan, lambda _: None).tag
