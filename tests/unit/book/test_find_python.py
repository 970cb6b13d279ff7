"""`make` finds a Python that will do, or names what is missing and the command that installs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / ".ci" / "find-python"
BASH = shutil.which("bash") or "/bin/bash"


def python(folder: Path, name: str, version: str, *, has_venv: bool = True) -> None:
    """Put a command into the folder that answers the script's questions as a Python would."""
    is_old = int(version.split(".")[1]) < 10
    program = folder / name
    program.write_text(
        f"""#!{BASH}
case "$2" in
    *%d.%d*) echo {version} ;;
    *'(3, 10)'*) exit {int(is_old)} ;;
    *ensurepip*) exit {int(not has_venv)} ;;
esac
"""
    )
    program.chmod(0o755)


def find(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder), **variables}
    return subprocess.run([BASH, SCRIPT], env=environment, capture_output=True, text=True)


def test_the_first_python_that_will_do_is_taken(tmp_path: Path) -> None:
    python(tmp_path, "python3", "3.9")
    python(tmp_path, "python3.12", "3.12", has_venv=False)
    python(tmp_path, "python3.11", "3.11")
    assert find(tmp_path).stdout == "python3.11\n"


def test_a_python_that_is_named_comes_first(tmp_path: Path) -> None:
    python(tmp_path, "python3", "3.11")
    python(tmp_path, "mine", "3.13")
    assert find(tmp_path, PYTHON="mine").stdout == "mine\n"


def test_a_missing_venv_module_is_named_with_its_package(tmp_path: Path) -> None:
    python(tmp_path, "python3", "3.12", has_venv=False)
    refused = find(tmp_path)
    assert refused.returncode == 1
    assert "sudo apt install python3.12-venv" in refused.stderr


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    python(tmp_path, "python3", "3.9")
    refused = find(tmp_path)
    assert refused.returncode == 1
    assert "python3 is 3.9, and this needs Python 3.10 or newer." in refused.stderr
    assert "sudo apt install python3 python3-venv" in refused.stderr


def test_no_python_at_all_is_said(tmp_path: Path) -> None:
    refused = find(tmp_path)
    assert refused.returncode == 1
    assert "sudo apt install python3 python3-venv" in refused.stderr


def test_a_real_python_passes_the_scripts_questions(tmp_path: Path) -> None:
    assert find(tmp_path, PYTHON=sys.executable).stdout == f"{sys.executable}\n"
