"""A job's values lead out of no folder, steer no shell, and are no longer than a word may be."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributed_something.inputs.jobs import Group, JobMaker
from distributed_something.protocol.jobs import BadJob, Job

DIRECTORIES = {
    "work_dir": "/w",
    "input_dir": "/w/in",
    "output_dir": "/w/out",
    "checkpoint_dir": "/w/checkpoint",
}


def problems(shared: Mapping[str, object], group: Mapping[str, object]) -> list[str]:
    return [problem.sentence for problem in JobMaker(shared).look(Group(group)).problems]


def both_say(shared: Mapping[str, object], group: Mapping[str, object]) -> str:
    """What submitJob and a worker say of a job; '' if both take it."""
    found = problems(shared, group)
    try:
        job = Job.from_object({**shared, "group": group})
        job.argv(DIRECTORIES)
        job.environment(DIRECTORIES)
    except BadJob as error:
        assert found == error.problems
        return "\n".join(found)
    assert found == []
    return ""


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("{output_dir}/{plate}.txt", {"plate": "../../other/output/x"}),
        ("--out={output_dir}/{plate}/x", {"plate": ".."}),
        ("{input_dir}/.{plate}", {"plate": "./x"}),
        ("{input_dir}{plate}", {"plate": "/../x"}),
        ("{work_dir}/{plate}{well}/x", {"plate": ".", "well": "."}),
        ("{work_dir}/../kept/{plate}", {"plate": "../x"}),
    ],
)
def test_a_value_does_not_lead_out_of_a_jobs_directories(
    word: str, values: dict[str, object]
) -> None:
    assert "gets a '..' from this job's {plate}" in both_say({"command": ["cp", word]}, values)
    assert "gets a '..'" in both_say({"environment": {"OUT": word}}, values)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("{plate}", "../x"),  # the author's own path, or no path at all
        ("--label={plate}", "a/../b"),
        ("{output_dir}/../{plate}", "x"),
        ("{output_dir}/{plate}", "a..b/..c/d.."),
        ("{output_dir}/{plate}.txt", "."),
    ],
)
def test_other_points_are_left_alone(word: str, value: str) -> None:
    assert both_say({"command": ["cp", word]}, {"plate": value}) == ""


@given(st.text(alphabet="./ab", max_size=12))
def test_a_word_below_a_directory_stays_there_or_is_refused(value: str) -> None:
    shared = {"command": ["cp", "{output_dir}/{plate}"]}
    if not both_say(shared, {"plate": value}):
        word = Job.from_object({**shared, "group": {"plate": value}}).argv(DIRECTORIES)[1]
        assert word.startswith("/w/out/") and ".." not in word.split("/")


@pytest.mark.parametrize(
    "name",
    ["BASH_ENV", "ENV", "SHELLOPTS", "PS4", "PATH", "HOME", "LD_PRELOAD", "AWS_PROFILE", "SECONDS"],
)
def test_a_value_takes_no_name_that_means_something_to_a_shell(name: str) -> None:
    shared = {"command": 'echo "$plate"', "shell": True}
    told = both_say(shared, {"plate": "P1", name: "x"})
    assert told.startswith(f"{name} ") and f"to {name.lower()} for instance" in told
    assert both_say({**shared, name: "x"}, {"plate": "P1"}) == told
    assert both_say(shared, {"plate": "P1", name.lower(): "x"}) == ""
    assert both_say({"command": "echo {plate}"}, {"plate": "P1", name: "x"}) == ""


def test_what_the_job_file_itself_sets_is_its_authors_business() -> None:
    shared = {"command": "mytool", "shell": True, "environment": {"PATH": "/opt/{PATH}"}}
    assert both_say(shared, {"PATH": "bin"}) == ""


def test_a_word_longer_than_linux_takes_is_refused() -> None:
    at_most = "x" * (128 * 1024 - 1)
    assert both_say({"command": "echo {text}"}, {"text": at_most}) == ""
    assert "131,072 bytes" in both_say({"command": "echo {text}"}, {"text": at_most + "x"})
    assert "131,073 bytes" in both_say({"command": ["echo", at_most + "{a}"]}, {"a": "ä"})
    assert "a file" in both_say({"environment": {"A": "{text}"}}, {"text": at_most + "x"})
    shell = {"command": 'echo "$text"', "shell": True}
    assert "text is" in both_say(shell, {"text": at_most})  # its name is part of the word
    assert both_say(shell, {"text": at_most[:-5]}) == ""
