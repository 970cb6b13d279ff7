"""Say how to get a package that does not exist, with the standard library alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def advice(name: str, script: Path) -> str:
    """What to type where a script of this folder cannot import a package.

    `make demo` and `make test` install into .venv, which `python` alone does not look into.
    """
    venv = script.parent / ".venv"
    python = venv / "bin" / "python"
    has_it = any(venv.glob(f"lib/python3*/site-packages/{name.partition('.')[0]}"))
    if python.exists() and has_it and Path(sys.prefix).resolve() != venv.resolve():
        return (
            f"{name} is not installed for {sys.executable}, but it is in {_shown(venv)}: "
            f"run `{_shown(python)} {_shown(script)}`, or `source {_shown(venv)}/bin/activate` "
            "once in this shell."
        )
    needed = _shown(script.parent / "requirements.txt")
    return f"{name} is not installed: run `python -m pip install -r {needed}`."


def _shown(path: Path) -> str:
    """A path as it is typed from here, the shorter way."""
    return min(os.path.relpath(path), str(path.absolute()), key=len)
