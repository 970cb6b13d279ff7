"""Make files objects of a simulated bucket, and what a run made there files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from ..errors import UsageError
from ..inputs.forms.found_files import ListKeys
from ..protocol.buckets import Buckets
from ..protocol.ledger.keys import RUNS
from ..words import count_of
from .account import make_bucket
from .named_inputs import NamedInputs, all_files

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from ..aws.session import Aws
    from ..inputs.settings import Settings
    from .simulator import Simulator

PARALLEL = 8
# What the toolkit keeps for itself in a bucket.
_OURS = (RUNS, "monitors/")
_LIST = ".files"  # in the results' folder: which files the last rehearsal put there


def put_data(
    simulator: Simulator,
    aws: Aws,
    own_buckets: Collection[str],
    data: Path | Mapping[str, Path],
    named: NamedInputs | None = None,
    on_progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> Iterator[str]:
    """Make files objects of the buckets that they play; yields a sentence for each folder.

    A folder alone, or under the name '', plays every one of `own_buckets` but those that have a
    folder of their own. A bucket that a job file alone names is made. Only what is `named` is put
    there, everything without it. Nothing is copied. Raises UsageError for what is no folder.
    """
    folders = {"": data} if isinstance(data, Path) else data
    for folder in folders.values():
        if not folder.is_dir():
            raise UsageError(f"No folder {folder}: --data names the folder that plays the bucket.")
    for bucket in [name for name in folders if name and name not in own_buckets]:
        make_bucket(aws, bucket)
    wanted = [
        (folder, bucket, path)
        for name, folder in folders.items()
        for bucket in ([name] if name else sorted(set(own_buckets) - set(folders)))
        for path in (named.files(bucket, folder) if named else all_files(folder))
    ]
    put, total, etags = 0, sum(path.stat().st_size for _, _, path in wanted), dict[Path, str]()
    for folder, bucket, path in wanted:
        key = path.relative_to(folder).as_posix()
        etags[path] = simulator.put_file(bucket, key, path, etags.get(path, ""))
        put += path.stat().st_size
        on_progress(put, total)
    for folder in dict.fromkeys(folders.values()):
        yield _count_words(folder, wanted, is_chosen=named is not None)


def keys_of_folders(settings: Settings, data: Path | Mapping[str, Path] | None) -> ListKeys | None:
    """What lists the keys that a rehearsal's buckets will have; None without folders for them."""
    if data is None:
        return None
    folders = {"": data} if isinstance(data, Path) else data
    buckets = Buckets.of(settings)

    def list_keys(place: str) -> Iterator[str]:
        bucket, prefix = buckets.find(place, buckets.source)
        folder = folders.get(bucket, folders.get(""))
        if folder is None:
            return
        below = folder / prefix[: prefix.rfind("/") + 1]
        for path in all_files(below) if below.is_dir() else ():
            key = path.relative_to(folder).as_posix()
            if key.startswith(prefix):
                yield key

    return list_keys


def _count_words(folder: Path, put: Sequence[tuple[Path, str, Path]], *, is_chosen: bool) -> str:
    """How much of a folder is in which buckets."""
    files = {path for whose, _, path in put if whose == folder}
    if not files:
        return (
            f"Data: no file of {folder} is named by the jobs."
            if is_chosen
            else (f"Data: there is no file in {folder}.")
        )
    buckets = sorted({bucket for whose, bucket, _ in put if whose == folder})
    size = decimal(sum(path.stat().st_size for path in files))
    where = f"bucket {buckets[0]}" if len(buckets) == 1 else f"buckets {', '.join(buckets)}"
    what = "the jobs' inputs" if is_chosen else "all of it"
    return f"Data: {count_of(len(files), 'file')} of {folder} ({size}; {what}) in the {where}."


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
