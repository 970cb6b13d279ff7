"""`download`: what the done markers say, each file once, and nothing fetched that is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.reading.download import Downloaded, download
from distributed_something.errors import DistributedSomethingError
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.record import RunRecord, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.run.places import local_paths
from tests.account import open_account, variables
from tests.builders import settings, write_config
from tests.lives import watch_calls

RECORD = RunRecord("Counting", "counting", "CountingQueue", "lab-data", "Counting", run_id="r1")


@pytest.fixture
def aws() -> Iterator[Aws]:
    with open_account() as aws:
        save_record(aws.s3, RECORD, None)
        yield aws


def put_done(aws: Aws, job_id: str, output: str, **files: bytes) -> None:
    """A job's results, a file for each word, and its done marker."""
    bucket, _, prefix = output.removeprefix("s3://").partition("/")
    for name, body in files.items():
        aws.s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}.csv", Body=body)
    attempt = Attempt(job_id, job_id, "1", 1, "done", "i-0", "slot", 0.0, output=output)
    ledger = RunLedger.of(aws.s3, RECORD)
    ledger.write_attempt(attempt)
    ledger.mark_done(attempt)


def bring(aws: Aws, folder: Path, only: str | None = None) -> Downloaded:
    return download(aws, settings(), folder, only=only)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_results_of_done_jobs_come_as_they_lie_in_the_bucket(aws: Aws, tmp_path: Path) -> None:
    put_done(aws, "a1", "s3://lab-data/results/Counting/P1", cells=b"1", nuclei=b"")
    put_done(aws, "b2", "s3://lab-data/results/Counting/P1/deeper", cells=b"22")
    aws.s3.put_object(Bucket="lab-data", Key="results/Counting/P10/cells.csv", Body=b"not done")
    aws.s3.put_object(Bucket="lab-data", Key="results/Counting/P1/empty/", Body=b"")
    brought = bring(aws, tmp_path)
    assert (brought.jobs, brought.files, brought.size) == (2, 3, 3)
    assert tree(tmp_path) == {
        "results/Counting/P1/cells.csv": b"1",
        "results/Counting/P1/nuclei.csv": b"",
        "results/Counting/P1/deeper/cells.csv": b"22",
    }


def test_a_pattern_chooses_by_name_or_by_key(aws: Aws, tmp_path: Path) -> None:
    put_done(aws, "a1", "s3://lab-data/r/P1", cells=b"1", nuclei=b"2")
    put_done(aws, "b2", "s3://lab-data/r/P2", cells=b"3")
    assert bring(aws, tmp_path / "names", "cells*").files == 2
    assert sorted(tree(tmp_path / "names")) == ["r/P1/cells.csv", "r/P2/cells.csv"]
    assert bring(aws, tmp_path / "keys", "r/P1/*").files == 2
    assert sorted(tree(tmp_path / "keys")) == ["r/P1/cells.csv", "r/P1/nuclei.csv"]


def test_what_is_whole_stays_and_what_is_not_comes_again(aws: Aws, tmp_path: Path) -> None:
    put_done(aws, "a1", "s3://lab-data/r", a=b"aaaa", b=b"bbbb", c=b"cccc", d=b"dddd")
    bring(aws, tmp_path)
    (tmp_path / "r/a.csv").write_bytes(b"aa")  # cut off
    (tmp_path / "r/b.csv").write_bytes(b"xxxx")  # of the same size
    os.utime(tmp_path / "r/c.csv", (1, 1))  # copied by another program
    with watch_calls(aws) as calls:
        brought = bring(aws, tmp_path)
    assert (brought.files, brought.whole) == (2, 2)
    assert tree(tmp_path) == {f"r/{one}.csv": one.encode() * 4 for one in "abcd"}
    # Besides the two files: the record and the done marker.
    assert calls.count("GetObject") == 4


def test_an_upload_in_parts_is_known_by_its_etag(aws: Aws, tmp_path: Path) -> None:
    body = os.urandom(5 << 20) + b"the end"
    put_done(aws, "a1", "s3://lab-data/r")
    upload = aws.s3.create_multipart_upload(Bucket="lab-data", Key="r/x.bin")["UploadId"]
    place: dict[str, Any] = {"Bucket": "lab-data", "Key": "r/x.bin", "UploadId": upload}
    parts = [
        {"PartNumber": n, "ETag": aws.s3.upload_part(**place, PartNumber=n, Body=some)["ETag"]}
        for n, some in ((1, body[: 5 << 20]), (2, body[5 << 20 :]))
    ]
    place["MultipartUpload"] = {"Parts": parts}
    aws.s3.complete_multipart_upload(**place)
    (tmp_path / "r").mkdir()
    (tmp_path / "r/x.bin").write_bytes(body)
    assert bring(aws, tmp_path).whole == 1
    (tmp_path / "r/x.bin").write_bytes(body[:-1] + b"?")
    assert bring(aws, tmp_path).files == 1
    assert tree(tmp_path) == {"r/x.bin": body}


def test_a_file_that_broke_off_goes_on_from_there(aws: Aws, tmp_path: Path) -> None:
    put_done(aws, "a1", "s3://lab-data/r", a=b"0123456789")
    bring(aws, tmp_path)
    whole = tmp_path / "r/a.csv"
    part = part_of(aws, tmp_path)
    whole.unlink()
    part.write_bytes(b"0123")
    ranges: list[str] = []

    def note(params: dict[str, dict[str, str]], **_: object) -> None:
        if "Range" in params["headers"]:
            ranges.append(params["headers"]["Range"])

    aws.s3.meta.events.register("before-call.s3.GetObject", note)
    bring(aws, tmp_path)
    assert ranges == ["bytes=4-"]
    assert tree(tmp_path) == {"r/a.csv": b"0123456789"}


def part_of(aws: Aws, folder: Path) -> Path:
    """Where the only file of a download is while it comes: what is left when its place is taken."""
    whole = folder / "r/a.csv"
    whole.unlink()
    whole.mkdir()
    with pytest.raises(DistributedSomethingError, match="1 of 1 file could not be downloaded"):
        bring(aws, folder)
    whole.rmdir()
    whole.touch()
    (part,) = folder.glob("r/.*.part")
    return part


def test_no_two_objects_share_a_file_and_none_leads_out_of_the_folder() -> None:
    keys = ["r/A.csv", "r/a.csv", "r/b", "r/b/c", "r/../../d", "r//e", "r/e", "r/" + "x" * 400]
    objects = [("lab", key) for key in keys] + [("other", "r/A.csv")]
    paths = local_paths(objects, "lab")
    assert len({path.casefold() for path in paths}) == len(objects)
    assert not any(path.startswith("/") or ".." in path.split("/") for path in paths)
    folders = {str(parent) for path in paths for parent in Path(path.casefold()).parents}
    assert not folders & {path.casefold() for path in paths}
    assert all(len(part) < 256 for path in paths for part in path.split("/"))
    assert (paths[0], paths[3], paths[6]) == ("r/A.csv", "r/b/c", "r/e")
    assert paths[-1] == "other-buckets/other/r/A.csv"


def test_files_that_only_differ_in_case_both_come(aws: Aws, tmp_path: Path) -> None:
    put_done(aws, "a1", "s3://lab-data/r", a=b"small", A=b"large")
    assert bring(aws, tmp_path).renamed == 1
    assert sorted(tree(tmp_path).values()) == [b"large", b"small"]
    assert bring(aws, tmp_path).whole == 2


def test_the_verb_prints_the_folder_alone_where_nobody_watches(aws: Aws, tmp_path: Path) -> None:
    put_done(aws, "a1", "s3://lab-data/r", a=b"1234")
    config = str(write_config(tmp_path))
    run = Path(__file__).resolve().parents[3] / "run.py"
    done = subprocess.run(
        [sys.executable, str(run), "--config", config, "download", "--only", "*.csv"],
        cwd=tmp_path,
        env={**os.environ, **variables(aws)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "downloads\n"), done.stderr
    told, then = done.stderr.splitlines()
    assert told == "Downloaded 1 file, 4 bytes, of 1 job of run r1; 0 are already up to date."
    assert then == f"Next: python run.py --config {config} report"
    assert tree(tmp_path / "downloads") == {"r/a.csv": b"1234"}
