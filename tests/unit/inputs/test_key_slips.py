"""Misspelt keys of job files are refused, and every value of a user's own is taken as it is."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.submitting.no_command import is_as_shipped
from distributed_something.commands.submitting.submit_job import check_groups, make_maker
from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.inputs.settings import load_settings
from tests.builders import write_json
from tests.family_files import JOB_FILES

ROOT = Path(__file__).parents[3]
SHARED_FIXTURE = Path(__file__).parents[4] / "shared/fixtures/upstream/exampleJob.json"
AS_SHIPPED = [
    *sorted((ROOT / "tests/upstream_forms/jobs").glob("*.json")),
    *sorted((ROOT / "examples").glob("*/job*")),
    ROOT / "files/exampleJob.json",
    *([SHARED_FIXTURE] if SHARED_FIXTURE.exists() else []),
]
COMMAND = {"command": "tool {plate}"}


def look(path: Path, **defaults: Any) -> int:
    file = open_job_file(path, defaults)
    return check_groups(file, make_maker(file)).groups


def look_at(folder: Path, **content: Any) -> int:
    return look(write_json(folder / "jobs.json", {"groups": [{"plate": "P1"}], **content}))


def refusal(folder: Path, **content: Any) -> str:
    with pytest.raises(UsageError) as refused:
        look_at(folder, **content)
    return str(refused.value)


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("comand", "command"),
        ("Command", "command"),
        ("input", "inputs"),
        ("outputs", "output"),
        ("checkpont", "checkpoint"),
        ("timout", "timeout"),
        ("time_out", "timeout"),
        ("memmory_limit", "memory_limit"),
        ("enviroment", "environment"),
        ("no_retry_exit_code", "no_retry_exit_codes"),
        ("donewhen", "done_when"),
        ("upload_flag", "upload_flags"),
    ],
)
def test_a_misspelt_shared_key_is_refused_with_the_one_that_was_likely_meant(
    tmp_path: Path, slip: str, meant: str
) -> None:
    said = (
        refusal(tmp_path, **COMMAND, **{slip: "x"})
        if slip.lower() != "command"
        else refusal(tmp_path, **{slip: "tool {plate}"})
    )
    assert f"`{slip}` means nothing here" in said and f"did you mean `{meant}`?" in said
    assert "nothing was queued" in said


def test_a_value_that_a_template_or_the_shells_line_uses_is_no_slip(tmp_path: Path) -> None:
    assert look_at(tmp_path, command="tool {input} {plate}", input="a.csv") == 1
    assert look_at(tmp_path, command="tool {plate}", output="r/{names}/{plate}", names="x") == 1
    assert look_at(tmp_path, command='tool "$input"', shell=True, input="a.csv") == 1


@pytest.mark.parametrize(
    ("key", "constant"),
    [
        ("MAX_COST", "MAX_COST"),
        ("max_hours", "MAX_HOURS"),
        ("MAX_FAILURE", "MAX_FAILURES"),
        ("max_cots", "MAX_COST"),
    ],
)
def test_a_limit_in_a_job_file_is_refused_wherever_it_stands_there(
    tmp_path: Path, key: str, constant: str
) -> None:
    words = f"`{key}` limits nothing here: {constant} belongs in config.py"
    assert words in refusal(tmp_path, **COMMAND, **{key: 5})
    assert words in refusal(tmp_path, **{key: 5})  # for something.py too
    assert words in refusal(tmp_path, **COMMAND, groups=[{"plate": "P1", key: 5}])
    with pytest.raises(UsageError, match=f"`{key}` limits nothing"):
        look(write_json(tmp_path / "plain.json", {"groups": [{"plate": "P1"}]}), **{key: 5})
    (tmp_path / "jobs.csv").write_text(f"plate,{key}\nP1,5\n")
    with pytest.raises(UsageError, match=f"Row 1: `{key}` limits nothing"):
        look(tmp_path / "jobs.csv", **COMMAND)
    assert look_at(tmp_path, command=f"tool {{{key}}} {{plate}}", **{key: 5}) == 1


@pytest.mark.parametrize("key", ["JOB_RETRIES", "CHECK_IF_DONE_BOOL", "docker_cores", "MEMORY"])
def test_another_constant_in_a_job_file_is_warned_of_with_its_file(
    tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert look_at(tmp_path, **COMMAND, **{key: 5}) == 1
    assert f"`{key}` has no effect here: {key.upper()} belongs in config.py" in caplog.text
    caplog.clear()
    assert look_at(tmp_path, command=f"tool {{{key}}} {{plate}}", **{key: 5}) == 1
    assert look_at(tmp_path, memory=5, docker_cores=4) == 1  # something.py may read them
    assert "no effect" not in caplog.text


def test_a_value_in_braces_in_the_shells_line_is_refused_for_bash_would_get_the_braces(
    tmp_path: Path,
) -> None:
    said = refusal(tmp_path, command="awk x {input_dir}/{plate}.txt > $output_dir/o", shell=True)
    assert 'command has {input_dir}, and with "shell" nothing is filled in' in said
    assert 'write "$plate" instead' in said
    assert 'write "$site"' in refusal(tmp_path, command="tool {site:02d}", shell=True, site=3)
    rows = [{"plate": "P1"}, {"plate": "P1", "lens": 3}]
    assert "{lens}" in refusal(tmp_path, command="tool {lens}", shell=True, groups=rows)


def test_braces_that_are_bashs_or_another_programs_are_left_alone(tmp_path: Path) -> None:
    line = "awk '{print}' ${plate}_{a,b} {1..3} > o; { cd x; }; find -exec ls {} +; f { plate } {z}"
    assert look_at(tmp_path, command=line, shell=True) == 1


def test_without_a_command_something_py_may_read_an_input_of_its_own(tmp_path: Path) -> None:
    assert look_at(tmp_path, input="somewhere", outputs="there") == 1
    assert "did you mean `timeout`?" in refusal(tmp_path, timout=60)


def test_jobs_for_which_nothing_makes_a_command_are_warned_of_before_they_are_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert look_at(tmp_path, plates="all") == 1
    assert "No job of" in caplog.text and "each would fail" in caplog.text
    caplog.clear()
    table = tmp_path / "jobs.csv"
    table.write_text("plate,command\nP1,tool {plate}\nP2,\n")
    assert look(table) == 2
    assert "1 of the 2 jobs of" in caplog.text
    caplog.clear()
    assert look_at(tmp_path, **COMMAND) == 1
    table.write_text("plate,command\nP1,tool {plate}\n")
    assert look(table) == 1
    assert "would fail" not in caplog.text


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("CellProfiler, text", "built with `--something examples/cellprofiler/something.py`"),
        ("Fiji", "Copy JOB_DEFAULTS from examples/fiji/config.py"),
        ("OMEZarr", "Copy JOB_DEFAULTS from examples/omezarr/config.py"),
    ],
)
def test_a_familys_jobs_without_a_command_are_warned_of_in_words_that_name_the_remedy(
    case: str, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_json(tmp_path / "jobs.json", JOB_FILES[case].content)
    assert look(path, command="tool") > 0
    assert "would fail" not in caplog.text
    assert look(path) > 0
    assert "unless the workers' image was built with" in caplog.text
    assert words in caplog.text


def test_only_the_shipped_something_py_is_known_to_make_no_command(tmp_path: Path) -> None:
    shipped = (ROOT / "worker/something.py").read_text()
    own = tmp_path / "something.py"
    assert not is_as_shipped(own)
    own.write_bytes(shipped.replace("\n", "\r\n").encode())
    assert is_as_shipped(own) and is_as_shipped()
    own.write_text(shipped + "\n# ours\n")
    assert not is_as_shipped(own)


def test_a_misspelt_key_that_a_family_would_not_send_is_refused_too(tmp_path: Path) -> None:
    content = {**JOB_FILES["CellProfiler, text"].content, "command": "cellprofiler -g {Metadata}"}
    with pytest.raises(UsageError, match="did you mean `checkpoint`"):
        look(write_json(tmp_path / "jobs.json", {**content, "checkpont": True}))


@pytest.mark.parametrize("path", AS_SHIPPED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_key_of_a_job_file_as_it_is_shipped_is_a_slip(path: Path, tmp_path: Path) -> None:
    config = path.parent / "config.py"
    assert look(path, **(load_settings(config).job_defaults if config.exists() else {}))
    if path.suffix == ".json" and "command" not in json.loads(path.read_text()):
        assert look(path, command="tool")


@pytest.mark.parametrize("case", sorted(JOB_FILES))
def test_no_key_of_the_familys_forms_is_a_slip(case: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "jobs.json", JOB_FILES[case].content)
    assert look(path) == len(JOB_FILES[case].messages)
    assert look(path, command="tool") == len(JOB_FILES[case].messages)


def test_a_misspelt_column_of_a_table_is_refused_and_ordinary_ones_are_not(
    tmp_path: Path,
) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text("Name,env,plate,Output,names,command\na,b,c,d,e,tool\n")
    assert look(table) == 1
    table.write_text("plate,timout,command\nP1,60,tool\nP2,60,tool\n")
    with pytest.raises(UsageError) as refused:
        look(table)
    assert "Row 1: `timout` means nothing" in str(refused.value)
    assert "(1 more like it.)" in str(refused.value)
    table.write_text("plate,input,command\nP1,a.csv,tool {input}\nP2,b.csv,tool\n")
    with pytest.raises(UsageError, match="Row 2: `input` means nothing"):
        look(table)


def test_a_misspelt_key_of_a_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"plate": "P1", "command": "tool"}\n{"plate": "P2", "comand": "tool"}\n')
    with pytest.raises(UsageError, match="Line 2: `comand` means nothing"):
        look(path)


def test_a_reserved_key_within_a_group_is_told_to_be_a_mere_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    groups = [{"plate": "P1", "timeout": 60, "name": "n"}, {"plate": "P2", "comand": "x"}]
    with caplog.at_level(logging.WARNING):
        assert look_at(tmp_path, **COMMAND, groups=groups) == 2
    assert "no template uses `comand`, `timeout`" in caplog.text
    caplog.clear()
    assert look_at(tmp_path, command="tool {plate} {timeout}", groups=groups[:1]) == 1
    assert not caplog.text
