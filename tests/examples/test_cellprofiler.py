"""The CellProfiler example: the family's job files, run with the real CellProfiler."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest

from .kit import EXAMPLES, build, rehearsed, settings_of
from .readme import Clone

HERE = EXAMPLES / "cellprofiler"
NUCLEI = {"2": 9, "76": 16, "218": 25}
BATCH = "2026_Batch1"
# What the steps of Cell Painting leave of plate P1, below projects/Spots.
PROJECTED = [f"{BATCH}/images_projected/P1/{well}_s1_DNA.tiff" for well in ("A01", "A02")]
ILLUMINATION = f"{BATCH}/illum/P1/P1_IllumDNA.npy"
QUALITY = f"workspace/qc/{BATCH}/results/P1-A01/Image.csv"
OUTLINES = f"workspace/assaydev/{BATCH}/P1-A01/A01_s1_outlines.png"
MEASURED = f"workspace/analysis/{BATCH}/P1/analysis"
BATCH_FILE = f"workspace/batchfiles/{BATCH}/Batch_data_analysis.h5"
# The module that makes a batch file, in the last place of the pipeline of analysis.
MAKES_BATCH_FILE = """
CreateBatchFiles:[module_num:6|svn_version:'Unknown'|variable_revision_number:8|show_window:False\
|notes:[]|batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False]
    Store batch files in default output folder?:Yes
    Output folder path:/tmp
    Are the cluster computers running Windows?:No
    Hidden- in batch mode:No
    Hidden- in distributed mode:No
    Hidden- default input folder at time of save:/tmp
    Hidden- revision number:0
    Hidden- from old matlab:No
    Local root path:/tmp
    Cluster root path:/tmp
"""


def counted(folder: Path) -> dict[str, int]:
    """The number of nuclei in each folder of results."""
    found = {}
    for path in folder.rglob("Image.csv"):
        (row,) = read(path)
        found[path.parent.name] = int(float(row["Count_Nuclei"]))
    return found


def read(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.tools
@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_the_commands_of_its_readme_measure_every_position(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    clone = Clone(tmp_path / "clone")
    clone.follow("cellprofiler")
    output = clone.results / "Spots_Analysis" / "projects" / "Spots" / "output"
    assert counted(output) == NUCLEI
    names = {path.name for path in (output / "2").iterdir()}
    assert {"Image.csv", "Nuclei.csv", "Experiment.csv"} <= names
    assert "cp.is.done" not in names


def jobs_of(step: str, wells: str, folder: Path, *flags: str) -> list[dict[str, Any]]:
    """The jobs of a step for some wells of the plate, as the batch generator makes them."""
    path = folder / f"{step}.jsonl"
    words = [
        step,
        "Spots",
        BATCH,
        "P1",
        "--wells",
        wells,
        "--sites",
        "1",
        "--write",
        str(path),
        *flags,
    ]
    subprocess.run([sys.executable, str(HERE / "run_batch_general.py"), *words], check=True)
    return [json.loads(line) for line in path.read_text().splitlines()]


def make_batch_file(engine: docker.DockerClient, image: str, project: Path, folder: Path) -> None:
    """Let CellProfiler itself make the batch file of analysis, which names images in the mount."""
    tables = f"/home/ubuntu/bucket/projects/Spots/workspace/load_data_csv/{BATCH}/P1"
    pipeline = (HERE / "painting" / "analysis.cppipe").read_text()
    for usual, own in {
        "ModuleCount:5": "ModuleCount:6",
        "location:Elsewhere...|": f"location:Elsewhere...|{tables}",
        "file:load_data.csv": "file:load_data_with_illum.csv",
    }.items():
        assert usual in pipeline
        pipeline = pipeline.replace(usual, own, 1)
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "batch.cppipe").write_text(pipeline + MAKES_BATCH_FILE)
    container = engine.containers.create(
        image,
        ["-c", "-r", "-p", "/made/batch.cppipe", "-i", "/tmp", "-o", "/made"],
        entrypoint="cellprofiler",
        environment={"HOME": "/tmp"},
        working_dir="/tmp",
        volumes={
            str(project.parents[1]): {"bind": "/home/ubuntu/bucket", "mode": "ro"},
            str(folder): {"bind": "/made", "mode": "rw"},
        },
    )
    try:
        container.start()
        container.wait(timeout=300)  # CellProfiler calls a run without images a failed one
        made = folder / "Batch_data.h5"
        assert made.is_file(), container.logs().decode()
    finally:
        container.remove(force=True)
    (project / BATCH_FILE).parent.mkdir(parents=True)
    shutil.copy(made, project / BATCH_FILE)


@pytest.mark.tools
@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_the_steps_of_cell_painting_build_on_each_other_by_table_list_and_batch_file(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    data, jobs = tmp_path / "data", tmp_path / "jobs.jsonl"
    subprocess.run([sys.executable, HERE / "make_plate.py", data], check=True)
    image = build(engine, "cellprofiler", driver="s3fs")
    brought = settings_of("cellprofiler", image, docker_cores=2)

    steps = [("zproj", "A01,A02"), ("illum", "A01"), ("qc", "A01")]
    made_of = ("--pipeline", "qc_of_a_list.cppipe", "--datafile-name", "files.txt")
    (by_list,) = jobs_of("qc", "A02", tmp_path, *made_of)
    by_list["Metadata"] = "Metadata_Well=A02"  # that is all that names of files tell
    tables = [job for step, wells in steps for job in jobs_of(step, wells, tmp_path)]
    write_lines(jobs, [*tables, by_list])
    rehearsed(brought, jobs, tmp_path / "first", data=data)
    made = tmp_path / "first" / "Spots_Analysis" / "projects"
    assert (made / "Spots" / ILLUMINATION).stat().st_size > 512 * 512
    (quality,) = read(made / "Spots" / QUALITY)
    assert float(quality["ImageQuality_MaxIntensity_DNA"]) > 0.5
    listed = read(made / "Spots" / QUALITY.replace("P1-A01", "A02"))
    assert [row["FileName_DNA"] for row in listed] == ["A02_s1_z1.tif", "A02_s1_z2.tif"]

    # What they made is where the next steps look for it.
    project = data / "projects" / "Spots"
    shutil.copytree(made, project.parent, dirs_exist_ok=True)
    assert all((project / one).is_file() for one in PROJECTED)
    make_batch_file(engine, image, project, tmp_path / "batch")
    mounted = brought.model_copy(update={"download_files": False, "mount_driver": "s3fs"})
    (by_table,) = jobs_of("analysis", "A01", tmp_path)
    pairs = (one.split("=") for one in by_table["Metadata"].split(","))
    by_table["Metadata"] = dict(pairs)  # as an object, for once
    by_batch_file = jobs_of("analysis", "A02", tmp_path, "--use-batch")
    assert by_batch_file[0]["data_file"].endswith(BATCH_FILE)
    write_lines(jobs, [*jobs_of("assaydev", "A01", tmp_path), by_table, *by_batch_file])
    rehearsed(mounted, jobs, tmp_path / "then", data=data)
    results = tmp_path / "then" / "Spots_Analysis" / "projects" / "Spots"
    assert (results / OUTLINES).stat().st_size > 1000
    # Each focal plane shows a part of them: the projection was measured.
    assert counted(results / MEASURED) == {"P1-A01-1": 9, "P1-A02-1": 16}


def write_lines(path: Path, jobs: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(job)}\n" for job in jobs))


@pytest.mark.parametrize("commit", ["", "first"])
def test_plugins_are_brought_at_the_commit_that_is_asked_for(commit: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    git = ["git", "-C", str(source), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    source.mkdir()
    subprocess.run([*git, "init", "-q"], check=True)
    for name in ("first", "second"):
        (source / "plugin.py").write_text(name)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", name], check=True)
        subprocess.run([*git, "tag", name], check=True)
    variables = {
        "PLUGINS_URL": str(source),
        "PLUGINS_FOLDER": str(tmp_path / "plugins"),
        "UPDATE_PLUGINS": "True" if commit else "False",
        "PLUGINS_COMMIT": commit,
        "INSTALL_REQUIREMENTS": "False",
    }
    subprocess.run(
        ["bash", HERE / "install-plugins.sh"], env={**os.environ, **variables}, check=True
    )
    assert (tmp_path / "plugins" / "plugin.py").read_text() == (commit or "second")
