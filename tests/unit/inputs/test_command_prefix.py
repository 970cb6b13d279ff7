"""A prefix before each command, and commands that begin with what is no program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.check.jobs import job_file
from distributed_something.commands.submitting.submit_job import check_groups, make_maker
from distributed_something.errors import UsageError
from distributed_something.inputs.forms.programs import first_word, why_no_program
from distributed_something.inputs.job_files import open_job_file
from distributed_something.protocol.jobs import Job
from tests.builders import settings

TABLE = "plate,command\nP1,ex.mps --seed 1\nP2,\n"


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def commands(path: Path, **constants: Any) -> list[object]:
    """The `command` of each message that is sent."""
    file = open_job_file(path, settings(**constants).job_defaults)
    maker = make_maker(file)
    check_groups(file, maker)
    bodies = [json.loads(maker.make(group).body) for group in file.groups()]
    assert all("command_prefix" not in body for body in bodies)
    for body in bodies:
        Job.from_object(body)
    return [body.get("command") for body in bodies]


def test_a_prefix_of_the_config_stands_before_each_line_and_before_the_default(
    tmp_path: Path,
) -> None:
    jobs = write(tmp_path, "jobs.csv", TABLE)
    assert commands(jobs, COMMAND_PREFIX="julia run.jl") == ["julia run.jl ex.mps --seed 1", None]
    given = {"command_prefix": "julia run.jl", "command": "none.mps {plate}"}
    assert commands(jobs, JOB_DEFAULTS=given) == [
        "julia run.jl ex.mps --seed 1",
        "julia run.jl none.mps {plate}",
    ]
    assert commands(jobs, COMMAND_PREFIX="a", JOB_DEFAULTS={"command_prefix": "b c"})[0] == (
        "b c ex.mps --seed 1"
    )


def test_a_prefix_may_stand_in_a_job_file_or_a_row_and_be_words(tmp_path: Path) -> None:
    groups = [{"plate": "P1"}]
    content: dict[str, object] = {
        "command_prefix": "nice -n 5",
        "command": ["tool", "{plate}"],
        "groups": groups,
    }
    assert commands(write(tmp_path, "a.json", content)) == [["nice", "-n", "5", "tool", "{plate}"]]
    content |= {"command_prefix": ["my tool"], "command": "{plate}"}
    assert commands(write(tmp_path, "b.json", content)) == ["'my tool' {plate}"]
    table = "plate,command_prefix,command\nP1,nice,a\nP2,,b\n"
    assert commands(write(tmp_path, "c.csv", table), COMMAND_PREFIX="time") == ["nice a", "time b"]
    content["command_prefix"] = 7
    with pytest.raises(UsageError, match="command_prefix is 7; it must be text"):
        commands(write(tmp_path, "d.json", content))


def test_messages_that_were_sent_once_have_their_prefix_already(tmp_path: Path) -> None:
    lines = '{"command": "julia run.jl a.mps", "group": {"n": 1}}\n{"command": "b.mps", "n": 2}\n'
    path = write(tmp_path, "left.jsonl", lines)
    assert commands(path, COMMAND_PREFIX="julia run.jl") == [
        "julia run.jl a.mps",
        "julia run.jl b.mps",
    ]


@pytest.mark.parametrize(
    ("command", "word", "is_sure"),
    [
        ("data/ex.mps 60", "data/ex.mps", True),
        ("'my data.csv' x", "my data.csv", True),
        (["-v", "x"], "-v", True),
        ("42 7", "42", True),
        ("solve.jl --seed 1", "solve.jl", False),
    ],
)
def test_a_first_word_that_is_no_program_is_known_by_its_form(
    command: object, word: str, is_sure: bool
) -> None:
    assert first_word(command) == word
    found = why_no_program(word)
    assert found is not None and found.is_sure is is_sure


@pytest.mark.parametrize(
    "word", ["python3", "python3.11", "./run.sh", "bin/solve.py", "/opt/x", "{tool}", "7z", "a.out"]
)
def test_what_may_be_a_program_is_left_alone(word: str) -> None:
    assert why_no_program(word) is None


def test_lines_that_begin_with_no_program_are_named_before_anything_is_bought(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = ["plate,command", "P1,ex.mps 1", "P2,ex.mps 2", "P3,-v", "P4,run.jl", "P5,tool x"]
    path = write(tmp_path, "jobs.csv", "\n".join(rows))
    _, findings = job_file(None, settings(), path)
    told = [(one.state.value, one.text, one.fix) for one in findings if one.subject == "programs"]
    assert [state for state, _, _ in told] == ["missing", "warning"]
    assert "'ex.mps', with which commands begin, is a file's name" in told[0][1]
    assert "and 1 more like it" in told[0][1] and "COMMAND_PREFIX" in told[0][2]
    assert "'run.jl'" in told[1][1]
    _, findings = job_file(None, settings(COMMAND_PREFIX="julia solve.jl"), path)
    assert not [one for one in findings if one.subject == "programs"]


def test_a_job_file_keeps_reserved_names_as_values_if_it_says_so(tmp_path: Path) -> None:
    names = ["input", "name", "timeout", "environment", "weight", "MAX_COST"]
    own = {"input": "a", "name": "ours", "timeout": "soon", "environment": "lab", "weight": "?"}
    content = {**own, "MAX_COST": 5, "own_keys": names, "groups": [{"n": 1}]}
    content["command"] = "tool {name} {timeout} {environment} {weight}"
    path = write(tmp_path, "job.json", content)
    file = open_job_file(path, {})
    maker = make_maker(file)
    check_groups(file, maker)
    (group,) = file.groups()
    job = Job.from_message(maker.make(group).body)
    assert job.argv({}) == ["tool", "ours", "soon", "lab", "?"]
    assert (job.name, job.keys.timeout, job.values["input"]) == ("1", None, "a")
    with pytest.raises(UsageError, match=r"own_keys is 'name'; it must be a list"):
        make_maker(open_job_file(write(tmp_path, "b.json", {**content, "own_keys": "name"}), {}))


def test_columns_and_lines_keep_reserved_names_as_values_too(tmp_path: Path) -> None:
    claimed = {"own_keys": ["timeout", "name"], "command": "tool {timeout} {name}"}
    for path in (
        write(tmp_path, "jobs.csv", "timeout,name\nsoon,ours\n"),
        write(tmp_path, "jobs.jsonl", '{"timeout": "soon", "name": "ours"}\n'),
    ):
        file = open_job_file(path, claimed)
        (group,) = file.groups()
        job = Job.from_message(make_maker(file).make(group).body)
        assert job.argv({}) == ["tool", "soon", "ours"] and job.name == "soon-ours"
