"""Command lines in messages work as they stand, for the config that is in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.cli.lines import for_config
from distributed_something.commands.setting_up.image_check import build_line

SAID = "No queue: run `python run.py setup`, or see `python run.py VERB --help`; python run.py."


def test_the_usual_config_is_not_named() -> None:
    for config in ("config.py", ""):
        assert for_config(SAID, config) == SAID


def test_another_config_is_named_once_in_each_line_that_can_be_typed() -> None:
    said = for_config(SAID, "my lab/x.py")
    assert said == SAID.replace("run.py setup", "run.py --config 'my lab/x.py' setup")
    assert for_config(said, "my lab/x.py") == said


def test_a_build_line_is_whole() -> None:
    assert build_line() == "python run.py build --base your/tool:TAG --push"
    assert for_config(build_line(options=""), "lab.py") == (
        "python run.py --config lab.py build --base your/tool:TAG"
    )


def test_a_tool_is_built_with_the_dockerfile_beside_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrap").mkdir()
    Path("wrap/Dockerfile").touch()
    assert for_config(build_line(), "wrap/config.py") == (
        "python run.py --config wrap/config.py build --file wrap/Dockerfile --push"
    )


def test_a_tool_is_built_with_the_something_py_beside_its_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrap").mkdir()
    Path("wrap/something.py").touch()
    said = for_config(build_line(), "wrap/config.py")
    assert said == (
        "python run.py --config wrap/config.py build --base your/tool:TAG "
        "--something wrap/something.py --push"
    )
    assert for_config(said, "wrap/config.py") == said
    Path("wrap/Dockerfile").touch()
    assert for_config(build_line(), "wrap/config.py").endswith(
        " build --file wrap/Dockerfile --something wrap/something.py --push"
    )
