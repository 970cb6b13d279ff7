"""What the CellProfiler example's something.py makes of jobs.

A program in CellProfiler's place shows its arguments, reads its inputs, and writes the done file
that a test asks for.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.local.simulator import Simulator
from tests.worker.test_something import run_jobs
from tests.worker.world import World

from .kit import EXAMPLES

SOMETHING = (EXAMPLES / "cellprofiler" / "something.py").read_text()
STAND_IN = """#!/bin/bash
for word in "$@"; do echo "word: $word"; done
while [ $# -gt 0 ]; do
    case $1 in
        -d) done_file=$2; shift ;;
        -o) output=$2; shift ;;
        --data-file=*) cp "${1#*=}" "$output/data.csv" ;;
        --file-list=*) xargs cat < "${1#*=}" > "$output/files.txt" ;;
    esac
    shift
done
cat input/*.cppipe > "$output/pipeline.txt"
cat "$done_says" > "$done_file"
"""
JOB: dict[str, Any] = {
    "Metadata": "Metadata_Position=2,Metadata_Site=1",
    "pipeline": "work/my.cppipe",
    "data_file": "work/load.csv",
    "input": "work/rules",
    "output": "out",
    "output_structure": "P-Metadata_Position",
}
TABLE = (
    "FileName_DNA,PathName_DNA,Metadata_Position,Metadata_Site\n"
    "a.tif,/home/ubuntu/bucket/images,002,1\n"
    "b.tif,/home/ubuntu/bucket/images,004,1\n"
)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path) -> Iterator[World]:
    world = World(simulator, tmp_path)
    program = tmp_path / "bin" / "cellprofiler"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "says").write_text("Complete\n")
    path = f"{program.parent}:{world.environment()['PATH']}"
    world.variables = {"PATH": path, "done_says": str(tmp_path / "says")}
    for key, text in {
        "work/my.cppipe": "the pipeline",
        "work/load.csv": TABLE,
        "work/files.txt": "/home/ubuntu/bucket/images/a.tif\nimages/b.tif\n",
        "work/batch.h5": "batch",
        "images/a.tif": "A",
        "images/b.tif": "B",
    }.items():
        world.put(key, text)
    yield world
    world.close()


def words(world: World, stream: str) -> list[str]:
    lines = world.log(stream)
    return [line.removeprefix("word: ") for line in lines if line.startswith("word: ")]


def test_a_table_names_a_groups_images_and_all_of_its_metadata_is_asked_for(world: World) -> None:
    world.variables |= {"ALWAYS_CONTINUE": "True", "USE_PLUGINS": "true"}
    world.send(JOB)
    run_jobs(world, SOMETHING)
    said = words(world, "2-1")
    assert said[:2] == ["-c", "-r"]
    assert said[said.index("-g") + 1] == "Metadata_Position=2,Metadata_Site=1"
    assert said[-2:] == ["--plugins-directory=/home/ubuntu/plugins", "--always-continue"]
    results = world.results("out/")
    assert set(results) == {"P-2/data.csv", "P-2/pipeline.txt"}
    assert results["P-2/pipeline.txt"] == b"the pipeline"
    header, row = results["P-2/data.csv"].decode().splitlines()
    assert header == TABLE.splitlines()[0]
    name, folder, position, site = row.split(",")
    assert (name, position, site) == ("a.tif", "002", "1")
    assert folder.endswith("/input/images")


def test_a_list_of_files_is_brought_and_named_by_its_places_here(world: World) -> None:
    world.send({**JOB, "data_file": "work/files.txt"})
    run_jobs(world, SOMETHING)
    assert world.results("out/")["P-2/files.txt"] == b"AB"


@pytest.mark.parametrize(
    ("data_file", "reason"),
    [("work/batch.h5", "MOUNT_DRIVER"), ("work/load.xlsx", "must end in .csv, .txt, .h5")],
)
def test_a_data_file_that_cannot_work_is_a_dead_letter_that_says_why(
    data_file: str, reason: str, world: World
) -> None:
    world.put(data_file, "x")
    world.send({**JOB, "data_file": data_file})
    run_jobs(world, SOMETHING)
    ((body, said),) = world.dead_letters()
    assert json.loads(body)["data_file"] == data_file
    assert reason in said


def test_nothing_is_sent_if_the_done_file_does_not_say_complete(world: World) -> None:
    (world.folder / "says").write_text("Failure\n")
    job = world.send(JOB)
    run_jobs(world, SOMETHING)
    assert world.results("out/") == {}
    assert {one.reason for one in world.ended(job)} == {"CellProfiler's done file says 'Failure'."}
