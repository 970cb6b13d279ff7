"""Give each object of S3 a file's path of its own: its key, where a file system can have that."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # no file system's, or a terminal's
_LONGEST_NAME = 240  # bytes; most file systems take 255


def local_paths(objects: Iterable[tuple[str, str]], home: str) -> list[str]:
    """A relative path for each object (bucket and key), no two alike for any file system.

    Objects of the bucket `home` keep their keys, those of others get `other-buckets/<bucket>/`
    before. A key that no file can have here, since another file or folder has its name or since
    it leads out of the folder, gets digits of its own.
    """
    found = [(address(bucket, key), _path(bucket, key, home)) for bucket, key in objects]
    folders = {folded for _, path in found for folded in _parents(_fold(path))}
    taken: set[str] = set()
    paths = []
    for name, path in found:
        folded = _fold(path)
        if folded in taken or folded in folders or any(p in taken for p in _parents(folded)):
            path = _apart(path, name)
        taken.add(_fold(path))
        paths.append(path)
    return paths


def address(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def _path(bucket: str, key: str, home: str) -> str:
    """The key as a path that leads nowhere else."""
    parts = key.split("/")
    safe = [part for part in parts if part not in ("", ".", "..")] or ["_"]
    safe = [_UNFIT.sub("_", part) for part in safe]
    fits = [part if len(part.encode()) <= _LONGEST_NAME else _shortened(part) for part in safe]
    if bucket != home:
        fits = ["other-buckets", bucket, *fits]
    path = "/".join(fits)
    return path if safe == parts else _apart(path, address(bucket, key))


def _shortened(part: str) -> str:
    return _apart(part.encode()[: _LONGEST_NAME - 20].decode(errors="ignore"), part)


def _apart(path: str, of: str) -> str:
    """The path with digits of `of` before its ending."""
    folder, slash, name = path.rpartition("/")
    stem, dot, ending = name.partition(".")
    digits = hashlib.sha256(of.encode()).hexdigest()[:8]
    return f"{folder}{slash}{stem}~{digits}{dot}{ending}"


def _fold(path: str) -> str:
    """What a file system that knows neither case nor Unicode's forms takes a path for."""
    return unicodedata.normalize("NFC", path).casefold()


def _parents(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
