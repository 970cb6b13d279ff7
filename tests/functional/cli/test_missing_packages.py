"""Without its packages the program says how to get them, and finds those of .venv."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden import CLONE


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("run.py", "setup_AWS.py"):
        (tmp_path / name).write_text((CLONE / name).read_text())
    (tmp_path / "distributed_something").symlink_to(CLONE / "distributed_something")
    return tmp_path


def run(script: Path, folder: Path) -> str:
    """What a person sees whose Python has no packages (-S)."""
    words = [sys.executable, "-S", str(script), "--help"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("script", ["run.py", "setup_AWS.py"])
def test_a_package_that_is_nowhere_is_to_be_installed(clone: Path, script: str) -> None:
    said = run(clone / script, clone)
    assert re.match(r"\w+ is not installed: run `python -m pip install -r requirements.txt`", said)


@pytest.mark.parametrize("script", ["run.py", "setup_AWS.py"])
def test_a_package_that_is_in_venv_is_used_from_there(clone: Path, script: str) -> None:
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").symlink_to(sys.executable)
    assert "pip install" in run(clone / script, clone)  # .venv is there, and has nothing in it
    missing = run(clone / script, clone).split()[0]
    (clone / ".venv/lib/python3.11/site-packages" / missing).mkdir(parents=True)
    said = run(clone / script, clone)
    assert f"run `.venv/bin/python {script}`, or `source .venv/bin/activate` once" in said
    (clone / "below").mkdir()
    assert f"run `../.venv/bin/python ../{script}`" in run(clone / script, clone / "below")
