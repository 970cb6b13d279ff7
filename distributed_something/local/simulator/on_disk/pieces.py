"""Parts of files that are read a block at a time, in the place of bytes in memory."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import IO

BLOCK = 256 * 1024  # bytes that are in memory at a time


class _Owned:
    """A file that goes with the last piece of it, in the process that made it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        weakref.finalize(self, _unlink, path, os.getpid())


def _unlink(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a fork has the same files
        path.unlink(missing_ok=True)


class Piece:
    """Some bytes of a file: it has a length, gives smaller pieces, and iterates over blocks."""

    def __init__(self, file: Path | _Owned, start: int, length: int) -> None:
        self._file, self._start, self._length = file, start, length

    @classmethod
    def of_file(cls, path: Path) -> Piece:
        """The whole of a file that is someone else's, and stays."""
        path = path.resolve()
        return cls(path, 0, path.stat().st_size)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> Piece:
        start, stop, _ = part.indices(self._length)
        return Piece(self._file, self._start + start, max(0, stop - start))

    def __iter__(self) -> Iterator[bytes]:
        left = self._length
        with self._path().open("rb") as file:
            file.seek(self._start)
            while left and (block := file.read(min(BLOCK, left))):
                left -= len(block)
                yield block

    def _path(self) -> Path:
        return self._file.path if isinstance(self._file, _Owned) else self._file

    def __bytes__(self) -> bytes:
        return b"".join(self)


class Shelf:
    """A folder for contents, made with the first one and removed with all at the end."""

    def __init__(self) -> None:
        self._folder = ""
        self._lock = Lock()

    def put(self, blocks: Iterable[bytes]) -> Piece:
        """Write blocks into a file of their own."""
        file = self._new_file()
        with file:
            file.writelines(blocks)
            length = file.tell()
        return Piece(_Owned(Path(file.name)), 0, length)

    def files(self) -> list[Path]:
        """The files that are here now."""
        return sorted(Path(self._folder).iterdir()) if self._folder else []

    def empty(self) -> None:
        """Remove all that was put here."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = ""

    def _new_file(self) -> IO[bytes]:
        with self._lock:
            self._folder = self._folder or tempfile.mkdtemp(prefix="distributed-something-")
        return tempfile.NamedTemporaryFile(dir=self._folder, delete=False)


SHELF = Shelf()  # of the process, as moto's state is
