"""What a person reads whose environment or config is not ready: whose fault, and how to fix it."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.cli.app import main
from tests.builders import write_config, write_json

PLACEHOLDER = "user/distributed-something:sometag"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a person is who has neither an account nor a network to reach one."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)


class Run:
    """Runs a verb of run.py as a person does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str]:
        """The exit code, and what is on stderr."""
        self._monkeypatch.setattr("sys.argv", ["run.py", *words])
        code = main("Help.")
        return code, self._capsys.readouterr().err


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_of_the_environment_that_does_not_exist_is_not_blamed_on_the_config(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    write_config(folder)
    monkeypatch.setenv(variable, "nobody")
    code, said = run("setup")
    assert code == 2
    assert (
        f"No profile named nobody in the AWS configuration: correct or unset {variable} in" in said
    )
    assert "config.py" not in said


def test_a_profile_of_the_config_that_does_not_exist_is(folder: Path, run: Run) -> None:
    write_config(folder, AWS_PROFILE="nobody")
    code, said = run("setup")
    assert code == 2
    assert "correct AWS_PROFILE in config.py" in said


def test_an_endpoint_that_is_no_address_is_named_with_its_variable(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(folder)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "notaurl")
    code, said = run("setup")
    assert code == 2
    assert "'notaurl' is not the address of an AWS endpoint: correct AWS_ENDPOINT_URL, for" in said


def test_who_has_no_account_hears_of_that_before_the_image(folder: Path, run: Run) -> None:
    write_config(folder, DOCKERHUB_TAG=PLACEHOLDER)
    code, said = run("setup")
    assert code == 1
    assert "No AWS credentials found" in said
    assert "run.py rehearse" in said
    assert "DOCKERHUB_TAG" not in said


@pytest.mark.slow
def test_the_next_command_is_for_the_same_config(folder: Path, run: Run) -> None:
    write_config(folder).rename(folder / "my lab.py")
    jobs = write_json(folder / "jobs.json", {"command": "true", "groups": [{"a": 1}]})
    named = ("--config", "my lab.py")
    code, said = run(*named, "rehearse", str(jobs), "--runtime", "process")
    assert code == 0, said
    assert "the same run for real, python run.py --config 'my lab.py' setup" in said


def test_who_names_the_config_after_the_verb_is_told_where_it_stands(run: Run) -> None:
    code, said = run("submitJob", "--config", "c.py", "jobs.json")
    assert code == 2
    assert "--config comes before the verb: python run.py --config FILE VERB" in said
    assert "before the verb" not in run("submitJob", "--confg", "c.py")[1]
