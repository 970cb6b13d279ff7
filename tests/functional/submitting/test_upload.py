"""`upload`: a folder's files under their paths, and only those that the bucket lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.aws.session import Aws
from distributed_something.aws.uploads import PART, etag_of_file
from distributed_something.commands.submitting.upload import plan_upload, upload
from distributed_something.errors import NotFound, UsageError
from tests.account import open_account, variables
from tests.builders import settings, write_config
from tests.golden import CLONE, check_golden, screen


@pytest.fixture
def aws() -> Iterator[Aws]:
    with open_account() as aws:
        yield aws


def keys(aws: Aws) -> list[str]:
    found = aws.s3.list_objects_v2(Bucket="lab-data").get("Contents", [])
    return [item["Key"] for item in found]


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_files_come_under_their_paths_and_the_second_time_none_does(
    aws: Aws, tmp_path: Path
) -> None:
    write(tmp_path, "P1/A 1.tif", "P1/é.tif", "top.csv", ".DS_Store", ".git/config")
    told: list[tuple[int, int | None]] = []
    plan = plan_upload(aws, settings(), tmp_path)
    assert (plan.there, plan.hidden) == (0, 2)
    assert keys(aws) == []  # a plan changes nothing
    upload(aws, plan, lambda *step: told.append(step))
    assert keys(aws) == ["P1/A 1.tif", "P1/é.tif", "top.csv"]
    assert told[-1] == (plan.size, plan.size)
    again = plan_upload(aws, settings(), tmp_path)
    assert (again.missing, again.there) == ((), 3)


def test_what_changed_here_is_uploaded_again_and_what_was_only_touched_is_not(
    aws: Aws, tmp_path: Path
) -> None:
    write(tmp_path, "changed.txt", "touched.txt")
    (tmp_path / "large.bin").write_bytes(b"x" * (PART + 5))
    upload(aws, plan_upload(aws, settings(), tmp_path))
    (tmp_path / "changed.txt").write_text("CHANGED.txt")
    for path in tmp_path.iterdir():
        os.utime(path, (4_000_000_000, 4_000_000_000))
    plan = plan_upload(aws, settings(), tmp_path)
    assert [key for _, key, _ in plan.missing] == ["changed.txt"]


def test_the_etag_of_a_file_is_what_s3_gives_it(aws: Aws, tmp_path: Path) -> None:
    for size in (0, 1, PART - 1, PART, PART + 1, 2 * PART):
        path = tmp_path / str(size)
        path.write_bytes(b"y" * size)
    upload(aws, plan_upload(aws, settings(), tmp_path))
    for path in tmp_path.iterdir():
        etag = aws.s3.head_object(Bucket="lab-data", Key=path.name)["ETag"]
        assert etag_of_file(path) == etag.strip('"'), path.name


def test_a_folder_of_the_bucket_another_bucket_and_some_files_can_be_chosen(
    aws: Aws, tmp_path: Path
) -> None:
    aws.s3.create_bucket(Bucket="pictures")
    write(tmp_path, "a.tif", "b.csv", "deep/c.tif")
    plan = plan_upload(aws, settings(SOURCE_BUCKET="pictures"), tmp_path, to="x/y", only="*.tif")
    assert plan.bucket == "pictures"
    assert [key for _, key, _ in plan.missing] == ["x/y/a.tif", "x/y/deep/c.tif"]
    assert plan_upload(aws, settings(), tmp_path, bucket="pictures").bucket == "pictures"
    with pytest.raises(NotFound, match="--bucket"):
        plan_upload(aws, settings(), tmp_path, bucket="not-there")


def test_links_that_lead_out_are_left_out(aws: Aws, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(tmp_path, "secret.txt", "data/a.tif")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "alias.tif").symlink_to(folder / "a.tif")
    plan = plan_upload(aws, settings(), folder)
    assert [key for _, key, _ in plan.missing] == ["a.tif", "alias.tif"]
    assert plan.outside == 1


@pytest.mark.parametrize("folder", [CLONE, CLONE.parent, Path.home(), Path("/"), Path("none")])
def test_folders_that_cannot_be_meant_are_refused(aws: Aws, folder: Path) -> None:
    with pytest.raises(UsageError):
        plan_upload(aws, settings(), folder)


@pytest.mark.parametrize(("name", "to"), [("runs/a.txt", ""), ("a", "runs/x"), ("a", "x/../y")])
def test_nothing_goes_where_runs_are_recorded(aws: Aws, tmp_path: Path, name: str, to: str) -> None:
    write(tmp_path, name)
    with pytest.raises(UsageError):
        plan_upload(aws, settings(), tmp_path, to=to)


def test_the_screen_of_a_dry_run_and_of_an_upload(aws: Aws, tmp_path: Path) -> None:
    write_config(tmp_path)
    write(tmp_path, "data/P1/A01.tif", "data/.hidden")
    code, _, dry = screen(["upload", "data", "--dry-run"], tmp_path, variables(aws))
    assert (code, keys(aws)) == (0, [])
    code, out, wet = screen(["upload", "data"], tmp_path, variables(aws))
    assert (code, out, keys(aws)) == (0, "", ["P1/A01.tif"])
    check_golden("upload", dry + wet)
