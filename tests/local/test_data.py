"""A folder becomes a bucket, and what is new in the bucket becomes files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.submitting.submit_job import make_maker
from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.local.data import (
    download,
    find_new,
    put_data,
    remember,
    remove_last,
    snapshot,
)
from distributed_something.local.named_inputs import NamedInputs, find_named_inputs
from distributed_something.local.simulator import Simulator
from tests.builders import settings, write_json

BUCKET = "lab-data"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def bucket(simulator: Simulator) -> Aws:
    aws = simulator.aws()
    aws.s3.create_bucket(Bucket=BUCKET)
    return aws


def test_a_folders_files_become_objects_under_their_paths(
    simulator: Simulator, bucket: Aws, tmp_path: Path
) -> None:
    (tmp_path / "plate 1" / "site").mkdir(parents=True)
    (tmp_path / "plate 1" / "site" / "é.tif").write_bytes(b"x")
    (tmp_path / "top.csv").write_bytes(b"y" * 100_000)
    (said,) = put_data(simulator, bucket, {BUCKET}, tmp_path)
    assert said == f"Data: 2 files of {tmp_path} (100.0 kB; all of it) in the bucket {BUCKET}."
    assert sorted(snapshot(bucket.s3, BUCKET)) == ["plate 1/site/é.tif", "top.csv"]
    got = bucket.s3.get_object(Bucket=BUCKET, Key="top.csv")
    assert got["Body"].read() == b"y" * 100_000
    assert got["ETag"] == f'"{hashlib.md5(b"y" * 100_000).hexdigest()}"'


def test_one_folder_plays_all_buckets_but_those_that_have_one_of_their_own(
    simulator: Simulator, bucket: Aws, tmp_path: Path
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
    said = list(put_data(simulator, bucket, {BUCKET, "source", "workspace"}, data))
    there = {name: [*snapshot(bucket.s3, name)] for name in (BUCKET, "source", *data) if name}
    assert there == {
        BUCKET: ["all.tif"],
        "source": ["all.tif"],
        "workspace": ["own.tif"],
        "of-a-job-file": ["other.tif"],
    }
    whole = f"Data: 1 file of {tmp_path / 'all'} (1 byte; all of it)"
    assert said[0] == f"{whole} in the buckets {BUCKET}, source."


def test_a_folder_that_is_not_there_is_a_usage_error(
    simulator: Simulator, bucket: Aws, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="none"):
        list(put_data(simulator, bucket, {BUCKET}, tmp_path / "none"))


def named_by(folder: Path, limit: int | None = None, **keys: object) -> NamedInputs | None:
    """What the jobs of a file with these keys name; `CONSTANTS` are changes of the config."""
    constants = {key: keys.pop(key) for key in list(keys) if key.isupper()}
    groups = [{"n": n} for n in range(1000)]
    content = {"command": "wc {input_dir}/{n}", "groups": groups, **keys}
    file = open_job_file(write_json(folder / "jobs.json", content), {})
    return find_named_inputs(settings(**constants), file, make_maker(file), limit)


def test_of_a_thousand_jobs_files_those_of_the_chosen_jobs_alone_are_put_there(
    simulator: Simulator, bucket: Aws, tmp_path: Path
) -> None:
    bucket.s3.create_bucket(Bucket="refs")
    data = tmp_path / "data"
    (data / "genome" / "v1").mkdir(parents=True)
    (data / "genome" / "v1" / "a.fa").write_bytes(b"ACGT")
    for n in range(1000):
        (data / f"{n}").write_bytes(b"x")
    inputs = ["{n}", "s3://refs/genome/"]
    told: list[tuple[int, int | None]] = []

    def put(limit: int | None) -> None:
        named = named_by(tmp_path, limit, inputs=inputs)
        assert named is not None
        own = {BUCKET, "refs"}
        list(put_data(simulator, bucket, own, data, named, lambda *step: told.append(step)))

    put(2)
    assert sorted(snapshot(bucket.s3, BUCKET)) == ["0", "1"]
    assert sorted(snapshot(bucket.s3, "refs")) == ["genome/v1/a.fa"]
    assert told[-1] == (6, 6)
    put(None)
    assert len(snapshot(bucket.s3, BUCKET)) == 1000


def test_what_the_config_has_jobs_read_is_put_there_too(tmp_path: Path) -> None:
    named = named_by(
        tmp_path,
        inputs=["{n}"],
        INSTALL_SCRIPT="setup/install.sh",
        REFERENCE="s3://refs/genome/v1.fa",
    )
    assert named is not None
    assert "setup/install.sh" in named.keys[BUCKET]
    assert named.keys["refs"] == {"genome/v1.fa"}


@pytest.mark.parametrize(
    "keys",
    [
        {"inputs": [{"csv": "a.csv"}]},
        {"inputs": ["{n}", {"list": "files.txt"}]},
        {},
        {"inputs": ["{n}"], "command": None},
        {"inputs": ["{n}"], "command": "aws s3 cp s3://refs/genome.fa {output_dir}"},
        {"inputs": ["{n}"], "CHECK_IF_DONE_BOOL": "True"},
        {"inputs": ["{n}"], "MOUNT_DRIVER": "mount-s3", "DOWNLOAD_FILES": "False"},
    ],
)
def test_where_a_run_alone_shows_what_jobs_read_all_is_put_there(
    tmp_path: Path, keys: dict[str, Any]
) -> None:
    assert named_by(tmp_path, **keys) is None


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
