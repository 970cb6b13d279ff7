"""What the CellProfiler example's something.py makes of jobs.

A program in CellProfiler's place shows its arguments, reads its inputs, and writes the done file
that a test asks for.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distributed_something.inputs.settings import load_settings
from distributed_something.local.simulator import Simulator
from distributed_something.local.simulator.rules import Rules
from tests.worker.job.test_something import run_jobs
from tests.worker.world import World

from .kit import EXAMPLES

HERE = EXAMPLES / "cellprofiler"
SOMETHING = (HERE / "something.py").read_text()
STAND_IN = """#!/bin/bash
for word in "$@"; do echo "word: $word"; done
while [ $# -gt 0 ]; do
    case $1 in
        -d) done_file=$2; shift ;;
        -o) output=$2; shift ;;
        -i) input=$2; shift ;;
        --data-file=*) cp "${1#*=}" "$output/data.csv" ;;
        --file-list=*) xargs cat < "${1#*=}" > "$output/files.txt" ;;
    esac
    shift
done
[ ! -e "$input/rules.txt" ] || cp "$input/rules.txt" "$output"
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
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
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
    plugins = world.folder / "plugins"
    plugins.mkdir()
    world.variables |= {"ALWAYS_CONTINUE": "True", "USE_PLUGINS": "true"}
    world.variables["PLUGINS_FOLDER"] = str(plugins)
    world.send(JOB)
    run_jobs(world, SOMETHING)
    said = words(world, "2-1")
    assert said[:2] == ["-c", "-r"]
    assert said[said.index("-g") + 1] == "Metadata_Position=2,Metadata_Site=1"
    assert said[-2:] == [f"--plugins-directory={plugins}", "--always-continue"]
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


@pytest.mark.parametrize("data_file", ["work/windows.csv", "work/windows.txt"])
def test_a_table_or_list_from_windows_is_understood_by_the_paths_of_its_job(
    world: World, data_file: str
) -> None:
    world.put("work/windows.csv", TABLE.replace("/home/ubuntu/bucket/", "D:\\screens\\"))
    world.put("work/windows.txt", "D:\\screens\\images\\a.tif\r\n")
    paths = {"d:\\screens": f"s3://{world.bucket}"}
    world.send({**JOB, "data_file": data_file, "paths": paths})
    run_jobs(world, SOMETHING)
    results = world.results("out/")
    assert results.get("P-2/files.txt", b"A") == b"A"
    assert "P-2/data.csv" in results or "P-2/files.txt" in results


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


def test_the_default_input_folder_is_brought_for_pipelines_that_read_rules(world: World) -> None:
    world.put("work/rules/rules.txt", "IF (a > 1)")
    world.send(JOB)
    run_jobs(world, SOMETHING)
    assert world.results("out/")["P-2/rules.txt"] == b"IF (a > 1)"


@pytest.fixture
def mount() -> Iterator[Path]:
    """A folder below one that something is mounted on, and that every Linux has."""
    folder = Path("/dev/shm")
    assert folder.is_mount()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def test_with_the_bucket_mounted_it_is_the_mounts_own_folder(world: World, mount: Path) -> None:
    world.variables["WORKER_MOUNT"] = str(mount.parent)
    world.put(f"{mount.name}/rules.txt", "of the bucket")
    (mount / "rules.txt").write_text("of the mount")
    world.send({**JOB, "input": mount.name})
    run_jobs(world, SOMETHING)
    said = words(world, "2-1")
    assert said[said.index("-i") + 1] == str(mount)
    assert world.results("out/")["P-2/rules.txt"] == b"of the mount"


def test_a_default_input_folder_that_is_not_for_one_job_is_left_where_it_is(world: World) -> None:
    small = SOMETHING.replace("MOST_FILES = 100", "MOST_FILES = 2")
    assert small != SOMETHING
    for name in ("rules.txt", "a.tif", "b.tif"):
        world.put(f"work/rules/{name}", "much")
    world.put("other/my.cppipe", "another pipeline")
    world.put("other/rules.txt", "its rules")
    world.send(JOB)
    world.send({**JOB, "input": "other", "output": "named"})
    run_jobs(world, small)
    assert "P-2/rules.txt" not in world.results("out/")
    assert "it holds too much" in world.worker_log()
    results = world.results("named/")
    assert results["P-2/pipeline.txt"] == b"the pipeline" and "P-2/rules.txt" not in results


def test_plugins_that_nothing_has_brought_are_a_dead_letter_that_says_what_to_do(
    world: World,
) -> None:
    world.variables |= {"USE_PLUGINS": "True", "PLUGINS_FOLDER": str(world.folder / "none")}
    world.send(JOB)
    run_jobs(world, SOMETHING)
    ((_, said),) = world.dead_letters()
    assert "there is no folder" in said and "INSTALL_SCRIPT = 's3://WORKSPACE" in said


@pytest.mark.parametrize("value", ['"True"', '"true"', "True"])
def test_the_config_installs_plugins_wherever_jobs_will_ask_for_them(
    value: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.py"
    shipped = (HERE / "config.py").read_text()
    config.write_text(shipped.replace('USE_PLUGINS = "False"', f"USE_PLUGINS = {value}"))
    assert load_settings(config).install_script.endswith("install-plugins.sh")
    assert load_settings(HERE / "config.py").install_script == ""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("first", ["#!{python}", "#!/usr/bin/env python3", "#!/bin/sh"])
def test_requirements_of_plugins_are_installed_for_the_python_that_runs_cellprofiler(
    first: str, tmp_path: Path
) -> None:
    python = program(tmp_path / "venv" / "python3", '#!/bin/sh\necho "python: $0 $*"\n')
    cellprofiler = program(tmp_path / "venv" / "cellprofiler", first.format(python=python) + "\n")
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    if "env" in first:
        path = f"{python.parent}:{path}"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cellprofiler").symlink_to(cellprofiler)
    plugins = tmp_path / "origin"
    git = ["git", "-c", "user.name=lab", "-c", "user.email=lab@localhost", "-C", str(plugins)]
    subprocess.run(["git", "init", "--quiet", plugins], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "Begin"], check=True)
    done = subprocess.run(
        ["bash", HERE / "install-plugins.sh"],
        env={
            "PATH": path,
            "HOME": str(tmp_path),
            "PLUGINS_FOLDER": str(tmp_path / "plugins"),
            "PLUGINS_URL": str(plugins),
            "INSTALL_REQUIREMENTS": "True",
            "REQUIREMENTS": "requirements.txt",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    wanted = f"python: {python} -m pip install --quiet --requirement requirements.txt"
    assert done.stdout.splitlines()[-1] == wanted
