"""Download a large object in parts, many at a time; what is there already is not fetched again.

Beside the file a journal names each part that is whole, so that another attempt, or another worker
of the machine, goes on where one was ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .digests import Digest
from .reading import Damaged, blocks, is_md5
from .transfers import PART, PARTS_AT_ONCE, Crew

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_LARGEST_PART = 64 * 2**20


@dataclass(frozen=True)
class Plan:
    """One version of an object, and the parts it is fetched in."""

    bucket: str
    key: str
    etag: str
    size: int  # bytes
    part: int  # bytes in each but the last
    has_md5s: bool  # the ETag is of the MD5 digests of just these parts

    @property
    def count(self) -> int:
        return -(-self.size // self.part)

    def range(self, number: int) -> tuple[int, int]:
        """The first byte of a part, and the first after it."""
        return number * self.part, min(self.size, (number + 1) * self.part)


def make_plan(s3: S3Client, bucket: str, key: str, etag: str) -> Plan:
    """How to fetch an object of this ETag: in the parts of its upload, if they are small enough."""
    head: Any = s3.head_object(Bucket=bucket, Key=key, IfMatch=etag)
    size = head["ContentLength"]
    digest, _, count = etag.strip('"').partition("-")
    if count.isdigit() and is_md5(digest, head, bucket):
        first = s3.head_object(Bucket=bucket, Key=key, PartNumber=1)
        part = first["ContentLength"]
        if 0 < part <= _LARGEST_PART and -(-size // part) == int(count):
            return Plan(bucket, key, etag, size, part, has_md5s=True)
    return Plan(bucket, key, etag, size, PART, has_md5s=False)


def download_parts(s3: S3Client, plan: Plan, path: Path, crew: Crew) -> Digest:
    """Fetch what is missing of an object to a file, and see that all of it is right.

    Raises Damaged if it is not; then nothing is left to go on from.
    """
    journal = path.with_name(f"{path.name}.journal")
    done = _read_journal(journal, plan) if path.exists() else {}
    if not done:
        journal.write_text(_heading(plan))
        path.write_bytes(b"")
    with path.open("r+b") as file, journal.open("a") as log:
        file.truncate(plan.size)
        lock = threading.Lock()

        def fetch(number: int) -> None:
            digest = _fetch_part(s3, plan, number, file.fileno(), crew)
            with lock:
                done[number] = digest
                log.write(f"{number} {digest}\n")
                log.flush()

        missing = [number for number in range(plan.count) if number not in done]
        _each(missing, fetch, crew)
    journal.unlink()
    digest = Digest.of([done[number] for number in range(plan.count)], plan.part)
    if plan.has_md5s and digest.text != plan.etag.strip('"'):
        path.unlink()
        raise Damaged(
            f"s3://{plan.bucket}/{plan.key} arrived damaged: {digest.text} is not its ETag."
        )
    return digest


def _each(numbers: list[int], fetch: Any, crew: Crew) -> None:
    with ThreadPoolExecutor(PARTS_AT_ONCE, "part") as pool:
        futures = [pool.submit(fetch, number) for number in numbers]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    crew.check()


def _fetch_part(s3: S3Client, plan: Plan, number: int, file: int, crew: Crew) -> str:
    """Write one part into its place; its MD5 digest."""
    place, end = plan.range(number)
    digest = hashlib.md5(usedforsecurity=False)
    for block in blocks(s3, plan.bucket, plan.key, plan.etag, place, end, crew):
        digest.update(block)
        os.pwrite(file, block, place)
        place += len(block)
    return digest.hexdigest()


def _heading(plan: Plan) -> str:
    return json.dumps([plan.etag, plan.size, plan.part, plan.has_md5s]) + "\n"


def _read_journal(journal: Path, plan: Plan) -> dict[int, str]:
    """The parts that are whole, with their digests; none if they are of another version."""
    with suppress(OSError, ValueError):
        heading, *lines = journal.read_text().splitlines(keepends=True)
        if heading == _heading(plan):
            return dict(_whole_lines(lines))
    return {}


def _whole_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    for line in lines:
        if line.endswith("\n"):  # the last one may have been cut off
            number, digest = line.split()
            yield int(number), digest
