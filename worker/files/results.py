"""Send a job's output folder to where its results belong."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.jobs import Job
from distributed_something.protocol.upload_flags import UploadFlags

from ..job.outcomes import Failure
from .refusals import writable
from .transfers import Crew, run_all
from .uploads import upload

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Destination:
    """Where results go; the prefix has no slash at its end."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def key(self, path: Path, folder: Path) -> str:
        """The key of a file; bytes in its name that are no UTF-8 are written as \\x and digits."""
        name = os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
        return f"{self.prefix}/{name}" if self.prefix else name


@dataclass(frozen=True)
class Uploaded:
    """How much was sent."""

    files: int
    size: int  # bytes


def destination(job: Job, app_name: str, buckets: Buckets) -> Destination:
    """Where a job says that its outputs go, or a prefix of its own below the app's results."""
    if job.output is not None:
        return Destination(*buckets.find(job.output, buckets.destination))
    # The name comes from the group's values, which must not lead out of the prefix.
    parts = [part for part in job.name.split("/") if part not in ("", ".", "..")]
    return Destination(
        buckets.destination, "/".join(["results", app_name, *(parts or [job.job_id])])
    )


def send_results(
    s3: S3Client,
    folder: Path,
    files: Collection[Path],
    target: Destination,
    check: Callable[[], None],
    flags: UploadFlags,
) -> Uploaded:
    """Send these files of a folder as the flags say; raises what `check` raises."""
    extra: dict[str, Any] = dict(flags.arguments)
    size = sum(path.stat().st_size for path in files)
    if files:
        run_all(
            (partial(_send, s3, path, target, folder, extra) for path in files),
            check,
        )
    return Uploaded(len(files), size)


def _send(
    s3: S3Client, path: Path, target: Destination, folder: Path, extra: dict[str, Any], crew: Crew
) -> None:
    key = target.key(path, folder)
    with writable(f"s3://{target.bucket}/{key}"):
        upload(s3, path, target.bucket, key, extra, crew)


def wanted_files(folder: Path, flags: UploadFlags) -> list[Path]:
    """The folder's files that the flags want, links followed only to what is in the folder too.

    Raises Failure if the folder itself has become a link: it may lead anywhere.
    """
    if folder.is_symlink():
        raise Failure("The output folder was replaced by a link, so nothing of it can be kept.")
    inside, wanted = folder.resolve(), []
    for path in sorted(folder.rglob("*")):
        if is_kept(path, inside):
            if flags.wants(path.relative_to(folder).as_posix()):
                wanted.append(path)
        elif not path.is_dir():
            logger.warning("%s is not a file in the output folder and is not kept.", path)
    return wanted


def is_kept(path: Path, inside: Path) -> bool:
    """Whether a path leads to a file that is in a folder, whose own path has no links."""
    return path.is_file() and path.resolve().is_relative_to(inside)
