"""The OME-Zarr example: plates are converted with the flags that are set, and looked through."""

from __future__ import annotations

import json
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.builders import write_json
from tests.worker.world import World

from .kit import EXAMPLES, rehearsed, settings_of, worked_with
from .readme import Clone

HERE = EXAMPLES / "omezarr"
SIXTEEN = [f"{row}/{column}/{field}" for row in "AB" for column in ("01", "02") for field in "01"]


def metadata(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.tools
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


def convert(folder: Path, bioformats2raw: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """What convert-plate does in an image with this bioformats2raw, whose entry point names it."""
    program = folder / "_entrypoint.sh"
    program.write_text(f"#!/bin/bash\nset -e\n[ $1 = bioformats2raw ]\nshift\n{bioformats2raw}\n")
    program.chmod(0o755)
    return subprocess.run(
        [HERE / "convert-plate", "P/Images/Index.idx.xml", "P.ome.zarr", *flags],
        env={"PATH": "/usr/bin:/bin", "OMEZARR": str(HERE), "ENTRY_POINT": str(program)},
        cwd=folder,
        capture_output=True,
        text=True,
    )


def write_plate(folder: Path, compressor: str | None) -> Path:
    """A plate of one well with one image of 6 x 4 pixels of two bytes, in chunks of 4 x 4."""
    plate = folder / "P.ome.zarr"
    array = plate / "A/1/0/0"
    (array / "0").mkdir(parents=True)
    write_json(plate / ".zattrs", {"plate": {"wells": [{"path": "A/1"}]}})
    write_json(plate / "A/1/.zattrs", {"well": {"images": [{"path": "0"}]}})
    write_json(plate / "A/1/0/.zattrs", {"multiscales": [{"datasets": [{"path": "0"}]}]})
    told = {"shape": [4, 6], "chunks": [4, 4], "dtype": "<u2", "dimension_separator": "/"}
    kind = {"id": compressor} if compressor else None
    write_json(array / ".zarray", {**told, "compressor": kind, "filters": None})
    pixels = bytes(32)
    packed = zlib.compress(pixels) if compressor == "zlib" else pixels
    if compressor == "blosc":
        packed = struct.pack("<BBBBIII", 2, 1, 0, 2, 32, 32, 16 + 9) + bytes(9)
    for name in "01":
        (array / "0" / name).write_bytes(packed)
    return plate


DAMAGE = {
    "rm P.ome.zarr/A/1/0/0/0/1": "0/0/1",
    "truncate --size=-3 P.ome.zarr/A/1/0/0/0/1": "the chunk P.ome.zarr/A/1/0/0/0/1",
    "truncate --size=0 P.ome.zarr/A/1/0/0/0/1": "is empty",
    "echo '{}' > P.ome.zarr/.zattrs": "KeyError: 'plate'",
    "rm -r P.ome.zarr/A": ".zattrs",
    """echo '{"plate": {"wells": []}}' > P.ome.zarr/.zattrs""": "holds no image",
}


@pytest.mark.parametrize("compressor", [None, "blosc", "zlib"])
def test_a_plate_that_is_whole_is_said_to_be(compressor: str | None, tmp_path: Path) -> None:
    write_plate(tmp_path, compressor)
    done = convert(tmp_path, "true")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "P.ome.zarr is whole: 1 wells, 1 arrays.\n"


@pytest.mark.parametrize("compressor", [None, "blosc", "zlib"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_plate_of_which_something_is_missing_is_refused_though_the_converter_ended_well(
    damage: str, compressor: str | None, tmp_path: Path
) -> None:
    write_plate(tmp_path, compressor)
    done = convert(tmp_path, damage)
    assert done.returncode == 1
    assert DAMAGE[damage] in done.stderr
    assert ("holds no image" in done.stderr) or ("is not whole" in done.stderr)


@pytest.mark.parametrize(("attributes", "fails"), [('{"plate": {}}', False), ("{}", True)])
def test_a_job_whose_zarr_has_no_plate_in_it_has_failed(
    attributes: str, fails: bool, world: World
) -> None:
    """Whatever the converter and the look through its work say."""
    world.put("plates/P1/Images/Index.csv", "the plate")
    shared = json.loads((HERE / "job.json").read_text())
    places = {"input_bucket": world.bucket, "output_bucket": world.bucket, "plate": "P1"}
    del shared["_comment"], shared["plates"]
    message = {**settings_of("omezarr").job_defaults, **shared, **places}
    script = f'mkdir -p "$2"; echo \'{attributes}\' > "$2/.zattrs"'
    reasons = worked_with(world, "convert-plate", script, message)
    assert bool(reasons) is fails
    assert all("plate" in reason for reason in reasons)
    assert bool(world.results("zarr/")) is not fails


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
    write_plate(tmp_path, None)
    done = convert(tmp_path, 'for word in "$@"; do echo "$word"; done', *flags)
    assert done.returncode == 0, done.stderr
    given = [*expected, "P/Images/Index.idx.xml", "P.ome.zarr"]
    assert done.stdout.splitlines()[:-1] == given


def test_a_converter_on_the_path_is_taken_and_its_failure_is_the_jobs(tmp_path: Path) -> None:
    write_plate(tmp_path, None)
    program = tmp_path / "bioformats2raw"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    done = subprocess.run(
        [HERE / "convert-plate", "Index.idx.xml", "P.ome.zarr"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "OMEZARR": str(HERE)},
        cwd=tmp_path,
    )
    assert done.returncode == 7
