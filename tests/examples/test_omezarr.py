"""The OME-Zarr example: plates are converted with the flags that are set, and looked through."""

from __future__ import annotations

import json
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
