"""Command lines in messages work as they stand, for the config that is in use."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.command_lines import (
    DEFAULT_CONFIG,
    build_line,
    config_in_use,
    run_line,
    use_config,
)
from distributed_something.run.troubles import container_trouble


@pytest.fixture(autouse=True)
def usual_config() -> Iterator[None]:
    use_config(DEFAULT_CONFIG)
    yield
    use_config(DEFAULT_CONFIG)


def test_the_usual_config_is_not_named() -> None:
    assert run_line("setup") == "python run.py setup"
    assert config_in_use() == Path("config.py")


def test_another_config_is_named_and_quoted_for_the_shell() -> None:
    use_config(Path("my lab/x.py"))
    line = run_line("status --failed")
    assert line == "python run.py --config 'my lab/x.py' status --failed"
    assert shlex.split(line)[3] == "my lab/x.py"


def test_a_fix_that_is_kept_as_text_names_the_config_too() -> None:
    use_config(Path("lab.py"))
    trouble = container_trouble("no space left on device")
    assert trouble is not None
    assert "`python run.py --config lab.py startCluster FLEET.json`" in trouble.fix


def test_a_build_line_is_whole() -> None:
    assert build_line() == "python run.py build --base your/tool:TAG --push"
    use_config(Path("lab.py"))
    assert build_line(options="") == "python run.py --config lab.py build --base your/tool:TAG"


@pytest.fixture
def wrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, from above."""
    monkeypatch.chdir(tmp_path)
    Path("wrap").mkdir()
    use_config(Path("wrap/config.py"))
    return Path("wrap")


def test_a_tool_is_built_with_the_dockerfile_beside_its_config(wrap: Path) -> None:
    (wrap / "Dockerfile").touch()
    assert build_line() == (
        "python run.py --config wrap/config.py build --file wrap/Dockerfile --push"
    )
    assert " build --base lab/tool:TAG --push" in build_line("lab/tool")


def test_a_tool_is_built_with_the_something_py_beside_its_config(wrap: Path) -> None:
    (wrap / "something.py").touch()
    assert build_line() == (
        "python run.py --config wrap/config.py build --base your/tool:TAG "
        "--something wrap/something.py --push"
    )
    (wrap / "Dockerfile").touch()
    assert build_line().endswith(
        " build --file wrap/Dockerfile --something wrap/something.py --push"
    )
