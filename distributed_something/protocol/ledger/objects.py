"""Read, write and list the objects of one bucket; ages are by the bucket's own clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from .unreadable import MOST_BYTES

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

PARALLEL_READS = 16
READ_AHEAD = 256  # objects fetched before the reader asks for them: bounds memory, not the ledger
# HeadObject has no body to name its error in; without s3:ListBucket an absent key is a 403.
_ABSENT = ("404", "NoSuchKey", "NotFound")
MOST_FETCHED = 32 << 20  # bytes of an object that is read whole: 100,000 machines have as many
_CONFLICTS = 5  # tries of a write that meets others; the first of those to arrive ends them


@dataclass(frozen=True)
class Item:
    """An object as a listing shows it: `written` in seconds since 1970, `age` in seconds."""

    key: str
    written: float
    age: float
    size: int  # bytes


@dataclass(frozen=True)
class Dated:
    """An object's body, and its age in seconds."""

    body: bytes
    age: float


class Objects:
    """The objects of one bucket."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def fetch(self, key: str, most: int = MOST_FETCHED) -> bytes | None:
        """An object's body, or what begins one above `most` bytes; None if there is none."""
        answer = self._get(key)
        return None if answer is None else _read(answer, most)

    def fetch_dated(self, key: str, most: int = MOST_FETCHED) -> Dated | None:
        """An object's body and its age; None if there is none."""
        answer = self._get(key)
        if answer is None:
            return None
        return Dated(_read(answer, most), _age(answer, answer["LastModified"]))

    def fetch_start(self, key: str, size: int) -> bytes:
        """The first `size` bytes of an object that is there."""
        part = f"bytes=0-{size - 1}"
        return self._s3.get_object(Bucket=self.bucket, Key=key, Range=part)["Body"].read()

    def fetch_all(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Keys and bodies, read side by side and in order; what went away is left out."""
        waiting = iter(keys)
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            while some := list(islice(waiting, READ_AHEAD)):
                bodies = pool.map(lambda key: self.fetch(key, MOST_BYTES), some)
                for key, body in zip(some, bodies, strict=True):
                    if body is not None:
                        yield key, body

    def open(self, key: str) -> Any:
        """An object's body as a file to read from."""
        return self._s3.get_object(Bucket=self.bucket, Key=key)["Body"]

    def _get(self, key: str) -> GetObjectOutputTypeDef | None:
        try:
            return self._s3.get_object(Bucket=self.bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return None

    def put(self, key: str, body: bytes | BinaryIO) -> None:
        """Write an object, in the place of one that is there."""
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def put_first(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one with this key; False if there is.

        S3 answers a write that meets another with a conflict, and asks to try it again.
        """
        for tries_left in reversed(range(_CONFLICTS)):
            try:
                self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
            except self._s3.exceptions.ClientError as error:
                code = error.response["Error"].get("Code")
                if code in ("PreconditionFailed", "412"):
                    return False
                if code != "ConditionalRequestConflict" or not tries_left:
                    raise
            else:
                return True
        raise AssertionError("the last try returns or raises")

    def exists(self, key: str) -> bool:
        """Whether there is an object with this key."""
        try:
            self._s3.head_object(Bucket=self.bucket, Key=key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"].get("Code") in _ABSENT:
                return False
            raise
        return True

    def delete(self, key: str) -> None:
        """Delete an object; one that does not exist is fine."""
        self._s3.delete_object(Bucket=self.bucket, Key=key)

    def delete_all(self, keys: Iterable[str]) -> None:
        """Delete objects one by one, side by side."""
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            for _ in pool.map(self.delete, keys):
                pass

    def pages(self, prefix: str, after: str = "") -> Iterator[list[Item]]:
        """What there is below a prefix, in order of the keys, a page of up to 1,000 at a time."""
        paginator = self._s3.get_paginator("list_objects_v2")
        begin: Any = {"StartAfter": after} if after else {}
        for page in paginator.paginate(Bucket=self.bucket, Prefix=prefix, **begin):
            yield _items(page)

    def first_page(self, prefix: str, most: int = 1000) -> tuple[list[Item], bool, float]:
        """The first objects below a prefix, whether there are more, and the bucket's time."""
        page = self._s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=most)
        return _items(page), bool(page.get("IsTruncated")), _answered(page).timestamp()

    def items(self, prefix: str) -> Iterator[Item]:
        """Everything below a prefix, in order of the keys."""
        for page in self.pages(prefix):
            yield from page

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below a prefix, in order."""
        return (item.key for item in self.items(prefix))

    def folders(self, prefix: str) -> list[str]:
        """The names of what stand as folders right below a prefix that ends with a slash."""
        paginator = self._s3.get_paginator("list_objects_v2")
        pages = paginator.paginate(Bucket=self.bucket, Prefix=prefix, Delimiter="/")
        found = [folder["Prefix"] for page in pages for folder in page.get("CommonPrefixes", [])]
        return [name.removeprefix(prefix).rstrip("/") for name in found]


def _items(page: Any) -> list[Item]:
    found = page.get("Contents")
    if not found:
        return []
    answered = _answered(page).timestamp()
    times = ((item, item["LastModified"].timestamp()) for item in found)
    return [Item(item["Key"], time, answered - time, item["Size"]) for item, time in times]


def _read(answer: Any, most: int) -> bytes:
    body: bytes = answer["Body"].read(most + 1)
    if len(body) > most:  # the start of something that is none of ours, which no reader takes
        answer["Body"].close()
    return body


def _age(answer: Any, written: datetime) -> float:
    return (_answered(answer) - written).total_seconds()


def _answered(answer: Any) -> datetime:
    """When the bucket answered, by its own clock: this computer's may be minutes off."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
