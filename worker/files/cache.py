"""Keep inputs on this machine's disk for its other jobs: each version is fetched once.

All loops of a container share the folder. A job gets a copy of its own, one that shares the disk's
blocks where the file system can (XFS, Btrfs). Where it cannot, a large file is lent to one job at a
time as a link; whether a job changed it is seen by its time of change and then by its digest, and
such a file is not given to another.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .digests import Digest

SHARE = 0.25  # of the disk that is free, at most
_STRIPES = 4096  # lock files; two objects with the same one only wait for each other
_FICLONE = 0x40049409  # https://man7.org/linux/man-pages/man2/ioctl_ficlone.2.html
_WORTH_CLONING = 2**20  # bytes
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

    def empty(self) -> None:
        """Remove all that nobody uses just now."""
        if self._folder is None:
            return
        with self._lock, contextlib.suppress(OSError):
            self._room = None
            for path, _, _ in list(_entries(self._folder)):
                _remove(self._folder, path)

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
        return str(self._facts().get("etag", "")) if self._path.exists() else ""

    def give(self, target: Path) -> bool:
        """Make what is kept a job's own file; False if it is gone, changed, or out of reach."""
        if self._path is None:
            return False
        facts = self._facts()
        try:
            if "digest" not in facts:
                _copy(self._path, target)
                os.utime(self._path)
                return True
            return self._lend(self._path, target, facts)
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink()  # it may be a link to what is kept
            return False

    def _lend(self, path: Path, target: Path, facts: dict[str, Any]) -> bool:
        """Give a file that a job may have had before as a link."""
        if path.stat().st_mode != facts["mode"]:
            path.chmod(facts["mode"])
        changed = path.stat().st_ctime_ns
        if changed != facts.get("changed"):
            if not Digest(facts["digest"], facts["part"]).fits(path):
                path.unlink()
                return False
            changed = path.stat().st_ctime_ns
        if _clone(path, target):
            pass
        elif path.stat().st_nlink == 1:
            os.link(path, target)
        else:
            _copy(path, target)
            if path.stat().st_ctime_ns != changed:  # its borrower was changing it meanwhile
                return False
        self._note(path, facts)
        return True

    def _facts(self) -> dict[str, Any]:
        """What is noted: the ETag, and of a large file its digest and its time of change."""
        assert self._path is not None
        try:
            facts: dict[str, Any] = json.loads(_note_file(self._path).read_text())
        except (OSError, ValueError):
            return {}
        return facts

    def _note(self, path: Path, facts: dict[str, Any]) -> None:
        if "digest" in facts:
            if path.stat().st_nlink == 1:
                os.utime(path)  # the last use
            facts = {**facts, "changed": path.stat().st_ctime_ns}
        _note_file(path).write_text(json.dumps(facts))

    def unfinished(self, size: int) -> Path | None:
        """Where to put an object that will be kept; a part of it may be there. None: no room."""
        if self._path is None or not self._cache.has_room(size):
            return None
        return self._path.with_name(f"{self._path.name}.part")

    def put(self, path: Path, unfinished: Path, etag: str) -> None:
        """Keep a copy of a job's own file."""
        _copy(path, unfinished)
        self.keep(unfinished, etag)

    def keep(self, unfinished: Path, etag: str, digest: Digest | None = None) -> None:
        """Keep what has been put there; what has a digest may be lent."""
        assert self._path is not None
        _note_file(self._path).unlink(missing_ok=True)
        unfinished.replace(self._path)
        facts: dict[str, Any] = {"etag": etag}
        if digest:
            mode = self._path.stat().st_mode
            facts |= {"digest": digest.text, "part": digest.part, "mode": mode}
        self._note(self._path, facts)


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
            if path.name != "locks" and path.suffix != ".note" and not is_part:
                used = max(status.st_mtime, status.st_ctime)  # lending changes the second alone
                yield path, used, status.st_size


def _remove(folder: Path, path: Path) -> bool:
    """Remove an entry, unless somebody uses it."""
    with contextlib.ExitStack() as stack:
        lock = _open_lock(folder, path.name[:32])
        stack.callback(os.close, lock)
        if not _try_lock(lock):
            return False
        _note_file(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return True


def _note_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.note")


def _copy(source: Path, target: Path) -> None:
    """Copy a file's content, sharing its blocks where the file system can."""
    if source.stat().st_size < _WORTH_CLONING or not _clone(source, target):
        shutil.copyfile(source, target)


def _clone(source: Path, target: Path) -> bool:
    """Let a file share another's blocks until one of them is changed; False if it cannot."""
    with source.open("rb") as old, target.open("wb") as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
        except OSError:
            pass
        else:
            return True
    target.unlink()
    return False
