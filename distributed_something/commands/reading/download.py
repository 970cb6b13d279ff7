"""The verb `download`: bring the results of a run's done jobs to a folder, as they are in S3."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ...aws import storage
from ...aws.session import PARALLEL_REQUESTS
from ...errors import DistributedSomethingError
from ...protocol.ledger.record import RunRecord
from ...protocol.ledger.run_ledger import RunLedger
from ...run.places import local_paths
from ...words import count_of
from ..runs.runs import choose_run
from .safe_places import refuse_place

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

_THREADS = PARALLEL_REQUESTS // 2
_TRIES = 4  # of one file, each from where the last one broke off
_PIECE = 1024 * 1024  # bytes read at once
_PART_SIZES = (5, 8, 16, 32, 64, 100, 128)  # MiB; what programs usually cut an upload into
_FAILED_SHOWN = 5

# Bytes that are there now, and of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Result:
    """One object of a job's results."""

    bucket: str
    key: str
    size: int  # bytes
    etag: str
    modified: float  # seconds since 1970

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Downloaded:
    """What came; `whole` files were there before."""

    folder: Path
    run_id: str
    jobs: int
    files: int = 0
    size: int = 0  # bytes that came
    whole: int = 0
    renamed: int = 0  # files that could not have their own name here


def download(
    aws: Aws,
    settings: Settings,
    folder: Path,
    *,
    only: str | None = None,
    run_id: str | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> Downloaded:
    """Bring the results of the done jobs of the app's live or last run to `folder`.

    `run_id` names another run.

    A file's path is its key's, so that no two share one. `only` is a pattern for keys or for the
    names of files. What is here and whole stays; the rest comes, or goes on where it broke off.
    Raises DistributedSomethingError if the disk is too small, or with the files that did not come.
    """
    record = choose_run(aws, settings, run_id)
    jobs, results = find_results(aws, record, only)
    fetch = _Fetch(aws, on_progress, sum(result.size for result in results), folder)
    paths = local_paths([(result.bucket, result.key) for result in results], record.bucket)
    places = [folder / path for path in paths]
    wanted = list(zip(results, places, strict=True))
    with ThreadPoolExecutor(_THREADS) as pool:
        whole = list(pool.map(lambda pair: is_whole(pair[0], pair[1]), wanted))
        missing = [pair for pair, there in zip(wanted, whole, strict=True) if not there]
        _check_space(folder, missing)
        fetch.count(sum(result.size for result, there in zip(results, whole, strict=True) if there))
        failures = [failure for failure in pool.map(lambda pair: fetch(*pair), missing) if failure]
    if failures:
        more = len(failures) - _FAILED_SHOWN
        raise DistributedSomethingError(
            "\n  ".join(
                [
                    f"{len(failures)} of {count_of(len(missing), 'file')} could not be downloaded; "
                    "the same command continues:",
                    *failures[:_FAILED_SHOWN],
                    *([f"and {more} more"] if more > 0 else []),
                ]
            )
        )
    return Downloaded(
        folder=folder,
        run_id=record.run_id,
        jobs=jobs,
        files=len(missing),
        size=sum(result.size for result, _ in missing),
        whole=len(wanted) - len(missing),
        renamed=sum(
            1 for result, path in zip(results, paths, strict=True) if not _is_own(result, path)
        ),
    )


def _is_own(result: Result, path: str) -> bool:
    return path == result.key or path.endswith(f"/{result.bucket}/{result.key}")


def find_results(aws: Aws, record: RunRecord, only: str | None) -> tuple[int, list[Result]]:
    """How many jobs are done, and their results, by bucket and key; each object once."""
    jobs = 0
    outputs: set[str] = set()
    ledger = RunLedger.of(aws.s3, record)
    for attempt in ledger.read_attempts(ledger.done_attempts()):
        jobs += 1
        if attempt.output:
            outputs.add(attempt.output)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = {
            (result.bucket, result.key): result
            for some in pool.map(lambda output: list(_list(aws, output)), sorted(outputs))
            for result in some
            if only is None or _matches(result.key, only)
        }
    return jobs, [found[place] for place in sorted(found)]


def _matches(key: str, pattern: str) -> bool:
    return fnmatchcase(key, pattern) or fnmatchcase(key.rpartition("/")[2], pattern)


def _list(aws: Aws, output: str) -> Iterator[Result]:
    """The objects below a job's output, folder markers left out."""
    bucket, _, prefix = output.removeprefix("s3://").partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    for item in storage.list_objects(aws.s3, bucket, prefix):
        if not item["Key"].endswith("/"):
            yield Result(
                bucket,
                item["Key"],
                item["Size"],
                item["ETag"].strip('"'),
                item["LastModified"].timestamp(),
            )


def is_whole(result: Result, path: Path) -> bool:
    """Whether a file is the object: of its size, and of its time or its ETag.

    The time is what we give a file when it came; files that came otherwise are read.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    if not path.is_file() or status.st_size != result.size:
        return False
    return abs(status.st_mtime - result.modified) < 0.01 or _has_etag(path, result.etag)


def _has_etag(path: Path, etag: str) -> bool:
    """Whether a file's bytes give an ETag, for the part sizes that are in use."""
    digest, _, parts = etag.partition("-")
    length = path.stat().st_size
    if not parts:
        return _part_md5s(path, max(1, length))[0].hex() == digest
    sizes = (size << 20 for size in _PART_SIZES)
    fitting = (size for size in sizes if -(-length // size) == int(parts))
    return any(
        hashlib.md5(b"".join(_part_md5s(path, size)), usedforsecurity=False).hexdigest() == digest
        for size in fitting
    )


def _part_md5s(path: Path, size: int) -> list[bytes]:
    """The MD5 of each `size` bytes of a file; an empty file has one part."""
    sums: list[bytes] = []
    with path.open("rb") as file:
        while True:
            digest_of_part = hashlib.md5(usedforsecurity=False)
            left = size
            while left and (piece := file.read(min(_PIECE, left))):
                digest_of_part.update(piece)
                left -= len(piece)
            if left == size and sums:
                return sums
            sums.append(digest_of_part.digest())
            if left:
                return sums


def _check_space(folder: Path, missing: Iterable[tuple[Result, Path]]) -> None:
    needed = sum(result.size for result, _ in missing)
    existing = next(
        parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists()
    )
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise DistributedSomethingError(
            f"{needed / 1e9:.1f} GB to download, and {free / 1e9:.1f} GB are free at {existing}: "
            "free some space, choose another folder, or select fewer files with --only."
        )


class _Fetch:
    """Fetches one object to one file, by many threads at once."""

    def __init__(self, aws: Aws, on_progress: Progress, total: int, folder: Path) -> None:
        self._s3 = aws.s3
        self._on_progress = on_progress
        self._total = total
        self._folder = folder
        self._done = 0
        self._lock = threading.Lock()

    def count(self, size: int) -> None:
        """Note that so many bytes more are there; fewer if negative."""
        with self._lock:
            self._done += size
            self._on_progress(self._done, self._total)

    def __call__(self, result: Result, path: Path) -> str | None:
        """Fetch an object; returns what went wrong, if something did."""
        mark = hashlib.sha256(f"{result.address} {result.etag}".encode()).hexdigest()[:16]
        part = path.with_name(f".{mark}.part")
        try:
            refuse_place(path, self._folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.count(part.stat().st_size if part.exists() else 0)
            for left in reversed(range(_TRIES)):
                try:
                    self._fetch(result, part)
                    break
                except BotoCoreError:
                    if not left:
                        raise
            _settle(result, part, path)
        except (ClientError, BotoCoreError, OSError) as error:
            return f"{result.address}: {error}"
        return None

    def _fetch(self, result: Result, part: Path) -> None:
        """Bring what a partial file lacks of an object, which must be the one that was listed."""
        had = part.stat().st_size if part.exists() else 0
        if had > result.size:
            part.unlink()
            self.count(-had)
            had = 0
        with part.open("ab") as file:
            if had == result.size:
                return
            request: dict[str, Any] = {"Range": f"bytes={had}-"} if had else {}
            answer = self._s3.get_object(
                Bucket=result.bucket, Key=result.key, IfMatch=f'"{result.etag}"', **request
            )
            for piece in answer["Body"].iter_chunks(_PIECE):
                file.write(piece)
                self.count(len(piece))


def _settle(result: Result, part: Path, path: Path) -> None:
    """Give a file that came its name, and the object's time, by which it is known again."""
    if part.stat().st_size != result.size:
        raise OSError(f"{part.stat().st_size} of {result.size} bytes came")
    os.utime(part, (result.modified, result.modified))
    part.replace(path)
