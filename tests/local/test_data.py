"""A folder becomes a bucket, and what is new in the bucket becomes files."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.aws.session import Aws
from distributed_something.errors import UsageError
from distributed_something.local.data import (
    download,
    find_new,
    remember,
    remove_last,
    snapshot,
    upload_data,
    upload_folder,
)

BUCKET = "lab-data"


@pytest.fixture
def bucket(aws: Aws) -> Aws:
    aws.s3.create_bucket(Bucket=BUCKET)
    return aws


def test_a_folders_files_become_objects_under_their_paths(bucket: Aws, tmp_path: Path) -> None:
    (tmp_path / "plate 1" / "site").mkdir(parents=True)
    (tmp_path / "plate 1" / "site" / "é.tif").write_bytes(b"x")
    (tmp_path / "top.csv").write_bytes(b"y")
    assert upload_folder(bucket.s3, BUCKET, tmp_path) == 2
    assert sorted(snapshot(bucket.s3, BUCKET)) == ["plate 1/site/é.tif", "top.csv"]


def test_one_folder_plays_all_buckets_but_those_that_have_one_of_their_own(
    bucket: Aws, tmp_path: Path
) -> None:
    for name in ("source", "workspace"):
        bucket.s3.create_bucket(Bucket=name)
    for folder in ("all", "own", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.tif").write_bytes(b"x")
    data = {
        "": tmp_path / "all",
        "workspace": tmp_path / "own",
        "of-a-job-file": tmp_path / "other",
    }
    said = list(upload_data(bucket, {BUCKET, "source", "workspace"}, data))
    there = {name: [*snapshot(bucket.s3, name)] for name in (BUCKET, "source", *data) if name}
    assert there == {
        BUCKET: ["all.tif"],
        "source": ["all.tif"],
        "workspace": ["own.tif"],
        "of-a-job-file": ["other.tif"],
    }
    assert said[0] == f"Of {tmp_path / 'all'}: 1 file in the buckets {BUCKET}, source."


def test_a_folder_that_is_not_there_is_a_usage_error(bucket: Aws, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none"):
        upload_folder(bucket.s3, BUCKET, tmp_path / "none")


def test_what_is_new_or_changed_is_downloaded_and_the_ledger_is_not(
    bucket: Aws, tmp_path: Path
) -> None:
    for key in ("same", "changed"):
        bucket.s3.put_object(Bucket=BUCKET, Key=key, Body=b"before")
    before = snapshot(bucket.s3, BUCKET)
    for key in ("changed", "results/a/1.csv", "runs/App/x/done/1", "monitors/App.json"):
        bucket.s3.put_object(Bucket=BUCKET, Key=key, Body=b"after")
    files = download(bucket.s3, BUCKET, find_new(bucket.s3, BUCKET, before), tmp_path)
    names = sorted(file.relative_to(tmp_path.resolve()).as_posix() for file in files)
    assert names == ["changed", "results/a/1.csv"]
    assert (tmp_path / "results/a/1.csv").read_bytes() == b"after"


def test_a_key_that_leads_out_of_the_folder_is_not_followed(bucket: Aws, tmp_path: Path) -> None:
    bucket.s3.put_object(Bucket=BUCKET, Key="a/../../escaped", Body=b"x")
    folder = tmp_path / "results"
    assert download(bucket.s3, BUCKET, find_new(bucket.s3, BUCKET, {}), folder) == []
    assert not (tmp_path / "escaped").exists()


def test_the_last_rehearsals_files_are_removed_and_a_persons_own_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    (folder / "plates").mkdir(parents=True)
    ours, own = folder / "plates" / "1.csv", folder / "notes.txt"
    ours.touch()
    own.touch()
    log = folder / "worker.log"
    log.touch()
    remember(folder, [ours])
    remember(folder, [log])  # a rehearsal without results, which left the last one's
    assert remove_last(folder) == 2
    assert list(folder.iterdir()) == [own]
