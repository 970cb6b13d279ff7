"""The house keeps its rooms: few files a folder, short files, and AWS called from `aws` alone."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from distributed_something.aws.session import Aws

CLONE = Path(__file__).resolve().parents[3]
MOST_FILES = {"distributed_something": 16, "worker": 16, "tests": 25}
ONE_FILE_A_VERB = {"distributed_something/cli/verbs"}
LONGEST_FILE = 400  # lines
LONGEST_FUNCTION = 40  # lines
MOST_LONG_FUNCTIONS = 0.005  # of all
CLIENTS = {name for name, value in vars(Aws).items() if isinstance(value, cached_property)}
MODULES = {"logs", "lambdas"}  # of `aws`, which have clients' names
CALLERS = ("aws", "local", "protocol")  # the ledger and a fleet's target take a client


def modules(folder: str) -> list[Path]:
    return sorted((CLONE / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", MOST_FILES)
def test_a_folder_holds_no_more_files_than_a_newcomer_can_tell_apart(folder: str) -> None:
    counts = Counter(str(path.parent.relative_to(CLONE)) for path in modules(folder))
    most = MOST_FILES[folder]
    too_full = {name: count for name, count in counts.items() if count > most}
    assert {name: count for name, count in too_full.items() if name not in ONE_FILE_A_VERB} == {}


@pytest.mark.parametrize("folder", ["distributed_something", "worker"])
def test_a_file_is_short(folder: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in modules(folder)}
    assert {path.name: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_few_functions_are_longer_than_a_screen() -> None:
    lengths = {
        f"{path.relative_to(CLONE)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for folder in ("distributed_something", "worker")
        for path in modules(folder)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION}
    assert len(long) <= MOST_LONG_FUNCTIONS * len(lengths), long


def test_aws_is_called_from_its_own_room_alone() -> None:
    called = {
        f"{path.relative_to(CLONE)}:{number}"
        for path in modules("distributed_something")
        if not path.relative_to(CLONE / "distributed_something").as_posix().startswith(CALLERS)
        for number in _calls(ast.parse(path.read_text()))
    }
    assert sorted(called) == []


def test_a_function_with_many_branches_says_why() -> None:
    """Ruff refuses the others; a bare `noqa` would hide them from it."""
    silent = [
        f"{path.relative_to(CLONE)}: {line.strip()}"
        for folder in MOST_FILES
        for path in modules(folder)
        for line in path.read_text().splitlines()
        if re.search(r"# noqa(: C901\W*$|\s*$)", line)
    ]
    assert silent == []


def _calls(tree: ast.AST) -> Iterator[int]:
    """The lines that use an operation, a paginator or an exception of a client."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_client(node.value) and node.attr != "meta":
            yield node.lineno


def _is_client(node: ast.expr) -> bool:
    """Whether this is `aws.s3`, or a client that was passed in by its name, such as `s3`."""
    if isinstance(node, ast.Attribute):
        return node.attr in CLIENTS and isinstance(node.value, ast.Name) and node.value.id == "aws"
    return isinstance(node, ast.Name) and node.id in CLIENTS - MODULES
