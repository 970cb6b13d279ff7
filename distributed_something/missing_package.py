"""Say how to get a package that is not there, with the standard library alone."""

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
        shown = os.path.relpath(python)
        return (
            f"{name} is not installed for {sys.executable}, but it is in {os.path.relpath(venv)}: "
            f"run `{shown} {os.path.relpath(script)}`, or `source "
            f"{os.path.relpath(venv)}/bin/activate` once in this shell."
        )
    needed = os.path.relpath(script.parent / "requirements.txt")
    return f"{name} is not installed: run `python -m pip install -r {needed}`."
