"""What a page of 1,000 keys costs to read, with our reading of listings and with botocore's own.

python -m tests.benchmarks.listing [--keys 1000] [--runs 9]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.utils import parse_timestamp

from distributed_something.protocol.sessions import read_quickly

_OBJECT = (
    "<Contents><Key>runs/Counting/20260102-030405-abcd/done/{:032x}</Key>"
    "<LastModified>2026-12-01T12:00:00.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
    "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    "<Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


@dataclass(frozen=True)
class Measured:
    """CPU seconds for a page, the least of several readings."""

    botocore: float
    ours: float

    @property
    def ratio(self) -> float:
        return self.ours / self.botocore


def page_of(keys: int) -> bytes:
    """The body of an answer of ListObjectsV2."""
    objects = "".join(_OBJECT.format(number) for number in range(keys))
    head = "<Name>lab-data</Name><IsTruncated>false</IsTruncated>"
    return f"<ListBucketResult>{head}{objects}</ListBucketResult>".encode()


def reader(quick: bool) -> Callable[[bytes], Any]:
    """What reads such a body, as a session's clients do."""
    session = botocore.session.Session()
    if quick:
        read_quickly(session, parse_timestamp)
    parser = session.get_component("response_parser_factory").create_parser("rest-xml")
    model = session.get_service_model("s3").operation_model("ListObjectsV2")
    return lambda body: parser.parse(
        {"body": body, "headers": {}, "status_code": 200}, model.output_shape
    )


def measure(keys: int, runs: int) -> Measured:
    """Read a page in turns with our reading and with botocore's."""
    body = page_of(keys)
    readers = [reader(False), reader(True)]
    checksums = {"ChecksumAlgorithm", "ChecksumType"}
    listed = [
        [{name: one[name] for name in one.keys() - checksums} for one in read(body)["Contents"]]
        for read in readers
    ]
    if listed[0] != listed[1]:
        raise SystemExit("The two readings differ.")
    best = [float("inf")] * 2
    for _ in range(runs):
        for number, read in enumerate(readers):
            began = time.process_time()
            read(body)
            best[number] = min(best[number], time.process_time() - began)
    return Measured(*best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    measured = measure(arguments.keys, arguments.runs)
    print(f"botocore {measured.botocore * 1000:.1f} ms, ours {measured.ours * 1000:.1f} ms")
    print(f"ratio {measured.ratio:.2f} (ours / botocore's, CPU time)")


if __name__ == "__main__":
    main()
