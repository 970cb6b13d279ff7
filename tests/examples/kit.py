"""Build an example's image as its README says, and rehearse its job file with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker

from distributed_something.inputs.settings import Settings, load_settings
from distributed_something.local.rehearsal import rehearse
from distributed_something.local.report import RehearsalReport
from tests.images import BASE, worker_on
from tests.worker.world import World

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def build(engine: docker.DockerClient, name: str, driver: str = "") -> str:
    """The tag of the worker's image on top of the example's own, with its something.py if any.

    A `driver` can mount the bucket.
    """
    file, something = EXAMPLES / name / "Dockerfile", EXAMPLES / name / "something.py"
    own = something if something.is_file() else None
    tag = f"{name}-{driver}" if driver else name
    return worker_on(engine, tag, BASE, file=file, driver=driver, something=own)


def settings_of(name: str, image: str | None = None, **changes: object) -> Settings:
    """The example's config, with the image that a test has built, and fields in lower case."""
    settings = load_settings(EXAMPLES / name / "config.py")
    return settings.model_copy(update={**({"dockerhub_tag": image} if image else {}), **changes})


def rehearsed(
    settings: Settings, job_file: Path, folder: Path, *, data: Path | None, runtime: str = "docker"
) -> RehearsalReport:
    """A whole run of a job file; results are in `folder`/<APP_NAME>."""
    report = rehearse(settings, job_file, data=data, runtime=runtime, directory=folder)
    words = "; ".join(f"{one.name}: {one.reason} {one.log_tail}" for one in report.failures)
    assert report.succeeded, words or report
    return report


def worked_with(world: World, program: str, script: str, message: Mapping[str, Any]) -> list[str]:
    """Let a worker do one job with a stand-in for its program; returns why attempts failed."""
    path = world.folder / "bin" / program
    path.parent.mkdir()
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)
    job = world.send(message)
    search = {"PATH": f"{path.parent}:{os.environ['PATH']}"}
    world.start_worker(search, job_retries=1)
    world.until_empty()
    world.stop()
    return [one.reason for one in world.ended(job, "failed")]
