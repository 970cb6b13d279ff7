"""What `inputs` may hold, and what submitJob says of it before anything is sent."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from distributed_something.commands.submitting.submit_job import check_groups, make_maker
from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.jobs import BadJob, Job
from distributed_something.protocol.sources import FileList, FileTable
from tests.builders import write_json


def job(inputs: object, **others: object) -> Job:
    return Job.from_object({"inputs": inputs, "group": {"plate": "P1", "site": 2}, **others})


def refusal(folder: Path, **content: object) -> str:
    path = write_json(folder / "jobs.json", {"groups": [{"plate": "P1"}], **content})
    file = open_job_file(path, {})
    with pytest.raises(UsageError) as refused:
        check_groups(file, make_maker(file))
    return str(refused.value)


def test_every_form_is_read_and_filled_in() -> None:
    found = job(
        [
            "{plate}/",
            {"list": "{plate}.txt"},
            {
                "csv": "a.csv",
                "where": {"Well": "{site:02d}", "Site": 2},
                "paths": {"/d": "{plate}"},
            },
        ]
    )
    assert found.inputs == (
        "P1/",
        FileList("P1.txt"),
        FileTable("a.csv", (("/d", "P1"),), (("Well", "02"), ("Site", "2"))),
    )
    assert job({"list": "a.txt"}).inputs == (FileList("a.txt"),)


def test_a_table_without_where_is_chosen_from_by_the_groups_names() -> None:
    assert job({"csv": "a.csv"}).inputs == (
        FileTable("a.csv", (), (("plate", "P1"), ("site", "2")), is_guessed=True),
    )
    message = {
        "Metadata": "Metadata_Plate=P1,Metadata_Site=002", "pipeline": "p", "data_file": "d.csv",
        "input": "i", "output": "o", "inputs": {"csv": "{data_file}"},
    }  # fmt: skip
    assert Job.from_object(message).inputs == (
        FileTable(
            "d.csv", (), (("Metadata_Plate", "P1"), ("Metadata_Site", "002")), is_guessed=True
        ),
    )


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"cvs": "a.csv"}, "one of `list` and `csv`"),
        ({"csv": "a.csv", "list": "a.txt"}, "one of `list` and `csv`"),
        ({"list": "a.txt", "where": {}}, "one of `list` and `csv`"),
        ({"csv": "tables/"}, "must be the key of one object"),
        ({"csv": ["a.csv"]}, "must be the key of one object"),
        ({"csv": "a.csv", "where": ["plate"]}, "where .* must be an object"),
        ({"csv": "a.csv", "where": {"Plate": {"a": 1}}}, "where .* must be an object"),
        ({"csv": "a.csv", "paths": {"": "x"}}, "paths .* must be an object"),
        ([1], "must be text, an object"),
        ({"csv": "{well}.csv"}, "well"),
        ({"csv": "a.csv", "where": {"Well": "{well}"}}, "well"),
        ({"list": "../a.txt"}, "leaves its folder"),
        ({"list": "a.txt", "paths": {"/d": "s3://x/../y"}}, "leaves its folder"),
        ("s3://INPUT_BUCKET/a.txt", "INPUT_BUCKET is no bucket's name, and none of AWS_BUCKET"),
        ("s3:///a.txt", "an address without a bucket"),
    ],
)
def test_what_is_wrong_with_inputs_is_told_before_anything_is_sent(
    tmp_path: Path, inputs: object, reason: str
) -> None:
    assert re.search(reason, refusal(tmp_path, inputs=inputs))


def test_a_table_needs_where_for_groups_that_are_bare_texts(tmp_path: Path) -> None:
    told = refusal(tmp_path, inputs={"csv": "a.csv"}, groups=["P1", "P2"])
    assert 'add "where"' in told
    assert "1 more like it" in told


def test_upload_flags_of_a_job_file_are_checked_like_the_configs(tmp_path: Path) -> None:
    told = refusal(tmp_path, upload_flags="--delete --acl private")
    assert "upload_flags: --delete: not supported here; supported are:" in told
    assert "upload_flags is 3; it must be text" in refusal(tmp_path, upload_flags=3)
    flags = job([], upload_flags="--acl private --exclude *.tmp").keys.upload_flags
    assert flags.arguments == {"ACL": "private"}
    assert not flags.wants("a.tmp")
    assert job([], upload_flags=False).keys.upload_flags.arguments == {}


def test_a_name_of_done_when_cannot_lead_out_once_it_is_filled_in() -> None:
    with pytest.raises(BadJob, match=r"done_when names '\.\./\.\./etc/passwd', which is outside"):
        Job.from_object(
            {"done_when": {"file": "{x}/passwd"}, "group": {"x": "../../etc"}, "command": "true"}
        )


@pytest.mark.parametrize(
    ("given", "source", "workspace", "destination"),
    [
        ({}, "log", "log", "log"),
        ({"source_bucket": "src"}, "src", "src", "log"),
        ({"workspace_bucket": "work"}, "log", "work", "log"),
        ({"source_bucket": "src", "workspace_bucket": "work", "destination_bucket": "dst"},
         "src", "work", "dst"),
    ],
)  # fmt: skip
def test_a_bucket_that_the_config_leaves_out_has_another_in_its_place(
    given: dict[str, str], source: str, workspace: str, destination: str
) -> None:
    named = {"source_bucket": "", "workspace_bucket": "", "destination_bucket": "", **given}
    buckets = Buckets.of(SimpleNamespace(aws_bucket="log", **named))
    assert buckets.find("a/b", buckets.source) == (source, "a/b")
    assert buckets.find("s3://AWS_BUCKET/a", "x") == ("log", "a")
    assert buckets.find("s3://SOURCE_BUCKET/a", "x") == (source, "a")
    assert buckets.find("s3://WORKSPACE_BUCKET/a", "x") == (workspace, "a")
    assert buckets.find("s3://DESTINATION_BUCKET/a", "x") == (destination, "a")
    assert buckets.find("s3://theirs/a", "x") == ("theirs", "a")
