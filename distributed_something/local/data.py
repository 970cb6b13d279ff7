"""Bring a folder into a simulated bucket, and what a run made there back into a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..protocol.ledger.keys import RUNS
from ..words import count_of
from .account import make_bucket

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from ..aws.session import Aws

PARALLEL = 8
# What the toolkit keeps for itself in a bucket.
_OURS = (RUNS, "monitors/")
_LIST = ".files"  # in the results' folder: which files the last rehearsal put there


def upload_folder(s3: S3Client, bucket: str, folder: Path) -> int:
    """Upload every file below a folder under its path there; raises UsageError if it is none."""
    if not folder.is_dir():
        raise UsageError(f"No folder {folder}: --data names the folder that becomes the bucket.")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(PARALLEL) as pool:
        keys = [path.relative_to(folder).as_posix() for path in files]
        list(pool.map(lambda path, key: s3.upload_file(str(path), bucket, key), files, keys))
    return len(files)


def upload_data(aws: Aws, named: Collection[str], data: Path | Mapping[str, Path]) -> Iterator[str]:
    """Upload what plays the buckets; says of each folder where its files are.

    A folder alone, or under the name '', plays every bucket that the config names but those that
    have a folder of their own. A bucket that a job file alone names is made.
    """
    folders = {"": data} if isinstance(data, Path) else data
    there = set(named)
    for bucket in [name for name in folders if name and name not in there]:
        make_bucket(aws, bucket)
    for name, folder in folders.items():
        buckets = [name] if name else sorted(there - set(folders))
        count = 0
        for bucket in buckets:
            count = upload_folder(aws.s3, bucket, folder)
        where = f"bucket {buckets[0]}" if len(buckets) == 1 else f"buckets {', '.join(buckets)}"
        yield f"Of {folder}: {count_of(count, 'file')} in the {where}."


def snapshot(s3: S3Client, bucket: str) -> dict[str, str]:
    """The bucket's objects as they are now: key and ETag."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}


def find_new(s3: S3Client, bucket: str, before: Mapping[str, str]) -> list[str]:
    """The keys added or changed since a snapshot, but for the toolkit's own objects."""
    return [
        key
        for key, etag in snapshot(s3, bucket).items()
        if before.get(key) != etag and not key.startswith(_OURS) and not key.endswith("/")
    ]


def download(s3: S3Client, bucket: str, keys: Sequence[str], folder: Path) -> list[Path]:
    """Download objects to their keys' paths in a folder; a key that leads out of it is left out."""
    targets = [target for key in keys if (target := _target(folder, key))]
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda key: _download(s3, bucket, key, folder), keys))
    return targets


def remove_last(folder: Path) -> int:
    """Remove the files that the last rehearsal put into the folder, and no others; how many."""
    folder = folder.resolve()
    count = 0
    for path in _listed(folder):
        count += path.is_file()
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == folder or not parent.is_dir() or any(parent.iterdir()):
                break
            parent.rmdir()
    (folder / _LIST).unlink(missing_ok=True)
    return count


def remove_last_logs(folder: Path, logs: Path) -> None:
    """Remove the last rehearsal's workers' logs alone: the next one's shall not be among them."""
    for path in _listed(folder.resolve()):
        if path.parent == logs.resolve():
            path.unlink(missing_ok=True)


def remember(folder: Path, files: list[Path]) -> None:
    """Add to the list of a rehearsal's files, for `remove_last`."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder.resolve()
    paths = dict.fromkeys([*_listed(place), *(path.resolve() for path in files)])
    names = [path.relative_to(place).as_posix() for path in paths]
    (folder / _LIST).write_text("".join(f"{name}\n" for name in names))


def _listed(folder: Path) -> Iterator[Path]:
    listed = folder / _LIST
    for name in listed.read_text().splitlines() if listed.is_file() else []:
        if target := _target(folder, name):
            yield target


def _target(folder: Path, key: str) -> Path | None:
    """Where an object goes; None for a key that leads out of the folder."""
    target = (folder / key).resolve()
    return target if target.is_relative_to(folder.resolve()) else None


def _download(s3: S3Client, bucket: str, key: str, folder: Path) -> None:
    if target := _target(folder, key):
        s3.download_file(bucket, key, str(target))
