"""Real workers with the job files of other families: where inputs come from and outputs go."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from distributed_something.local.rehearsal import rehearse
from tests.builders import settings, write_json
from tests.family_files import cellprofiler, omezarr

WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"


@pytest.mark.slow
def test_workers_find_a_plate_and_put_what_they_make_where_the_job_file_says(
    tmp_path: Path,
) -> None:
    plate = tmp_path / "data" / "images" / "P1" / "Images"
    plate.mkdir(parents=True)
    (plate / "Index.idx.xml").write_text("the index")
    places = {"input_bucket": "lab-data", "output_bucket": "lab-data"}
    path = write_json(tmp_path / "jobs.json", omezarr(["P1"], **places))
    command = ["cp", "{input_dir}/{path_to_metadata}", "{output_dir}/{plate}.ome.zarr"]
    report = rehearse(
        settings(CLUSTER_MACHINES=1, MEMORY=2000, JOB_DEFAULTS={"command": command}),
        path,
        data=tmp_path / "data",
        runtime="process",
        directory=tmp_path / "rehearsal",
    )
    assert report.succeeded
    made = tmp_path / "rehearsal" / "Counting" / "zarr" / "P1.ome.zarr"
    assert made.read_text() == "the index"


@pytest.mark.slow
def test_a_cellprofiler_job_file_is_rehearsed_with_three_buckets_and_private_machines(
    tmp_path: Path,
) -> None:
    groups = [{"Metadata": "Metadata_Plate=P1,Metadata_Site=2"}]
    content = cellprofiler(groups, output_structure="Metadata_Plate/Metadata_Site")
    path = write_json(tmp_path / "jobs.json", content)
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    (images / "s2.tif").write_text("x")
    script = f"import sys; open(sys.argv[3]).close(); {WRITE}"
    words = ["{output_dir}/groups.txt", "{Metadata}", "{input_dir}/s2.tif"]
    defaults = {"command": [sys.executable, "-c", script, *words], "inputs": ["images/s2.tif"]}
    report = rehearse(
        settings(
            CLUSTER_MACHINES=1,
            MEMORY=2000,
            JOB_DEFAULTS=defaults,
            ASSIGN_IP="False",
            SOURCE_BUCKET="pictures",
            WORKSPACE_BUCKET="workspace",
            DESTINATION_BUCKET="results",
        ),
        path,
        data=tmp_path / "data",
        runtime="process",
        directory=tmp_path / "rehearsal",
    )
    assert report.succeeded
    made = tmp_path / "rehearsal" / "Counting" / "results" / "P1" / "2" / "groups.txt"
    assert made.read_text() == "Metadata_Plate=P1,Metadata_Site=2"
