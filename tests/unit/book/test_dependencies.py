"""Every package that is imported is declared, in the file of whoever imports it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[3]
OURS = {"distributed_something", "worker", "tests"}
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def declared(path: Path) -> set[str]:
    """The packages of a requirements file and of those that it names."""
    names: set[str] = set()
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            names |= declared(path.parent / line[3:].strip())
        elif found := _NAME.match(line):
            names.add(_plain(found[0]))
    return names


def imported(folder: Path) -> Iterator[tuple[str, Path]]:
    """The top packages that the files below a folder import as they run."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.split(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0], path


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@pytest.mark.parametrize(
    ("folder", "requirements"),
    [
        ("distributed_something", "requirements.txt"),
        ("worker", "worker/requirements.txt"),
        ("tests", "requirements-dev.txt"),
    ],
)
def test_what_is_imported_is_declared(folder: str, requirements: str) -> None:
    known = declared(CLONE / requirements)
    distributions = packages_distributions()
    missing = {
        (name, str(path.relative_to(CLONE)))
        for name, path in imported(CLONE / folder)
        if name not in sys.stdlib_module_names | OURS
        and not name.startswith("types_boto3")
        and not {_plain(one) for one in distributions.get(name, [name])} & known
    }
    assert sorted(missing) == []
