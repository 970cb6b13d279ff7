"""Find which of many keys a bucket does not have, with as few listings as their order allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

OnPage = Callable[[Sequence[Any]], None]
"""Called with the entries of each listing."""

PAGE = 1000  # keys in one answer of ListObjectsV2
_ALONE = 4  # listings before the rest is shared out: keys that lie together need no more
_PARALLEL = 8
_PRINTABLE = range(0x22, 0x7F)  # characters that have a printable one before them


def find_absent(
    s3: S3Client, bucket: str, keys: Iterable[str], on_page: OnPage = lambda _: None
) -> list[str]:
    """The keys that are not there, in order; a key that ends in `/` stands for what is below it.

    A listing answers for every wanted key up to the last one that it shows. Keys that lie side by
    side cost one request for each thousand, keys that are far apart one request each.
    """
    wanted = sorted(set(keys))
    absent, rest = _walk(s3, bucket, on_page, wanted, most=_ALONE)
    if rest:
        size = -(-len(rest) // _PARALLEL)
        parts = [rest[place : place + size] for place in range(0, len(rest), size)]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            found = pool.map(partial(_walk_all, s3, bucket, on_page), parts)
            absent += chain.from_iterable(found)
    return absent


def _walk_all(s3: S3Client, bucket: str, on_page: OnPage, wanted: list[str]) -> list[str]:
    return _walk(s3, bucket, on_page, wanted)[0]


def _walk(
    s3: S3Client, bucket: str, on_page: OnPage, wanted: list[str], most: int | None = None
) -> tuple[list[str], list[str]]:
    """The absent ones of sorted keys after at most `most` listings, and those still undecided."""
    absent: list[str] = []
    place, listings, shown = 0, 0, ""
    while place < len(wanted) and (most is None or listings < most):
        start = max(shown, _before(wanted[place]))
        answer = s3.list_objects_v2(Bucket=bucket, StartAfter=start, MaxKeys=PAGE)
        on_page(answer.get("Contents", []))
        names = [item["Key"] for item in answer.get("Contents", [])]
        shown = names[-1] if names else start
        decided = wanted[place:]
        if answer.get("IsTruncated"):
            decided = list(takewhile(partial(_is_decided, shown), decided))
        absent += _not_among(decided, names)
        place += len(decided)
        listings += 1
    return absent, wanted[place:]


def _is_decided(shown: str, key: str) -> bool:
    """Whether a listing up to the key `shown` answers for a key."""
    return key < shown if key.endswith("/") else key <= shown


def _not_among(wanted: list[str], names: list[str]) -> Iterator[str]:
    """The wanted keys that are not among the names; both are sorted."""
    place = 0
    for key in wanted:
        while place < len(names) and names[place] < key:
            place += 1
        here = names[place : place + 2]  # a folder's own empty object may be the first
        if key.endswith("/"):
            if not any(name.startswith(key) and name != key for name in here):
                yield key
        elif key not in here[:1]:
            yield key


def _before(key: str) -> str:
    """A name shortly before a key, to list from: StartAfter leaves out the key that it names."""
    if not key or key.endswith("/"):
        return key
    last = ord(key[-1])
    return key[:-1] + (chr(last - 1) + "~~" if last in _PRINTABLE else "")
