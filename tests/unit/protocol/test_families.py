"""Job files of each of upstream's programs: the messages they make, and how a worker reads them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.submitting.submit_job import (
    check_groups,
    make_maker,
    say_family,
)
from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.inputs.settings import make_settings
from distributed_something.protocol.families import (
    CELLPROFILER,
    FAMILIES,
    FIJI,
    OMEZARR,
    SOMETHING,
    family_of_file,
    metadata_place,
    metadata_values,
    script_arguments,
)
from distributed_something.protocol.jobs import BadJob, Job, job_id
from tests.builders import write_json
from tests.family_files import CONFIGS, JOB_FILES, cellprofiler, fiji, omezarr

TEXT = "Metadata_Plate=P1,Metadata_Well=A01,Metadata_Site=3"
OBJECT = {"Metadata_Plate": "P1", "Metadata_Well": "A01", "Metadata_Site": "3"}
SIX = {"Metadata", "pipeline", "data_file", "input", "output", "output_structure"}


def bodies(path: Path, word: str | None = None, **defaults: object) -> list[str]:
    """The messages that a job file makes, after the checks that submitJob makes."""
    file = open_job_file(path, defaults, FAMILIES[word] if word else None)
    maker = make_maker(file)
    check_groups(file, maker)
    return [maker.make(group).body for group in file.groups()]


def messages(
    folder: Path, content: Mapping[str, object], word: str | None = None, **defaults: object
) -> list[dict[str, Any]]:
    path = write_json(folder / "jobs.json", content)
    return [json.loads(body) for body in bodies(path, word, **defaults)]


def first_job(folder: Path, content: Mapping[str, object]) -> Job:
    return Job.from_message(json.dumps(messages(folder, content)[0]))


def refusal(folder: Path, content: Mapping[str, object], word: str | None = None) -> str:
    with pytest.raises(UsageError) as refused:
        messages(folder, content, word)
    return str(refused.value)


# Message shapes


@pytest.mark.parametrize("program", JOB_FILES)
def test_a_job_file_of_every_program_makes_the_messages_that_upstream_sends(
    tmp_path: Path, program: str
) -> None:
    case = JOB_FILES[program]
    assert messages(tmp_path, case.content) == case.messages


@pytest.mark.parametrize("program", JOB_FILES)
def test_the_keys_alone_tell_the_family_and_so_does_each_message(
    tmp_path: Path, program: str
) -> None:
    case = JOB_FILES[program]
    file = open_job_file(write_json(tmp_path / "jobs.json", case.content), {})
    assert file.family is FAMILIES[case.family]
    jobs = [Job.from_object(message) for message in case.messages]
    assert [job.name for job in jobs] == case.names


@pytest.mark.parametrize("program", JOB_FILES)
def test_the_ids_at_submission_are_those_that_a_worker_computes(
    tmp_path: Path, program: str
) -> None:
    file = open_job_file(write_json(tmp_path / "jobs.json", JOB_FILES[program].content), {})
    maker = make_maker(file)
    for group in file.groups():
        made = maker.make(group)
        job = Job.from_message(made.body)
        assert (
            (made.job_id, made.name)
            == (job.job_id, job.name)
            == (
                job_id(json.loads(made.body)),
                job.name,
            )
        )


@pytest.mark.parametrize("program", JOB_FILES)
def test_messages_that_were_left_over_are_submitted_again_as_the_same_jobs(
    tmp_path: Path, program: str
) -> None:
    case = JOB_FILES[program]
    first = bodies(write_json(tmp_path / "jobs.json", case.content))
    left = tmp_path / "left.jsonl"
    left.write_text("\n".join(first))
    again = bodies(left)
    assert [job_id(json.loads(body)) for body in again] == [
        job_id(json.loads(body)) for body in first
    ]


@pytest.mark.parametrize("program", CONFIGS)
def test_a_config_of_every_program_is_read_as_it_is(program: str) -> None:
    settings = make_settings(CONFIGS[program], "config.py")
    assert settings.sqs_queue_name == f"{settings.app_name}Queue"
    assert settings.sqs_dead_letter_queue == "user_DeadMessages"
    assert settings.extra.get("MY_NAME") == CONFIGS[program].get("MY_NAME")


def test_a_message_without_an_output_structure_is_a_cellprofiler_job() -> None:
    message = {"Metadata": TEXT, "pipeline": "p", "data_file": "d", "input": "i", "output": "o"}
    job = Job.from_object(message)
    assert (job.name, job.output) == ("P1-A01-3", "o/P1-A01-3")


# Forcing and refusing


def test_a_forced_family_overrules_the_keys(tmp_path: Path) -> None:
    [message] = messages(tmp_path, {**cellprofiler([{"Metadata": TEXT}]), "own": 1}, "something")
    assert message["group"] == {"Metadata": TEXT}
    assert message["own"] == 1


def test_a_file_with_groups_may_have_a_key_called_plates(tmp_path: Path) -> None:
    content = {"plates": ["P1", "P2"], "groups": [{"well": "A01"}]}
    assert messages(tmp_path, content) == [{"plates": ["P1", "P2"], "group": {"well": "A01"}}]


def test_a_file_that_is_forced_to_have_plates_forwards_its_groups_like_any_key(
    tmp_path: Path,
) -> None:
    content = {"plates": ["P1"], "groups": [1]}
    assert messages(tmp_path, content, "omezarr") == [{"groups": [1], "plate": "P1"}]


def test_the_family_is_said_and_so_are_keys_that_upstream_drops_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    group = {"Metadata": TEXT, "shade": "dark"}
    content = {**cellprofiler([group]), "colour": "red"}
    with caplog.at_level(logging.INFO):
        say_family(open_job_file(write_json(tmp_path / "jobs.json", content), {}))
    said, warned = (record.getMessage() for record in caplog.records)
    assert "jobs.json is read as a Distributed-CellProfiler job file." in said
    assert ": colour, shade (of a group)." in warned
    [message] = messages(tmp_path, content)
    assert (set(message), message["Metadata"]) == (SIX, TEXT)


def test_nothing_is_said_of_keys_where_all_are_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        say_family(open_job_file(write_json(tmp_path / "jobs.json", fiji([{"f": "1"}])), {}))
    assert [record.levelno for record in caplog.records] == [logging.INFO]


def test_keys_with_a_meaning_of_ours_and_defaults_are_sent_in_every_family(tmp_path: Path) -> None:
    content = {**fiji([{"name_of_it": "a"}]), "command": "true"}
    [message] = messages(tmp_path, content, threads=2)
    assert (message["command"], message["threads"]) == ("true", 2)


@pytest.mark.parametrize("missing", ["input", "output"])
def test_a_required_key_that_is_missing_is_named_with_a_way_out(
    tmp_path: Path, missing: str
) -> None:
    content = cellprofiler([{"Metadata": TEXT}])
    del content[missing]
    text = refusal(tmp_path, content)
    assert f"'{missing}'" in text
    assert "--family something" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (cellprofiler([{"Metadata": "P1 A01"}]), "Group 1: its Metadata 'P1 A01'"),
        (cellprofiler([{"Metadata": "A=1,"}]), "Name=value"),
        (cellprofiler([{"Metadata": 7}]), "Name=value"),
        (fiji(["a.tif"]), "Group 1: a group is an object"),
        (fiji([{"f": 1}], shared_metadata="no object"), "shared_metadata is 'no object'"),
        (omezarr([{"plate": "P1"}]), "Plate 1: a plate is named"),
        (omezarr("P1"), '"plates" must be a list'),
        (omezarr([]), "nothing to queue"),
    ],
)
def test_what_a_family_cannot_send_is_told_before_anything_is_sent(
    tmp_path: Path, content: dict[str, object], words: str
) -> None:
    assert words in refusal(tmp_path, content)


def test_a_table_of_jobs_cannot_be_forced_into_a_family(tmp_path: Path) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text("plate\nP1\n")
    with pytest.raises(UsageError, match="leave out --family"):
        bodies(table, "fiji")


def test_lines_of_another_family_than_the_first_are_told_with_their_place(tmp_path: Path) -> None:
    lines = tmp_path / "left.jsonl"
    lines.write_text(json.dumps(JOB_FILES["CellProfiler, text"].messages[0]) + '\n{"a": 1}\n')
    with pytest.raises(UsageError, match="line 2"):
        bodies(lines)


def test_columns_called_plate_or_metadata_make_no_message_of_a_line(tmp_path: Path) -> None:
    lines = tmp_path / "jobs.jsonl"
    lines.write_text('{"plate": "P1", "Metadata": "x"}')
    assert [json.loads(body) for body in bodies(lines)] == [
        {"group": {"plate": "P1", "Metadata": "x"}}
    ]


def test_a_message_whose_metadata_cannot_be_read_can_never_run() -> None:
    with pytest.raises(BadJob, match="Name=value"):
        Job.from_object({"Metadata": "P1", "pipeline": "p"})


# CellProfiler


def test_a_cellprofiler_jobs_names_and_values_fill_templates(tmp_path: Path) -> None:
    command = ["cp", "-p", "{pipeline}", "-g", "{Metadata}", "-o", "{output}", "{Metadata_Well}"]
    job = first_job(tmp_path, {**cellprofiler([{"Metadata": TEXT}]), "command": command})
    assert job.argv({}) == ["cp", "-p", "a.cppipe", "-g", TEXT, "-o", "results", "A01"]


def test_defaults_of_the_config_give_an_unchanged_job_file_its_command(tmp_path: Path) -> None:
    command = "mytool --groups {Metadata} --pipeline {pipeline} --out {output_dir}"
    [message] = messages(tmp_path, cellprofiler([OBJECT]), command=command)
    argv = Job.from_object(message).argv({"output_dir": "/o"})
    assert argv == ["mytool", "--groups", TEXT, "--pipeline", "a.cppipe", "--out", "/o"]


def test_metadata_as_an_object_gives_the_same_text(tmp_path: Path) -> None:
    job = first_job(tmp_path, {**cellprofiler([OBJECT]), "command": ["cp", "{Metadata}"]})
    assert job.argv({}) == ["cp", TEXT]


def test_output_structure_makes_the_folder_below_the_output(tmp_path: Path) -> None:
    structure = "Metadata_Plate/analysis/Metadata_Plate-Metadata_Well-Metadata_Site"
    job = first_job(tmp_path, cellprofiler([OBJECT], output_structure=structure))
    assert job.output == "results/P1/analysis/P1-A01-3"
    assert job.values["metadataID"] == "P1/analysis/P1-A01-3"


def test_sites_of_a_plate_may_share_the_plates_folder(tmp_path: Path) -> None:
    groups = [{**OBJECT, "Metadata_Site": site} for site in ("1", "2")]
    sent = messages(tmp_path, cellprofiler(groups, output_structure="Metadata_Plate"))
    assert {Job.from_object(message).output for message in sent} == {"results/P1"}
    assert len({Job.from_object(message).name for message in sent}) == 2


def test_two_cellprofiler_jobs_of_one_name_and_place_are_refused(tmp_path: Path) -> None:
    groups = [{"A": "x-y", "B": "z"}, {"A": "x", "B": "y-z"}]
    assert "same place" in refusal(tmp_path, cellprofiler(groups))


def test_a_long_name_is_replaced_before_a_short_one_that_it_begins_with() -> None:
    values = {"Metadata_S": "s", "Metadata_Site": "7"}
    assert metadata_place(values, "Metadata_Site_Metadata_S") == "7_s"


def test_a_value_that_is_another_name_is_not_replaced_again() -> None:
    assert metadata_place({"A": "B", "B": "C"}, "A-B") == "B-C"


def test_text_metadata_is_split_at_commas_and_the_first_equals_sign() -> None:
    assert metadata_values("A=1, B=x=y") == {"A": "1", "B": "x=y"}
    assert metadata_values("A=1,,B=2") is None


# Fiji


def test_shared_metadata_and_group_become_one_argument_and_values(tmp_path: Path) -> None:
    content = fiji([{"image": "a.tif"}], shared_metadata={"threshold": "5"})
    job = first_job(tmp_path, {**content, "command": ["fiji", "{script_arguments}", "{threshold}"]})
    assert job.argv({}) == ["fiji", "threshold='5', image='a.tif'", "5"]
    assert job.output == "project/out"


def test_script_arguments_show_numbers_as_they_are() -> None:
    assert script_arguments({"a": 1, "b": "x"}) == "a='1', b='x'"


# OME-Zarr


def test_a_plates_folder_comes_in_and_the_output_location_takes_what_is_made(
    tmp_path: Path,
) -> None:
    command = ["b2r", "{input_dir}/{path_to_metadata}", "{plate}.ome.zarr", "{target-min-size}"]
    job = first_job(tmp_path, {**omezarr(["P1"]), "command": command})
    assert job.inputs == ("s3://in-bucket/images/P1/",)
    assert job.output == "s3://out-bucket/zarr"
    assert job.argv({"input_dir": "/i"}) == [
        "b2r",
        "/i/Images/Index.idx.xml",
        "P1.ome.zarr",
        "false",
    ]


def test_inputs_and_output_of_our_own_come_before_the_locations(tmp_path: Path) -> None:
    job = first_job(tmp_path, {**omezarr(["P1"]), "inputs": ["x/{plate}.tif"], "output": "y"})
    assert (job.inputs, job.output) == (("x/P1.tif",), "y")


def test_family_words_and_titles_are_each_others_only() -> None:
    assert [FAMILIES[word].word for word in FAMILIES] == list(FAMILIES)
    assert family_of_file({"groups"}) is SOMETHING
    assert family_of_file({"plates"}) is OMEZARR
    assert family_of_file({"groups", "shared_metadata"}) is FIJI
    assert family_of_file({"groups", "pipeline", "data_file"}) is CELLPROFILER
