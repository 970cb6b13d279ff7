"""`init`: answers become a config and a job file that a check accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from distributed_something.commands.submitting.first_files import Answers, write_first_files
from distributed_something.errors import UsageError
from distributed_something.inputs.settings import load_settings
from tests.golden import check_golden, screen

ANSWERS = Answers(
    name="Sorting",
    command="sort -o {output_dir}/{list}.txt {input_dir}/{list}.txt",
    files="lists/{list}.txt",
    image="lab/sorting:1.0",
    bucket="smith-lab",
    max_cost=5,
)
OPTIONS = ["--command", ANSWERS.command, "--files", ANSWERS.files, "--bucket", ANSWERS.bucket]


def test_the_files_are_accepted_by_a_check_without_an_account(tmp_path: Path) -> None:
    code, _, seen = screen(["init", "sorting", *OPTIONS], tmp_path, {})
    assert code == 0
    check_golden("init", seen)
    words = ["--config", "sorting/config.py", "check", "sorting/job.json", "--offline"]
    code, _, seen = screen(words, tmp_path, {})
    assert code == 0, seen
    assert "missing" not in seen
    assert json.loads((tmp_path / "sorting/job.json").read_text()) == {
        "command": ANSWERS.command,
        "output": "results/Sorting/{list}",
        "groups": {"files": ANSWERS.files},
    }


def test_files_that_are_there_are_not_changed(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("mine")
    with pytest.raises(UsageError, match="stays as it is"):
        write_first_files(tmp_path, ANSWERS)
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]
    assert (tmp_path / "job.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bucket": "your-bucket-name"}, "placeholder"),
        ({"image": "user/tool:1.0"}, "placeholder"),
        ({"command": "sort {well}"}, "well"),
        ({"command": "sort a > b"}, ">"),
        ({"files": "lists/*.txt"}, "must be a text with fields"),
        ({"name": "bad name!"}, "APP_NAME"),
    ],
)
def test_answers_that_no_run_could_have_are_refused_and_nothing_is_written(
    tmp_path: Path, change: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        write_first_files(tmp_path / "new", Answers(**{**vars(ANSWERS), **change}))
    assert words in str(refused.value)
    assert not (tmp_path / "new").exists()


def test_the_config_holds_what_was_answered(tmp_path: Path) -> None:
    config, _ = write_first_files(tmp_path, ANSWERS)
    settings = load_settings(config)
    assert (settings.app_name, settings.aws_bucket) == ("Sorting", "smith-lab")
    assert settings.max_cost == 5


def test_without_a_terminal_what_cannot_be_guessed_must_be_an_option(tmp_path: Path) -> None:
    code, _, seen = screen(["init", "sorting", *OPTIONS[:2]], tmp_path, {})
    assert code == 2
    assert "pass --files, --bucket" in seen
    assert not (tmp_path / "sorting").exists()
