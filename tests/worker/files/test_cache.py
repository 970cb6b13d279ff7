"""How much of the disk inputs may take, which go first, and that one in use never does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from worker.files.cache import Cache, Shelf
from worker.job.outcomes import Interruption


def keep_on() -> None:
    """Nothing ends the wait."""


class Kept:
    """A cache that may hold about `most` bytes, and the file that a job brought."""

    def __init__(self, folder: Path, most: int, sharers: int = 1) -> None:
        self.folder = folder / "cache"
        self.folder.mkdir(exist_ok=True)
        self._source = folder / f"source-{id(self)}"
        share = most / shutil.disk_usage(folder).free
        self.cache = Cache(self.folder, share, sharers)

    @contextmanager
    def shelf(self, key: str) -> Iterator[Shelf]:
        with self.cache.shelf("bucket", key, keep_on) as shelf:
            yield shelf

    def put(self, key: str, size: int) -> bool:
        self._source.write_bytes(key.encode() * size)
        with self.shelf(key) as shelf:
            unfinished = shelf.unfinished(size * len(key))
            if unfinished is not None:
                shelf.put(self._source, unfinished, f"etag-{key}")
            return unfinished is not None

    def has(self, key: str) -> bool:
        with self.shelf(key) as shelf:
            return shelf.etag() == f"etag-{key}"

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())


def test_no_more_is_kept_than_its_share_of_the_disk_and_the_oldest_goes_first(
    tmp_path: Path,
) -> None:
    kept = Kept(tmp_path, 1_000_000)
    for number in range(10):
        assert kept.put(f"{number}", 300_000)
        for path in kept.folder.iterdir():
            os.utime(path, (path.stat().st_mtime - 10,) * 2)
        if number >= 1:  # one of them is used by every job
            with kept.shelf("0") as shelf:
                assert shelf.give(tmp_path / "copy")
    assert kept.has("0")
    assert kept.has("9")
    assert not kept.has("1")
    assert kept.size() < 1_100_000


def test_loops_that_share_the_folder_share_its_bound(tmp_path: Path) -> None:
    loops = [Kept(tmp_path, 1_200_000, sharers=4) for _ in range(4)]
    for number in range(12):
        for name, loop in zip("abcd", loops, strict=True):
            loop.put(f"{name}{number % 10}", 50_000)
    assert loops[0].size() < 1_400_000


def test_what_is_too_large_for_all_of_it_is_not_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 100_000)
    assert kept.put("small", 10)
    assert not kept.put("l", 200_000)
    assert kept.has("small")


def test_what_a_job_is_copying_is_not_removed(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 1_000_000)
    assert kept.put("a", 600_000)
    with kept.shelf("a") as shelf:
        kept.put("b", 600_000)
        assert shelf.give(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"a" * 600_000


def test_without_a_share_nothing_is_kept(tmp_path: Path) -> None:
    with Cache(tmp_path / "cache", 0).shelf("bucket", "a", keep_on) as shelf:
        assert shelf.unfinished(1) is None
        assert shelf.etag() == ""
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_to_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    with Cache(tmp_path / "cache").shelf("bucket", "a", keep_on) as shelf:
        assert shelf.unfinished(1) is None
        assert not shelf.give(tmp_path / "copy")


def test_waiting_for_another_loop_ends_when_the_job_must(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 1_000_000)

    def check() -> None:
        raise Interruption("the worker was asked to stop")

    with kept.shelf("a"), pytest.raises(Interruption), kept.cache.shelf("bucket", "a", check):
        raise AssertionError("two had the lock")


def test_a_file_without_its_note_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 1_000_000)
    kept.put("a", 10)
    for path in kept.folder.glob("*.note"):
        path.unlink()
    assert not kept.has("a")
    assert kept.put("a", 10)
    assert kept.has("a")
