"""Keep inputs on this machine's disk for its other jobs: each version is fetched once.

All loops of a container share the folder. A job gets a copy of its own (one that shares the disk's
blocks where the file system can), for a tool may run as root, and would change a link's original.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SHARE = 0.25  # of the disk that is free, at most
_STRIPES = 4096  # lock files; two objects with the same one only wait for each other
_LOOK = 0.1  # seconds between two tries to get a lock
_STALE = 86400.0  # seconds after which an unfinished file is nobody's
_KEPT = 0.75  # of the most that may be kept, at most, after room was made


class Cache:
    """The inputs of one container's jobs. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, share: float = SHARE, sharers: int = 1) -> None:
        """`share` is that of the free disk; `sharers` is how many loops fill the folder."""
        self._folder = folder if share > 0 else None
        self._share = share
        self._sharers = sharers
        self._room: float | None = None  # bytes that this loop may add before it counts again
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def shelf(self, bucket: str, key: str, check: Callable[[], None]) -> Iterator[Shelf]:
        """The place of one object, this thread's alone meanwhile; raises what `check` raises."""
        if self._folder is None:
            yield Shelf(self, None)
            return
        name = hashlib.sha256(f"{bucket}/{key}".encode(errors="surrogatepass")).hexdigest()[:32]
        with _locked(self._folder, name, check) as is_ours:
            yield Shelf(self, self._folder / name if is_ours else None)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may be added, after older inputs were removed if need be."""
        with self._lock, contextlib.suppress(OSError):
            if self._room is None or self._room < size:
                self._room = self._make_room(size)
            if self._room >= size:
                self._room -= size
                return True
        return False

    def _make_room(self, size: int) -> float:
        """Remove what was not used for longest, if `size` does not fit; how much now fits."""
        assert self._folder is not None
        entries = sorted(_entries(self._folder), key=lambda entry: entry[1])
        kept = sum(size for _, _, size in entries)
        most = (kept + shutil.disk_usage(self._folder).free) * self._share
        if size > most:
            return 0
        if kept + size * self._sharers > most:
            for path, _, freed in entries:
                if kept <= min(most - size, most * _KEPT):
                    break
                if _remove(self._folder, path):
                    kept -= freed
        return max((most - kept) / self._sharers, size if kept + size <= most else 0)


class Shelf:
    """One object's place in the cache; without a path it keeps nothing."""

    def __init__(self, cache: Cache, path: Path | None) -> None:
        self._cache = cache
        self._path = path

    def etag(self) -> str:
        """The ETag of what is kept; '' if nothing is."""
        if self._path is None:
            return ""
        try:
            return _etag_file(self._path).read_text() if self._path.exists() else ""
        except OSError:
            return ""

    def give(self, target: Path) -> bool:
        """Copy what is kept to a file; False if it is gone."""
        if self._path is None:
            return False
        try:
            os.utime(self._path)
            _copy(self._path, target)
        except FileNotFoundError:
            return False
        return True

    def unfinished(self, size: int) -> Path | None:
        """Where to put an object that will be kept; a part of it may be there. None: no room."""
        if self._path is None or not self._cache.has_room(size):
            return None
        return self._path.with_name(f"{self._path.name}.part")

    def put(self, path: Path, unfinished: Path, etag: str) -> None:
        """Keep a copy of a job's own file."""
        _copy(path, unfinished)
        self.keep(unfinished, etag)

    def keep(self, unfinished: Path, etag: str) -> None:
        """Keep what has been put there."""
        assert self._path is not None
        _etag_file(self._path).unlink(missing_ok=True)
        unfinished.replace(self._path)
        _etag_file(self._path).write_text(etag)


@contextlib.contextmanager
def _locked(folder: Path, name: str, check: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock of a name; False if there can be none."""
    try:
        lock = _open_lock(folder, name)
    except OSError:
        yield False
        return
    try:
        while not _try_lock(lock):
            check()
            time.sleep(_LOOK)
        yield True
    finally:
        os.close(lock)


def _open_lock(folder: Path, name: str) -> int:
    locks = folder / "locks"
    stripe = locks / str(int(name[:8], 16) % _STRIPES)
    try:
        return os.open(stripe, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        locks.mkdir(parents=True, exist_ok=True)
        return os.open(stripe, os.O_RDWR | os.O_CREAT, 0o600)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _entries(folder: Path) -> Iterator[tuple[Path, float, int]]:
    """Each file of inputs, when it was last used, and its bytes."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            status = path.stat()
            is_part = ".part" in path.suffixes and status.st_mtime > time.time() - _STALE
            if path.name != "locks" and path.suffix != ".etag" and not is_part:
                yield path, status.st_mtime, status.st_size


def _remove(folder: Path, path: Path) -> bool:
    """Remove an entry, unless somebody uses it."""
    with contextlib.ExitStack() as stack:
        lock = _open_lock(folder, path.name[:32])
        stack.callback(os.close, lock)
        if not _try_lock(lock):
            return False
        _etag_file(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return True


def _etag_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.etag")


def _copy(source: Path, target: Path) -> None:
    """Copy a file's content, sharing its blocks where the file system can (XFS, Btrfs)."""
    try:
        with source.open("rb") as old, target.open("wb") as new:
            left = os.fstat(old.fileno()).st_size
            while left > 0 and (copied := os.copy_file_range(old.fileno(), new.fileno(), left)):
                left -= copied
        if left == 0:
            return
    except FileNotFoundError:
        raise
    except (AttributeError, OSError):
        pass  # not on this system, or not between these two
    shutil.copyfile(source, target)
