"""The verb `build`: add the worker to the image that holds a tool, and push what comes of it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...definitions.platform import platform_of
from ...errors import UsageError
from .engine import OnProgress, build_image, fetch_image
from .image_check import of_upstream

if TYPE_CHECKING:
    import docker

    from ...inputs.settings import Settings

_CLONE = Path(__file__).resolve().parents[3]  # with worker/, whose user may have changed it
_DOCKERFILE = "worker/Dockerfile"
SOMETHING = Path("/opt/distributed-something/app/worker/something.py")  # in the image
_ROOT_USERS = ("", "root", "0")
OWN_USER = "worker"  # whom the Dockerfile makes


@dataclass(frozen=True)
class Plan:
    """What is to be built: the tool is in `base`, or in what the Dockerfile `file` makes of it."""

    tag: str
    platform: str  # linux/amd64 or linux/arm64
    base: str = ""
    file: Path | None = None
    context: Path | None = None  # the folder that the Dockerfile copies from, if not its own
    user: str = ""  # whom the tool runs as; '': the base's user, or one of the worker's own
    python: str = ""  # the image whose Python the worker runs on; '': the Dockerfile's default
    driver: str = ""  # what mounts the bucket, if it is to be installed
    something: Path | None = None  # to be used instead of worker/something.py


@dataclass(frozen=True)
class Built:
    """An image that was built; sizes in bytes."""

    tag: str
    platform: str
    user: str
    size: int
    beyond_base: int


def plan_build(
    settings: Settings,
    *,
    base: str = "",
    file: Path | None = None,
    context: Path | None = None,
    user: str = "",
    python: str = "",
    platform: str = "",
    something: Path | None = None,
) -> Plan:
    """Check what is asked for before anything is done; raises UsageError."""
    _check_tag(settings.dockerhub_tag)
    _check_files(base, file, something)
    _check_context(file, context)
    return Plan(
        tag=settings.dockerhub_tag,
        platform=platform or platform_of(settings.machine_type),
        base=base,
        file=file,
        context=context,
        user=user.partition(":")[0],
        python=python,
        driver="s3fs" if settings.mounts and settings.mount_driver != "mount-s3" else "",
        something=something,
    )


def _check_tag(tag: str) -> None:
    """Raise UsageError for a name that is upstream's, or that no built image can have."""
    if refusal := of_upstream(tag):
        raise UsageError(refusal)
    if "@" in tag:
        raise UsageError(
            f"DOCKERHUB_TAG = {tag!r} names an image by its digest, which exists only after a "
            "build: use a tag, such as user/tool:1.0."
        )


def _check_files(base: str, file: Path | None, something: Path | None) -> None:
    """Raise UsageError unless there is a tool, in an image or in a Dockerfile that is there."""
    if not base and file is None:
        raise UsageError(
            "Your tool's image is missing: pass --base IMAGE for an image that contains it, or "
            "--file DOCKERFILE to build one."
        )
    if file is not None and not file.is_file():
        raise UsageError(
            f"No {file} here: --file names the Dockerfile that makes your tool's image."
        )
    refuse_no_something(something)


def _check_context(file: Path | None, context: Path | None) -> None:
    """Raise UsageError for a folder to copy from that no Dockerfile would use, or that is none."""
    if context is not None and file is None:
        raise UsageError("--context is the folder that a Dockerfile copies from: pass --file too.")
    if context is not None and not context.is_dir():
        raise UsageError(
            f"No folder {context} here: --context names what the Dockerfile copies from."
        )


def refuse_no_something(something: Path | None) -> None:
    """Raise UsageError if the file that is to be used instead of something.py does not exist."""
    if something is not None and not something.is_file():
        raise UsageError(
            f"No {something} here: --something names a file to use instead of worker/something.py."
        )


def build(engine: docker.DockerClient, plan: Plan, on_progress: OnProgress) -> Built:
    """Build the worker's image, on the tool's own if that is to be built, too."""
    base = plan.base
    if plan.file is not None:
        base = _tool_name(plan.tag)
        arguments = {"BASE_IMAGE": plan.base} if plan.base else {}
        file = plan.file.resolve()
        folder = (plan.context or file.parent).resolve()
        build_image(engine, folder, str(file), base, arguments, plan.platform, on_progress)
    else:
        fetch_image(engine, base, plan.platform, on_progress)
    user = plan.user or _user_of(engine, base)
    arguments = {
        "BASE_IMAGE": base,
        "WORKER_USER": user,
        "MOUNT_DRIVER": plan.driver,
        "VERSION": __version__,
    }
    if plan.python:
        arguments["PYTHON_IMAGE"] = plan.python
    build_image(engine, _CLONE, _DOCKERFILE, plan.tag, arguments, plan.platform, on_progress)
    if plan.something is not None:
        _put_something(engine, plan, plan.something, on_progress)
    size = int(engine.images.get(plan.tag).attrs["Size"])
    beyond = size - int(engine.images.get(base).attrs["Size"])
    return Built(plan.tag, plan.platform, user, size, beyond)


def _put_something(
    engine: docker.DockerClient, plan: Plan, something: Path, on_progress: OnProgress
) -> None:
    """Put a user's own something.py into the image that was just built."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(something, folder / SOMETHING.name)
        (folder / "Dockerfile").write_text(f"FROM {plan.tag}\nCOPY {SOMETHING.name} {SOMETHING}\n")
        build_image(engine, folder, "Dockerfile", plan.tag, {}, plan.platform, on_progress)


def _user_of(engine: docker.DockerClient, image: str) -> str:
    """The user of a tool's image, where it has one that is not root: its files may be theirs."""
    user = str(engine.images.get(image).attrs["Config"].get("User") or "").partition(":")[0]
    return OWN_USER if user in _ROOT_USERS else user


def _tool_name(tag: str) -> str:
    """What the tool's image is called on this computer, where it is built on the way."""
    return f"distributed-something-tool/{tag.rpartition('/')[2].lower()}"
