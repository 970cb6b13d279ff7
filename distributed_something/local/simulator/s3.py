"""Simulated S3 that lists through a sorted index, as fast for a large bucket as for a small one."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from threading import Lock
from typing import Any

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend, s3_backends
from moto.s3.utils import _VersionedKeyStore

from . import rules
from .on_disk import stored_keys
from .on_disk.pieces import Piece
from .on_disk.stored_keys import etag_of

_LAST = "\U0010ffff"  # sorts after every character that a key may hold


class IndexedKeyStore(_VersionedKeyStore):
    """A bucket's objects with their names in order."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self._lock = Lock()

    def setlist(self, key: Any, list_: Any) -> Any:
        self._add(key)
        if list_:
            list_[-1].last_modified = _now()
        return super().setlist(key, list_)

    def __setitem__(self, key: str, value: Any) -> Any:
        self._add(key)
        value.last_modified = _now()
        return super().__setitem__(key, value)

    def pop(self, key: str) -> None:  # type: ignore[override]
        with self._lock:
            super().pop(key)
            index = bisect_left(self._names, key)
            if index < len(self._names) and self._names[index] == key:
                del self._names[index]

    def after(self, name: str, prefix: str) -> Iterator[str]:
        """The names with a prefix after `name`, in order; others may be added meanwhile."""
        while True:
            with self._lock:
                start = max(bisect_right(self._names, name), bisect_left(self._names, prefix))
                page = self._names[start : start + 1000]
            for name in page:  # goes on after the last one given
                if not name.startswith(prefix):
                    return
                yield name
            if len(page) < 1000:
                return

    def folder_after(self, name: str) -> str:
        """A name that sorts after everything in the folder `name`, to go on listing from."""
        return name + _LAST

    def _add(self, key: str) -> None:
        with self._lock:
            if key not in self:
                insort(self._names, key)


def clock() -> float:
    """The time by which objects are dated, seconds since 1970."""
    return rules.current().clock() if rules.current().dates_objects else time.time()


def _now() -> datetime:
    """That time as moto keeps it: UTC without saying so."""
    return datetime.fromtimestamp(clock(), timezone.utc).replace(tzinfo=None)


class SimulatedS3(S3Backend):
    """moto's S3 with indexed buckets."""

    def create_bucket(self, *args: Any, **kwargs: Any) -> FakeBucket:
        bucket = super().create_bucket(*args, **kwargs)
        bucket.keys = IndexedKeyStore()
        return bucket

    def list_objects(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        marker: str | None,
        max_keys: int | None,
    ) -> tuple[Any, Any, bool, str | None]:
        after = self._pagination_tokens.get(marker or "", marker or "")
        found, truncated, token = self._page(bucket, prefix, delimiter, after, max_keys)
        keys = [item for item in found if isinstance(item, FakeKey)]
        folders = [item for item in found if isinstance(item, str)]
        return keys, folders, truncated, token

    def list_objects_v2(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        continuation_token: str | None,
        start_after: str | None,
        max_keys: int,
    ) -> tuple[Any, bool, str | None]:
        if continuation_token:
            after = self._pagination_tokens.get(continuation_token, continuation_token)
        else:
            after = start_after or ""
        return self._page(bucket, prefix, delimiter, after, max_keys)

    def _page(
        self,
        bucket: FakeBucket,
        prefix: str | None,
        delimiter: str | None,
        after: str,
        max_keys: int | None,
    ) -> tuple[list[FakeKey | str], bool, str | None]:
        """Up to `max_keys` objects and folders after a name, whether there are more, a token."""
        if max_keys == 0:
            return [], False, None
        found: list[FakeKey | str] = []
        for item in self._walk(bucket, prefix or "", delimiter or "", after):
            if max_keys is not None and len(found) == max_keys:
                last = found[-1]
                return found, True, self._token(last if isinstance(last, str) else last.name)
            found.append(item)
        return found, False, None

    def _token(self, name: str) -> str:
        token = f"after-{name.encode().hex()}"
        self._pagination_tokens[token] = name
        return token

    def _walk(
        self, bucket: FakeBucket, prefix: str, delimiter: str, after: str
    ) -> Iterator[FakeKey | str]:
        store = bucket.keys
        assert isinstance(store, IndexedKeyStore)
        if delimiter and after.startswith(prefix) and after.endswith(delimiter):
            after = store.folder_after(after)
        again = True
        while again:
            again = False
            for name in store.after(after, prefix):
                head, found, _ = (
                    name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
                )
                if found:
                    folder = f"{prefix}{head}{delimiter}"
                    yield folder
                    after, again = store.folder_after(folder), True
                    break
                key = store.get(name)
                if key is not None and not isinstance(key, FakeDeleteMarker):
                    yield key


def put_file(account: str, bucket: str, key: str, path: Path, etag: str = "") -> str:
    """Make a file of this computer an object, without a copy; returns its ETag."""
    content: Any = Piece.of_file(path)
    # Known before the object is there, or the first listing would read all files.
    etag = etag or etag_of(content)
    s3_backends[account]["aws"].put_object(bucket, key, content, etag=etag)
    return etag


def install() -> None:
    """Put the simulated S3 in the place of moto's, for backends made from now on."""
    s3_backends.backend = SimulatedS3
    stored_keys.install()
