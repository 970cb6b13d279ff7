"""The page for users of Distributed-Something: job keys and something.py do what it says."""

from __future__ import annotations

import runpy
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.local.simulator import Simulator
from distributed_something.local.simulator.rules import Rules
from tests.book_pages import blocks
from tests.worker.job.test_something import run_jobs
from tests.worker.world import REPOSITORY, World

PAGE = "from-distributed-something.md"
MYTOOL = '#!/bin/sh\n[ "$1" = --threshold ] && cat "$3" > "$4" && echo "above $2" >> "$4.log"\n'
JOB: dict[str, Any] = {"threshold": "0.5", "input_location": "in", "output_location": "out"}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        yield simulator


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path) -> Iterator[World]:
    world = World(simulator, tmp_path)
    program = tmp_path / "bin" / "mytool"
    program.parent.mkdir()
    program.write_text(MYTOOL)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    world.variables = {"PATH": f"{program.parent}:{world.environment()['PATH']}"}
    for well, text in {"A01": "cells\n", "A02": ""}.items():
        world.put(f"in/P1/{well}.tif", text)
    yield world
    world.close()


def shown(language: str, start: str = "") -> str:
    found = [one.text for one in blocks(PAGE) if one.language == language and start in one.text]
    return found[0]


def defaults(folder: Path) -> dict[str, Any]:
    path = folder / "config.py"
    path.write_text(shown("python", "JOB_DEFAULTS"))
    keys: dict[str, Any] = runpy.run_path(str(path))["JOB_DEFAULTS"]
    return keys


@pytest.mark.parametrize("own_code", [False, True], ids=["job keys", "something.py"])
def test_a_generic_worker_becomes_what_the_page_shows(
    own_code: bool, world: World, tmp_path: Path
) -> None:
    keys = defaults(tmp_path)
    if own_code:
        something = shown("python", "def prepare")
        del keys["command"], keys["done_when"]
    else:
        something = (REPOSITORY / "worker" / "something.py").read_text()
    world.send({**JOB, **keys, "group": {"plate": "P1", "well": "A01"}})
    if own_code:
        world.send({**JOB, **keys, "group": {"plate": "P1", "well": "A02"}})
        world.send({**JOB, **keys, "threshold": "7", "group": {"plate": "P1", "well": "A01"}})
    run_jobs(world, something)
    assert world.results("out/") == {
        "P1-A01/result.csv": b"cells\n",
        "P1-A01/result.csv.log": b"above 0.5\n",
    }
    reasons = sorted(reason for _, reason in world.dead_letters())
    assert reasons == (
        [
            "2 attempts failed; the last one: The result has no line.",
            "The threshold 7 is not between 0 and 1.",
        ]
        if own_code
        else []
    )
