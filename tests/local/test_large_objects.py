"""Objects of a rehearsal are on disk: large ones come and go in little memory, and whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig

from distributed_something.aws.session import Aws
from distributed_something.local.simulator import Simulator
from distributed_something.local.simulator.on_disk.pieces import SHELF
from tests.local.large_objects import BUCKET

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SIZE = 60_000_000
FILES = 3
PARTS = TransferConfig(multipart_chunksize=8 * 2**20, max_concurrency=2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[S3Client, Callable[[str], float]]]:
    """A client of a simulator in a process of its own, and what asks it for its memory."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(FILES):
        (files / f"{number}").write_bytes(os.urandom(SIZE))
    command = [sys.executable, "-m", "tests.local.large_objects", str(files)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        stdin, stdout = process.stdin, process.stdout
        keys = json.loads(stdout.readline())

        def ask(word: str) -> float:
            stdin.write(f"{word}\n")
            stdin.flush()
            return float(stdout.readline())

        yield (
            boto3.client(
                "s3",
                endpoint_url=keys["AWS_ENDPOINT_URL"],
                aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
                region_name="us-east-1",
            ),
            ask,
        )
        stdin.close()


@pytest.mark.slow
def test_three_files_of_60_mb_pass_through_a_server_that_holds_none_of_them(
    server: tuple[S3Client, Callable[[str], float]], tmp_path: Path
) -> None:
    s3, memory = server
    before = memory("how much")
    memory("put")
    for number in range(FILES):
        got = tmp_path / f"got{number}"
        s3.download_file(BUCKET, f"{number}", str(got), Config=PARTS)
        s3.upload_file(str(got), BUCKET, f"results/{number}", Config=PARTS)
        whole = s3.get_object(Bucket=BUCKET, Key=f"results/{number}")["Body"].read()
        assert whole == (tmp_path / "files" / f"{number}").read_bytes()
    assert memory("how much") - before < SIZE / 2**20


@pytest.fixture
def bucket() -> Iterator[Aws]:
    with Simulator() as simulator:
        aws = simulator.aws()
        aws.s3.create_bucket(Bucket=BUCKET)
        yield aws


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_an_upload_in_parts_is_whole_and_has_its_parts_and_its_checksum(
    bucket: Aws, kind: Any
) -> None:
    s3, parts = bucket.s3, [os.urandom(5 * 2**20), os.urandom(100_000)]
    request: dict[str, Any] = {"Bucket": BUCKET, "Key": "results/a.bin"}
    started = s3.create_multipart_upload(**request, ChecksumAlgorithm="CRC32", ChecksumType=kind)
    upload = {**request, "UploadId": started["UploadId"]}
    sent: Any = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, start=1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
    got = s3.get_object(**request, ChecksumMode="ENABLED")
    assert got["ChecksumType"] == kind
    assert got["Body"].read() == b"".join(parts)  # boto3 compares it with the checksum
    second = s3.get_object(**request, Range=f"bytes={len(parts[0])}-")["Body"].read()
    assert second == parts[1]
    head = s3.head_object(**request, PartNumber=1)
    assert (head["PartsCount"], head["ContentLength"]) == (2, len(parts[0]))


def test_what_is_overwritten_or_deleted_leaves_the_disk_and_a_linked_file_does_not(
    tmp_path: Path,
) -> None:
    linked = tmp_path / "linked"
    linked.write_bytes(b"z" * 50_000)
    with Simulator() as simulator:
        s3 = simulator.aws().s3
        s3.create_bucket(Bucket=BUCKET)
        simulator.put_file(BUCKET, "linked", linked)
        for content in (b"a" * 50_000, b"b" * 50_000):
            s3.put_object(Bucket=BUCKET, Key="own", Body=content)
        (own,) = SHELF.files()
        assert own.read_bytes() == b"b" * 50_000
        for key in ("own", "linked"):
            s3.delete_object(Bucket=BUCKET, Key=key)
        assert SHELF.files() == []
        s3.put_object(Bucket=BUCKET, Key="own", Body=b"c" * 50_000)
        (last,) = SHELF.files()
    assert not last.parent.exists()
    assert linked.read_bytes() == b"z" * 50_000
