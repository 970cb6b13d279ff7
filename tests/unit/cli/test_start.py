"""What is typed for an answer at once imports little: help, completion, slips of the keyboard."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.benchmarks.start import ANSWERS, cpu_seconds, imports
from tests.golden import CLONE
from tests.verbs import VERBS

HEAVY = {"boto3", "botocore", "moto", "pydantic", "rich", "plotly"}
_SHOW = (
    "import atexit, json, runpy, sys\n"
    "atexit.register(lambda: print(json.dumps([*sys.modules]), file=sys.stderr))\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


def imported(*words: str, script: str = "run.py", **environment: str) -> set[str]:
    """All modules that a program has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", _SHOW, str(CLONE / script), *words],
        cwd=CLONE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["status", "--help"], ["statos"], ["status", "--jsn"]],
)
def test_an_answer_that_needs_no_run_imports_nothing_large(words: list[str]) -> None:
    assert HEAVY & imported(*words) == set()


def test_completion_imports_nothing_large() -> None:
    environment = {"_RUN_PY_COMPLETE": "bash_complete", "COMP_WORDS": "ds sta", "COMP_CWORD": "1"}
    found = imported(**environment)
    assert "distributed_something.cli.app" in found
    assert HEAVY & found == set()


def test_the_help_of_setup_aws_imports_nothing_large() -> None:
    assert HEAVY & imported("--help", script="setup_AWS.py") == set()


def test_a_verb_is_imported_when_it_is_typed_and_no_other_is() -> None:
    verbs = "distributed_something.cli.verbs."
    found = {name.removeprefix(verbs) for name in imported("cancel", "--help") if verbs in name}
    assert found == {"cancel"}


def test_no_verb_imports_anything_large_before_it_is_run() -> None:
    modules = [f"distributed_something.cli.verbs.{one}" for one in ("setup_account",)]
    modules += [command.callback.__module__ for command in VERBS.values() if command.callback]
    assert len({*modules}) == len(VERBS) + 1
    line = "import json, sys\n" + "".join(f"import {one}\n" for one in modules)
    show = "print(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", line + show], cwd=CLONE, capture_output=True, text=True, check=True
    )
    assert HEAVY & set(json.loads(done.stdout)) == set()


def test_the_benchmark_measures_an_answer_and_names_its_modules() -> None:
    assert cpu_seconds(*ANSWERS["run.py --help"]) > 0
    modules = {module for _, module in imports(["run.py", "--help"])}
    assert {"click", "distributed_something.cli.app"} <= modules


def test_status_imports_nothing_that_changes_a_run() -> None:
    read = "cli.advice, cli.connection, commands.reading.status, cli.screens.status_screen"
    names = [f"distributed_something.{name}" for name in read.split(", ")]
    code = f"import {', '.join(names)}, json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CLONE, capture_output=True, text=True)
    loaded = set(json.loads(done.stdout))
    others = ("commands.watching.monitor", "commands.removing.tear_down", "resources.table")
    assert not loaded & {f"distributed_something.{name}" for name in others}
    assert not loaded & {"plotly", "moto", "jinja2"}
