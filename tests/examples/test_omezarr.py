"""The OME-Zarr example: plates are converted with the flags that are set, and looked through."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.builders import write_json

from .kit import EXAMPLES, rehearsed, settings_of
from .readme import Clone

HERE = EXAMPLES / "omezarr"
SIXTEEN = [f"{row}/{column}/{field}" for row in "AB" for column in ("01", "02") for field in "01"]


def metadata(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_plates_become_valid_zarrs_by_the_flags_that_are_set_and_no_other(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    clone = Clone(tmp_path / "clone")
    clone.follow("omezarr")
    bare = json.loads((HERE / "job.json").read_text())
    for flag in ("resolutions", "tile_width", "tile_height"):
        del bare[flag]
    bare |= {"additional_flags": "--target-min-size 32 --tile_width 100", "plates": ["BR002"]}
    jobs = write_json(tmp_path / "bare.json", bare)
    data = clone.results / "omezarr-data"
    rehearsed(settings_of("omezarr"), jobs, tmp_path / "bare", data=data)

    zarrs = clone.results / "OMEZarr" / "zarr"
    first = zarrs / "BR001.ome.zarr"
    other = tmp_path / "bare" / "OMEZarr" / "zarr" / "BR002.ome.zarr"
    assert (zarrs / "BR002.ome.zarr" / ".zattrs").is_file()
    attributes = metadata(first / ".zattrs")
    assert attributes["_creator"]["arguments"] == [
        "--resolutions=2", "--tile_width=64", "--tile_height=32",
    ]  # fmt: skip
    assert {well["path"] for well in attributes["plate"]["wells"]} == {one[:4] for one in SIXTEEN}
    assert all((first / one / "1" / ".zarray").is_file() for one in SIXTEEN)
    assert metadata(first / "A/01/0/0/.zarray")["chunks"] == [1, 32, 64]
    assert metadata(other / ".zattrs")["_creator"]["arguments"] == [
        "--target-min-size", "32", "--tile_width", "100",
    ]  # fmt: skip
    assert len(metadata(other / "A/01/0/.zattrs")["multiscales"][0]["datasets"]) == 3


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            ["resolutions=6", "tile_width=512", "tile_height=512", "target-min-size=64"],
            ["--resolutions=6", "--tile_width=512", "--tile_height=512", "--target-min-size=64"],
        ),
        (["resolutions=False", "tile_width=", "additional_flags=false"], []),
        (["additional_flags=--series 0 -p"], ["--series", "0", "-p"]),
    ],
)
def test_an_image_with_bioformats2raw_gives_it_the_flags_that_are_set(
    flags: list[str], expected: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "bioformats2raw"
    program.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    program.chmod(0o755)
    done = subprocess.run(
        [HERE / "convert-plate", "P/Images/Index.idx.xml", "P.ome.zarr", *flags],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [*expected, "P/Images/Index.idx.xml", "P.ome.zarr"]
