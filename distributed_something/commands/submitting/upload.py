"""The verb `upload`: a folder's files to a bucket, those that are there skipped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.session import PARALLEL_REQUESTS
from ...aws.storage import check_bucket, list_objects
from ...aws.uploads import etag_of_file, upload_file
from ...errors import DistributedSomethingError, UsageError
from ...protocol.ledger.keys import RUNS

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ObjectTypeDef

    from ...aws.session import Aws
    from ...inputs.settings import Settings

_CLONE = Path(__file__).resolve().parents[3]
_OURS = (RUNS, "monitors/")  # what the toolkit keeps for itself in a bucket
_THREADS = PARALLEL_REQUESTS // 4  # files at a time, each of which may go in parts
_SHOWN = 5
_KEY_BYTES = 1024  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html


@dataclass(frozen=True)
class Upload:
    """What is to be uploaded, and what stays: sizes in bytes."""

    bucket: str
    folder: Path
    missing: tuple[tuple[Path, str, int], ...]  # file, key, size
    there: int  # files that are in the bucket as they are here
    hidden: int  # files and folders whose names begin with a dot
    outside: int  # links that lead out of the folder

    @property
    def size(self) -> int:
        return sum(size for _, _, size in self.missing)


def plan_upload(
    aws: Aws,
    settings: Settings,
    folder: Path,
    *,
    to: str = "",
    bucket: str = "",
    only: str | None = None,
) -> Upload:
    """See what of a folder the bucket lacks; changes nothing.

    A file's key is `to` and its path in the folder. `bucket` is the source bucket unless it is
    named, `only` a pattern for paths or names. Raises UsageError for a folder or a place that
    cannot be meant, NotFound for a bucket that does not exist.
    """
    _refuse_folder(folder)
    prefix = f"{to.strip('/')}/" if to.strip("/") else ""
    if prefix.startswith(_OURS) or ".." in prefix.split("/"):
        raise UsageError(f"--to {to} is kept for the records of runs, or leads out: name another.")
    named = bucket or settings.source_bucket or settings.aws_bucket
    check_bucket(aws.s3, named, "--bucket" if bucket else "SOURCE_BUCKET")
    found = _Found(folder)
    files = [(path, prefix + path.relative_to(folder).as_posix()) for path in found.files(only)]
    _refuse_keys(files)
    objects = {item["Key"]: item for item in list_objects(aws.s3, named, prefix)} if files else {}
    with ThreadPoolExecutor(_THREADS) as pool:
        there = list(pool.map(lambda file: _is_there(file[0], objects.get(file[1])), files))
    missing = tuple(
        (path, key, path.stat().st_size)
        for (path, key), is_there in zip(files, there, strict=True)
        if not is_there
    )
    return Upload(named, folder, missing, sum(there), found.hidden, found.outside)


def upload(
    aws: Aws, plan: Upload, on_progress: Callable[[int, int | None], None] = lambda _done, _of: None
) -> None:
    """Upload what the bucket lacks.

    Raises DistributedSomethingError with the files that failed; the rest is uploaded.
    """
    done, lock = [0], Lock()

    def count(size: int) -> None:
        with lock:
            done[0] += size
            on_progress(done[0], plan.size)

    def send(item: tuple[Path, str, int]) -> str:
        path, key, _ = item
        try:
            upload_file(aws.s3, path, plan.bucket, key, count)
        except (ClientError, BotoCoreError, OSError) as error:
            return f"{path}: {error}"
        return ""

    with ThreadPoolExecutor(_THREADS) as pool:
        failures = [failure for failure in pool.map(send, plan.missing) if failure]
    if failures:
        more = len(failures) - _SHOWN
        lines = [*failures[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        head = f"{len(failures)} of {len(plan.missing)} files failed; the same command continues:"
        raise DistributedSomethingError("\n  ".join([head, *lines]))


class _Found:
    """The files below a folder, and how many are left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.hidden = self.outside = 0

    def files(self, only: str | None) -> Iterator[Path]:
        root = self._folder.resolve()
        for name, folders, files in os.walk(self._folder):
            self.hidden += sum(item.startswith(".") for item in [*folders, *files])
            folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
            for path in (Path(name, file) for file in sorted(files) if not file.startswith(".")):
                if not path.resolve().is_relative_to(root):
                    self.outside += 1
                elif path.is_file() and (only is None or self._matches(path, only)):
                    yield path

    def _matches(self, path: Path, only: str) -> bool:
        key = path.relative_to(self._folder).as_posix()
        return fnmatchcase(key, only) or fnmatchcase(path.name, only)


def _refuse_folder(folder: Path) -> None:
    """Raise UsageError for a folder whose files are surely not for a bucket."""
    place = folder.resolve()
    if not folder.is_dir():
        raise UsageError(f"No folder {folder} here.")
    if place in (Path.home(), Path(place.anchor)) or _CLONE.is_relative_to(place):
        raise UsageError(
            f"{folder} is your home folder, the whole disk, or holds this program: name a folder "
            "that has your inputs alone."
        )


def _refuse_keys(files: list[tuple[Path, str]]) -> None:
    for path, key in files:
        if key.startswith(_OURS):
            raise UsageError(
                f"{path} would become {key}, and {key.partition('/')[0]}/ is kept for the records "
                "of runs: rename the folder, or upload it with --to PREFIX."
            )
        try:
            length = len(key.encode())
        except UnicodeEncodeError:
            raise UsageError(f"{path!r} has a name that is not UTF-8: rename it.") from None
        if length > _KEY_BYTES:
            raise UsageError(f"{path} makes a key of {length} bytes; S3 takes {_KEY_BYTES}.")


def _is_there(path: Path, found: ObjectTypeDef | None) -> bool:
    """Whether an object is this file: of its size, and younger than it, or of its ETag."""
    status = path.stat()
    if found is None or found["Size"] != status.st_size:
        return False
    if status.st_mtime <= found["LastModified"].timestamp():
        return True
    return found["ETag"].strip('"') == etag_of_file(path)
