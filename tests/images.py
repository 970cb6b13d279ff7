"""The Docker engine and the worker's images of the tests, and when they may be left out."""

from __future__ import annotations

import os
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from distributed_something.commands.setting_up.build import Plan, build

# Has Python 3.10 or newer with its module venv; .ci/run makes it and says so.
BASE = os.environ.get("TEST_BASE_IMAGE", "debian-python:bookworm")
# An older system without Python, such as many a tool's image is.
BARE = os.environ.get("TEST_BARE_IMAGE", "debian-bare:bullseye")
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
        tag=f"distributed-something-test:{name}",
        platform=f"linux/{architecture}",
        base=base,
        file=file,
        user=user,
        python=BASE,
        driver=driver,
        something=something,
    )
    return build(engine, plan, lambda _: None).tag
