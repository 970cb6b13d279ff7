"""The CellProfiler example: the family's job files, run with the real CellProfiler."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from tests.builders import write_json

from .kit import EXAMPLES, build, rehearsed, settings_of

HERE = EXAMPLES / "cellprofiler"
NUCLEI = {"2": 9, "76": 16, "218": 25}


def counted(folder: Path) -> dict[str, int]:
    """The number of nuclei in each folder of results."""
    found = {}
    for path in folder.rglob("Image.csv"):
        with path.open(newline="") as file:
            (row,) = csv.DictReader(file)
        found[path.parent.name] = int(float(row["Count_Nuclei"]))
    return found


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_every_position_is_measured_by_strings_and_by_objects_of_metadata(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, HERE / "make_data.py", tmp_path / "data"], check=True)
    settings = settings_of("cellprofiler", build(engine, "cellprofiler"), docker_cores=2)
    rehearsed(settings, HERE / "job.json", tmp_path / "strings", data=tmp_path / "data")
    output = tmp_path / "strings" / "Spots_Analysis" / "projects" / "Spots" / "output"
    assert counted(output) == NUCLEI
    names = {path.name for path in (output / "2").iterdir()}
    assert {"Image.csv", "Nuclei.csv", "Experiment.csv"} <= names
    assert "cp.is.done" not in names

    jobs = json.loads((HERE / "job.json").read_text())
    jobs["groups"] = [{"Metadata_Position": 76}]
    jobs["output_structure"] = "at-Metadata_Position"
    objects = write_json(tmp_path / "objects.json", jobs)
    rehearsed(settings, objects, tmp_path / "objects", data=tmp_path / "data")
    assert counted(tmp_path / "objects") == {"at-76": 16}


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
