"""`check` names every input of any family's job file that is missing, unreadable or mismatched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.readability import why_refused
from distributed_something.aws.session import Aws
from distributed_something.commands.check import Finding, State, check
from distributed_something.local.simulator import Simulator
from tests.account import new_account
from tests.builders import settings, write_json

CELLPROFILER: dict[str, Any] = {
    "pipeline": "ws/a.cppipe",
    "data_file": "ws/load.csv",
    "input": "ws/",
    "output": "out",
    "groups": [
        {"Metadata": "Metadata_Plate=P1,Metadata_Well=A01"},
        {"Metadata": "Metadata_Plate=P1,Metadata_Well=A02"},
    ],
}
TABLE = (
    "Metadata_Plate,Metadata_Well,PathName_DNA,FileName_DNA\n"
    "P1,A01,/home/ubuntu/bucket/raw/P1,a.tif\n"
    "P1,A02,/home/ubuntu/bucket/raw/P1,b.tif\n"
)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def account(simulator: Simulator) -> Aws:
    return new_account(simulator)


def put(aws: Aws, *keys: str, bucket: str = "lab-data", text: str = "x", **more: Any) -> None:
    for key in keys:
        aws.s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), **more)


def found(aws: Aws, folder: Path, content: dict[str, Any], **constants: Any) -> list[Finding]:
    """What `check` says of a job file and its inputs."""
    checkup = check(aws, settings(**constants), write_json(folder / "job.json", content))
    of_jobs = ("job file", "inputs", "tables", "files of tables")
    return [one for one in checkup.findings if one.subject in of_jobs or "other" in one.subject]


def missing(aws: Aws, folder: Path, content: dict[str, Any], **constants: Any) -> str:
    lines = found(aws, folder, content, **constants)
    return "\n".join(f"{one.text} → {one.fix}" for one in lines if one.state is State.MISSING)


def test_a_cellprofiler_file_whose_pipeline_and_table_are_absent_is_not_fine(
    account: Aws, tmp_path: Path
) -> None:
    told = missing(account, tmp_path, CELLPROFILER)
    assert "s3://lab-data/ws/a.cppipe" in told and "s3://lab-data/ws/load.csv" in told
    account.s3.create_bucket(Bucket="other-work")
    told = missing(account, tmp_path, CELLPROFILER, WORKSPACE_BUCKET="other-work")
    assert "s3://other-work/ws/a.cppipe" in told and "s3://other-work/ws/load.csv" in told


def test_a_table_is_read_and_its_columns_rows_and_images_are_looked_for(
    account: Aws, tmp_path: Path
) -> None:
    put(account, "ws/a.cppipe", "raw/P1/a.tif", "raw/P1/b.tif")
    put(account, "ws/load.csv", text=TABLE)
    lines = found(account, tmp_path, CELLPROFILER)
    assert {one.state for one in lines} == {State.OK}
    assert "2 files named by 1 list or table: all are there" in lines[-1].text
    account.s3.delete_object(Bucket="lab-data", Key="raw/P1/b.tif")
    told = missing(account, tmp_path, CELLPROFILER)
    assert "nothing at s3://lab-data/raw/P1/b.tif (1 of 2 files" in told
    groups = [{"Metadata": f"Metadata_Plate=P1,Metadata_Well=B{n:02}"} for n in range(1, 9)]
    told = missing(account, tmp_path, {**CELLPROFILER, "groups": groups})
    assert "no row with Metadata_Plate = 'P1' and Metadata_Well = 'B01'; " in told
    assert "and 4 more jobs" in told
    for header, word in (("Plate,Well", "no column 'Metadata_Plate'"), ("x,y", "no column")):
        put(account, "ws/load.csv", text=TABLE.replace("Metadata_Plate,Metadata_Well", header))
        assert word in missing(account, tmp_path, CELLPROFILER)


@pytest.mark.parametrize(
    ("data_file", "text", "word"),
    [
        ("ws/load.csv", TABLE.replace("/home/ubuntu/bucket", "D:\\screens"), "in no bucket: say"),
        ("ws/load.csv", "", "is empty"),
        ("ws/list.txt", "raw/P1/a.tif\nraw/P1/none.tif\n", "s3://lab-data/raw/P1/none.tif"),
        ("ws/list.txt", "\n", "names no file"),
        ("ws/batch.h5", None, "s3://lab-data/ws/batch.h5"),
    ],
)
def test_a_data_file_of_each_kind_is_looked_into(
    account: Aws, tmp_path: Path, data_file: str, text: str | None, word: str
) -> None:
    put(account, "ws/a.cppipe", "raw/P1/a.tif")
    if text is not None:
        put(account, data_file, text=text)
    assert word in missing(account, tmp_path, {**CELLPROFILER, "data_file": data_file})


def test_lists_and_tables_of_inputs_are_read_too(account: Aws, tmp_path: Path) -> None:
    put(account, "t/P1.csv", text=TABLE.replace("Metadata_Plate", "Metadata_plate"))
    put(account, "t/P1.txt", text="raw/P1/c.tif\n")
    sources = [
        {"csv": "t/{plate}.csv"},
        {"list": "t/{plate}.txt"},
        {"csv": "t/P1.csv", "where": {"Metadata_Well": "A0{n}"}},
    ]
    content = {"command": "x {plate}", "inputs": sources, "groups": [{"plate": "P1"}], "n": 1}
    told = missing(account, tmp_path, content)
    assert "s3://lab-data/raw/P1/a.tif, s3://lab-data/raw/P1/b.tif" in told
    assert "raw/P1/c.tif (3 of 3 files named by 2 lists or tables)" in told
    content["groups"] = [{"plate": "P1"}, {"plate": "P2"}, {"plate": "P1", "n": 9}]
    told = missing(account, tmp_path, content)
    assert "nothing at s3://lab-data/t/P2.csv, s3://lab-data/t/P2.txt" in told
    assert "s3://lab-data/t/P1.csv has no column 'n'" in told
    assert "no row with Metadata_Well = 'A09'" in told


def test_the_file_that_a_converter_opens_is_looked_for_in_each_plate(
    account: Aws, tmp_path: Path
) -> None:
    content = {
        "input_bucket": "lab-data", "input_location": "plates", "path_to_metadata": "Index.xml",
        "output_bucket": "other-out", "output_location": "zarr", "plates": ["P1", "P2"],
    }  # fmt: skip
    put(account, "plates/P1/Index.xml", "plates/P2/Images/a.tif")
    for defaults in ({}, {"command": "convert {plate}"}):
        told = missing(account, tmp_path, content, JOB_DEFAULTS=defaults)
        assert "nothing at s3://lab-data/plates/P2/Index.xml (1 of 4 inputs of 2 jobs)" in told
        assert "No bucket named other-out" in told


def test_a_command_of_its_own_may_not_need_the_familys_files_so_that_is_a_warning(
    account: Aws, tmp_path: Path
) -> None:
    lines = found(account, tmp_path, {**CELLPROFILER, "command": "mytool {pipeline}"})
    (told,) = (one for one in lines if one.state is State.WARNING)
    assert "ws/a.cppipe" in told.text and "unless the command does not read them" in told.fix


def test_buckets_that_only_jobs_name_are_looked_for(account: Aws, tmp_path: Path) -> None:
    content = {
        "command": "x", "inputs": ["s3://other-in/{n}.tif"], "output": "s3://other-out/{n}",
        "groups": [{"n": 1}],
    }  # fmt: skip
    told = missing(account, tmp_path, content)
    assert "No bucket named other-in" in told and "No bucket named other-out" in told
    for bucket in ("other-in", "other-out"):
        account.s3.create_bucket(Bucket=bucket)
    assert "nothing at s3://other-in/1.tif" in missing(account, tmp_path, content)


def test_a_bucket_of_others_that_only_jobs_name_may_want_its_readers_to_pay(
    account: Aws, tmp_path: Path
) -> None:
    def refuse(params: dict[str, Any], **_: Any) -> None:
        if params["Bucket"] == "other-in":
            error: Any = {"Code": "403", "Message": "Forbidden"}
            raise ClientError({"Error": error}, "HeadBucket")

    account.s3.meta.events.register("provide-client-params.s3.HeadBucket", refuse)
    content = {"command": "x", "inputs": ["s3://other-in/{n}.tif"], "groups": [{"n": 1}]}
    for pays in ("True", "False"):
        told = found(account, tmp_path, content, REQUESTER_PAYS=pays)
        (line,) = (one for one in told if one.subject == "bucket other-in")
        assert "ask its owner for access" in line.fix
        assert ("set REQUESTER_PAYS = 'True'" in line.fix) is (pays == "False")


@pytest.mark.parametrize("named", ["images/{n}.tif", "images/", "table"])
def test_archived_inputs_are_named_with_their_class_until_they_are_restored(
    account: Aws, tmp_path: Path, named: str
) -> None:
    put(account, "images/1.tif")
    put(account, "images/2.tif", StorageClass="GLACIER")
    put(account, "images/3.tif", StorageClass="DEEP_ARCHIVE")
    put(account, "images/4.tif", StorageClass="STANDARD_IA")
    source: object = named
    if named == "table":
        put(account, "t.txt", text="".join(f"images/{n}.tif\n" for n in range(1, 5)))
        source = {"list": "t.txt"}
    groups = [{"n": n} for n in range(1, 5)]
    content = {"command": "x", "inputs": [source], "groups": groups}
    told = missing(account, tmp_path, content)
    assert "s3://lab-data/images/2.tif is archived in GLACIER, and not restored" in told
    assert "s3://lab-data/images/3.tif is archived in DEEP_ARCHIVE" in told
    assert "restore them first" in told and "4.tif" not in told
    for key in ("images/2.tif", "images/3.tif"):
        account.s3.restore_object(Bucket="lab-data", Key=key, RestoreRequest={"Days": 2})
    assert missing(account, tmp_path, content) == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            {"Code": "InvalidObjectState", "AccessTier": "ARCHIVE_ACCESS"},
            "is archived in ARCHIVE_ACCESS",
        ),
        (
            {"Code": "AccessDenied", "Message": "not authorized to perform: kms:Decrypt"},
            "is encrypted with a KMS key that may not be used",
        ),
        ({"Code": "KMS.DisabledException", "Message": "k is disabled."}, "is encrypted with a"),
        ({"Code": "AccessDenied", "Message": "Access Denied"}, "may not be read with these cred"),
        ({"Code": "InvalidRange"}, ""),
    ],
)
def test_what_s3_refuses_is_told_by_its_reason(
    account: Aws, tmp_path: Path, error: dict[str, str], words: str
) -> None:
    put(account, "a.tif", StorageClass="INTELLIGENT_TIERING")

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if params.get("Range"):
            raise ClientError({"Error": error}, "GetObject")  # type: ignore[typeddict-item]

    account.s3.meta.events.register("provide-client-params.s3.GetObject", refuse)
    told = missing(account, tmp_path, {"command": "x", "inputs": ["a.tif"], "groups": [{"n": 1}]})
    assert told.startswith(f"s3://lab-data/a.tif {words}" if words else "")
    assert bool(told) == bool(words)
    given = ClientError({"Error": error}, "GetObject")  # type: ignore[typeddict-item]
    assert why_refused(account.s3, "lab-data", "a.tif", given).startswith(words)


def test_a_folder_without_its_slash_is_named_with_it_before_anything_is_bought(
    account: Aws, tmp_path: Path
) -> None:
    put(account, "m1/P1/a.tif")
    content = {"command": "x", "inputs": ["m1/P1"], "groups": [{"n": 1}]}
    assert "m1/P1/ is a folder: write it with the slash" in missing(account, tmp_path, content)


def test_jobs_that_name_no_inputs_are_fine_only_if_nothing_else_can_read_any(
    account: Aws, tmp_path: Path
) -> None:
    for content, state in (
        ({"command": "x", "groups": [{"n": 1}]}, State.OK),
        ({"groups": [{"n": 1}]}, State.UNSEEN),
        ({"output_file_location": "out", "groups": [{"n": 1}]}, State.UNSEEN),
    ):
        (one,) = (one for one in found(account, tmp_path, content) if one.subject == "inputs")
        assert one.state is state, one


def test_scripts_that_the_config_names_are_looked_for(account: Aws) -> None:
    def told(constant: str, value: str) -> list[tuple[str, str]]:
        findings = check(account, settings(**{constant: value})).findings
        return [(one.state.value, one.text) for one in findings if one.subject == constant]

    for constant, value in (
        ("INSTALL_SCRIPT", "setup/a.sh"),
        ("SCRIPT_DOWNLOAD_URL", "s3://AWS_BUCKET/setup/a.sh"),
    ):
        account.s3.delete_object(Bucket="lab-data", Key="setup/a.sh")
        assert told(constant, value) == [("missing", "s3://lab-data/setup/a.sh does not exist")]
        put(account, "setup/a.sh")
        assert told(constant, value) == [("ok", "s3://lab-data/setup/a.sh is there")]
    ((state, text),) = told("SCRIPT_DOWNLOAD_URL", "https://some/url/with/a/script.y")
    assert state == "missing" and "placeholder" in text
    ((state, _),) = told("SCRIPT_DOWNLOAD_URL", "https://example.org/spots.ijm")
    assert state == "not seen"


def test_objects_of_many_jobs_are_tried_a_few_of_them(account: Aws, tmp_path: Path) -> None:
    put(account, *(f"images/{n}.tif" for n in range(200)))
    asked: list[str] = []
    account.s3.meta.events.register(
        "provide-client-params.s3.GetObject", lambda params, **_: asked.append(params["Key"])
    )
    groups = [{"n": n} for n in range(200)]
    content = {"command": "x", "inputs": ["images/{n}.tif"], "groups": groups}
    assert missing(account, tmp_path, content) == ""
    assert len(asked) == 30
