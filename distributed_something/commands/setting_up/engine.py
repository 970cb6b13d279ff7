"""Build, fetch and push images with a Docker engine, and turn its answers into plain words."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound

from ...aws.compute.registry import parse_image
from ...errors import DistributedSomethingError, UsageError

_SILENCE = 3600  # seconds for which a step of a build may print nothing
_SHOWN = 15  # last lines of a step that failed
_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)")
_REFUSED = re.compile(r"denied|unauthorized|authentication required|no basic auth|forbidden", re.I)
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")


@dataclass(frozen=True)
class Progress:
    """How far the engine is with one thing: steps of a build, bytes of a transfer (0 of 0: any)."""

    doing: str  # such as "Building user/tool:1.0"
    text: str  # what is done now; empty if only the numbers changed
    done: int = 0
    total: int = 0


OnProgress = Callable[[Progress], None]


def connect_engine() -> docker.DockerClient:
    """A client of this computer's Docker engine; raises DistributedSomethingError without one."""
    try:
        client = docker.from_env(timeout=_SILENCE)
        client.ping()
    except DockerException as error:
        if "PermissionError" in str(error) or "Permission denied" in str(error):
            raise DistributedSomethingError(
                "This user may not use the Docker engine: join the group docker "
                "(`sudo usermod -aG docker $USER`, then log in again), or use sudo."
            ) from None
        raise DistributedSomethingError(
            "Building an image needs a Docker engine, and none answers: start Docker (or install "
            f"it: https://docs.docker.com/engine/install), then try again. ({error})"
        ) from None
    return client


def build_image(
    engine: docker.DockerClient,
    folder: Path,
    dockerfile: str,
    tag: str,
    arguments: Mapping[str, str],
    platform: str,
    on_progress: OnProgress,
) -> None:
    """Build a Dockerfile of a folder; raises DistributedSomethingError with its last lines."""
    doing = f"Building {tag}"
    lines: deque[str] = deque(maxlen=_SHOWN)
    step = Progress(doing, "")
    try:
        answers = engine.api.build(
            path=str(folder),
            dockerfile=dockerfile,
            tag=tag,
            buildargs=dict(arguments),
            platform=platform,
            rm=True,
            forcerm=True,
            decode=True,
        )
        for answer in answers:
            if "error" in answer:
                raise DistributedSomethingError(
                    _build_failed(tag, step.text, answer["error"].strip(), lines)
                )
            text = str(answer.get("stream", "")).rstrip()
            if found := _STEP.match(text):
                step = Progress(doing, found[3], int(found[1]), int(found[2]))
                lines.clear()
                on_progress(step)
            elif text:
                lines.extend(text.splitlines())
    except (APIError, TypeError, OSError) as error:  # docker-py's own word for a missing folder
        raise DistributedSomethingError(
            _build_failed(tag, step.text, _said(error), lines)
        ) from None


def fetch_image(
    engine: docker.DockerClient, image: str, platform: str, on_progress: OnProgress
) -> None:
    """Bring an image for a platform here, unless it is; raises UsageError if it cannot be had."""
    architecture = platform.split("/")[1]
    try:
        here = str(engine.images.get(image).attrs["Architecture"])
    except ImageNotFound:
        here = ""
    if here == architecture:
        return
    name, tag = _split(image)
    try:
        answers = engine.api.pull(name, tag=tag, platform=platform, stream=True, decode=True)
        _follow(answers, f"Fetching {image}", on_progress)
    except (APIError, _Refused) as error:
        what = f"is here only for {here}" if here else "is not on this computer"
        raise UsageError(
            f"The image {image} {what}, and cannot be pulled for {platform}: {_said(error)}. "
            "Check its name, `docker login` if it is private, or build it here first."
        ) from None


def push_image(engine: docker.DockerClient, image: str, on_progress: OnProgress) -> str:
    """Push an image to the registry of its name; returns its digest.

    Raises DistributedSomethingError if it is refused, with the way to log in.
    """
    name, tag = _split(image)
    try:
        answers = engine.api.push(name, tag=tag, stream=True, decode=True)
        return _follow(answers, f"Pushing {image}", on_progress)
    except (APIError, DockerException, _Refused) as error:
        said = _said(error)
        hint = f" {_how_to_log_in(image)}" if _REFUSED.search(said) else ""
        raise DistributedSomethingError(
            f"{image} was built, but could not be pushed: {said}.{hint}"
        ) from None


class _Refused(Exception):
    """The engine says, in the midst of a stream, that something failed."""


def _follow(answers: Iterable[Any], doing: str, on_progress: OnProgress) -> str:
    """Add the layers of a transfer up; returns the digest that its end tells, if any."""
    sizes: dict[str, tuple[int, int]] = {}
    digest, said = "", set()
    for answer in answers:
        if "error" in answer:
            raise _Refused(answer["error"].strip())
        digest = (answer.get("aux") or {}).get("Digest", digest)
        layer, detail = answer.get("id"), answer.get("progressDetail") or {}
        if layer and "total" in detail:
            sizes[layer] = (detail.get("current", 0), detail["total"])
        text = "" if detail or answer.get("status") in said else str(answer.get("status", ""))
        said.add(answer.get("status"))
        done, total = (
            (sum(column) for column in zip(*sizes.values(), strict=True)) if sizes else (0, 0)
        )
        on_progress(Progress(doing, text, done, total))
    return str(digest)


def _build_failed(tag: str, step: str, said: str, lines: Iterable[str]) -> str:
    shown = "".join(f"\n    {line}" for line in lines)
    at = f" at {step!r}" if step else ""
    if "exec format error" in f"{said}{shown}":
        said += (
            ". The image is for other processors than this computer's: install an emulator with "
            "`docker run --privileged --rm tonistiigi/binfmt --install all`"
        )
    fix = "Fix it, then build again."
    if "PYTHON_IMAGE" in step:
        fix = (
            "The worker's own Python could not be copied from there: `--python IMAGE` "
            "sets another source, any image with Python 3.10 or newer and its module venv."
        )
    return f"{tag} could not be built{at}: {said}.{shown}\n{fix}"


def _how_to_log_in(image: str) -> str:
    registry = parse_image(image).registry
    if ecr := _ECR.fullmatch(registry):
        return (
            f"Log in with `aws ecr get-login-password --region {ecr[1]} | docker login --username "
            f"AWS --password-stdin {registry}`, and make sure the repository exists there "
            "(`aws ecr create-repository`)."
        )
    where = "" if "docker.io" in registry else f" {registry}"
    return (
        f"Log in with `docker login{where}` as a user who may push there, or correct DOCKERHUB_TAG."
    )


def _split(image: str) -> tuple[str, str]:
    """An image's name and its tag, `latest` without one."""
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def _said(error: Exception) -> str:
    text = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return str(text).strip().rstrip(".")
