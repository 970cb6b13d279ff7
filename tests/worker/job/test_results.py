"""Where results go, which of them, and how."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from distributed_something.protocol.done_when import DoneWhen
from distributed_something.protocol.upload_flags import UploadFlags
from worker.files.results import Destination, send_results
from worker.job.success import exit_sentence, what_is_missing, what_it_lacked

from ..world import World


def keep_on() -> None:
    """Nothing ends the upload."""


def test_flags_of_the_command_line_become_those_of_s3() -> None:
    flags = UploadFlags.read(
        "--recursive --acl bucket-owner-full-control --storage-class=STANDARD_IA --quiet "
        '--exclude "*" --include "*.csv" --exclude "tmp/*"'
    )
    assert flags.arguments == {"ACL": "bucket-owner-full-control", "StorageClass": "STANDARD_IA"}
    assert [flags.wants(name) for name in ("a.csv", "deep/b.csv", "tmp/c.csv", "d.tif")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["--delete", "--dryrun", "--acl", "--acl 'x", "--copy-props"])
def test_flags_without_a_meaning_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"--delete|--dryrun|--acl|--copy-props"):
        UploadFlags.read(text)


def test_flags_of_copies_from_s3_are_ignored_and_named() -> None:
    flags = UploadFlags.read(
        "--metadata-directive REPLACE --acl private --copy-props=none --force-glacier-transfer"
    )
    assert flags.arguments == {"ACL": "private"}
    assert flags.ignored == ("--metadata-directive", "--copy-props", "--force-glacier-transfer")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("--metadata a=1,b=x=y", {"Metadata": {"a": "1", "b": "x=y"}}),
        ('--metadata \'{"a": "1, 2"}\'', {"Metadata": {"a": "1, 2"}}),
        ("--sse", {"ServerSideEncryption": "AES256"}),
        ("--sse aws:kms", {"ServerSideEncryption": "aws:kms"}),
        ("--sse --acl private", {"ServerSideEncryption": "AES256", "ACL": "private"}),
        ("--request-payer --quiet", {"RequestPayer": "requester"}),
        ("--request-payer requester", {"RequestPayer": "requester"}),
        ("--website-redirect=/a", {"WebsiteRedirectLocation": "/a"}),
        ("--checksum-algorithm SHA256", {"ChecksumAlgorithm": "SHA256"}),
        (
            "--grants read=uri=http://a/b full=id=1 full=id=2 --quiet",
            {"GrantRead": "uri=http://a/b", "GrantFullControl": "id=1,id=2"},
        ),
    ],
)
def test_flags_mean_what_the_command_line_means(text: str, arguments: dict[str, object]) -> None:
    assert UploadFlags.read(text).arguments == arguments


@pytest.mark.parametrize(
    "text",
    [
        "--metadata a", "--metadata a=\u00e4", "--metadata 'a b=1'", "--metadata '{\"a\": 1}'",
        "--metadata '{a'", f"--metadata a={'x' * 2048}", "--sse kms", "--request-payer me",
        "--checksum-algorithm CRC32C", "--grants", "--grants write=id=1", "--grants read=x",
        "--acl private --grants read=id=1",
    ],
)  # fmt: skip
def test_values_that_s3_would_refuse_after_the_work_are_refused_before(text: str) -> None:
    with pytest.raises(ValueError, match=text.split()[0]):
        UploadFlags.read(text)


def test_a_jobs_grants_replace_the_configs_acl() -> None:
    config, own = UploadFlags.read("--acl private --sse"), UploadFlags.read("--grants read=id=1")
    assert config.then(own).arguments == {"ServerSideEncryption": "AES256", "GrantRead": "id=1"}
    assert own.then(config).arguments == config.arguments


def test_names_that_are_no_text_and_large_files_arrive(world: World, tmp_path: Path) -> None:
    (tmp_path / "caf\u00e9 1.txt").write_text("u")
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.txt")).write_text("l")
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(40 * 2**20)
    target = Destination(world.bucket, "out")
    sent = send_results(
        world.aws.s3, tmp_path, list(tmp_path.iterdir()), target, keep_on, UploadFlags()
    )
    assert (sent.files, sent.size) == (3, 40 * 2**20 + 2)
    assert sorted(world.object_keys("out/")) == [
        "out/caf\\xe9.txt",
        "out/caf\u00e9 1.txt",
        "out/large.bin",
    ]
    assert len(world.read("out/large.bin")) == 40 * 2**20


def test_upload_flags_reach_the_objects(world: World) -> None:
    command = [sys.executable, "-c", "open('output/a.csv', 'w'); open('output/b.tmp', 'w')"]
    world.send({"command": command, "group": {"plate": "P1"}})
    world.start_worker(upload_flags="--storage-class STANDARD_IA --exclude *.tmp")
    world.until_empty()
    world.stop()
    assert list(world.results()) == ["P1/a.csv"]
    found = world.aws.s3.list_objects_v2(Bucket=world.bucket, Prefix="results/")["Contents"]
    assert found[0]["StorageClass"] == "STANDARD_IA"


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        (DoneWhen(), None),
        (DoneWhen(min_files=3), None),
        (DoneWhen(min_files=4), "has 3 files"),
        (DoneWhen(min_files=3, min_file_bytes=5), "at least 5 bytes"),
        (DoneWhen(file="done.txt"), None),
        (DoneWhen(file="none.txt"), "no file 'none.txt'"),
        (DoneWhen(file="done.txt", first_line="Complete"), None),
        (DoneWhen(file="done.txt", first_line="Complet"), "first line"),
        (DoneWhen(glob=(("*.csv", 1),)), None),
        (DoneWhen(glob=(("**/*.csv", 2),)), "1 output files match"),
        (DoneWhen(json_file="a.json", json_path="plate.wells.1.name"), None),
        (DoneWhen(json_file="a.json", json_path="plate.rows"), "'rows' is missing"),
        (DoneWhen(json_file="none.json", json_path="plate"), "no file 'none.json'"),
        (DoneWhen(json_file="done.txt", json_path="plate"), "is not JSON"),
        (DoneWhen(min_files=3, file="done.txt", glob=(("*.tif", 1),)), "0 output files match"),
    ],
)
def test_every_condition_that_is_set_must_hold(
    tmp_path: Path, conditions: DoneWhen, reason: str | None
) -> None:
    (tmp_path / "done.txt").write_text("Complete\nat noon\n")
    (tmp_path / "cells.csv").write_text("a,b")
    (tmp_path / "a.json").write_text('{"plate": {"wells": [{}, {"name": "B"}]}}')
    found = what_is_missing(conditions, tmp_path, 0)
    assert found is None if reason is None else reason in str(found)


def test_a_file_that_is_not_kept_makes_no_job_done(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (tmp_path / "scratch.csv").write_text("Complete")
    (output / "cells.csv").symlink_to("../scratch.csv")  # its target goes with the job
    for conditions in (
        DoneWhen(min_files=1),
        DoneWhen(file="cells.csv", first_line="Complete"),
        DoneWhen(glob=(("*.csv", 1),)),
    ):
        assert what_is_missing(conditions, output, 0)
    (output / "whole.csv").write_text("Complete")
    (output / "cells.csv").unlink()
    (output / "cells.csv").symlink_to("whole.csv")
    assert what_is_missing(DoneWhen(min_files=2, file="cells.csv"), output, 0) is None


def test_exit_codes_are_told_in_words(tmp_path: Path) -> None:
    assert what_is_missing(DoneWhen(exit_code=(0, 3)), tmp_path, 3) is None
    assert what_is_missing(DoneWhen(exit_code=None), tmp_path, 99) is None
    assert exit_sentence(2) == "The command ended with exit code 2."
    assert "MEMORY" in exit_sentence(-9)
    assert "SIGSEGV" in exit_sentence(-11)
    for code in (-7, 135):
        assert "SIGBUS, most often because its shared memory" in exit_sentence(code)
        assert "SHARED_MEMORY_MB" in exit_sentence(code)


@pytest.mark.parametrize(
    ("last_lines", "constant"),
    [
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error.", "SHARED_MEM"),
        ("start run P1 (attempt 1): ['mpirun']\nsh: line 1: 7 Bus error", "SHARED_MEMORY_MB"),
        ("OSError: [Errno 28] No space left on device: '/dev/shm/pym-7'", "SHARED_MEMORY_MB"),
        ("OSError: [Errno 24] Too many open files: 'a.tif'", "ULIMITS"),
        ("start run P1 (attempt 1): ['echo', 'Bus error']\nno such plate", ""),
        ("no such plate", ""),
    ],
)
def test_what_a_tool_ran_out_of_is_read_in_its_last_lines(last_lines: str, constant: str) -> None:
    said = what_it_lacked("The command ended with exit code 1.", last_lines)
    assert constant in said
    assert bool(said) == bool(constant)
    assert what_it_lacked(exit_sentence(-7), "Bus error") == ""  # it is said already
