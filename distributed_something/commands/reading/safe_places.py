"""Keep what comes from a bucket in its folder, and off this program's own files."""

from __future__ import annotations

from pathlib import Path

CLONE = Path(__file__).resolve().parents[3]
_OWN = frozenset(
    {
        "config.py", "distributed_something", "documentation", "examples", "files", "Makefile",
        "pyproject.toml", "requirements-dev.txt", "requirements.txt", "run.py", "setup_AWS.py",
        "tests", "worker",
    }
)  # fmt: skip


def refuse_place(path: Path, folder: Path, clone: Path = CLONE) -> None:
    """Raise OSError if a file below `folder` would be elsewhere, or one of the program's own."""
    place = path.parent.resolve() / path.name
    if not place.is_relative_to(folder.resolve()):
        raise OSError("a link in the folder points out of it; delete the link")
    if place.is_relative_to(clone):
        first = place.relative_to(clone).parts[0]
        if first in _OWN or first.startswith("."):
            raise OSError(f"this would change {first} of the program itself; name another folder")
