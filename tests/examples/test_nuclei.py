"""The nuclei example: its tool, and a run of it as the demo does it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.builders import write_json

from .kit import build, rehearsed, settings_of
from .readme import Clone

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "nuclei"
BIN = Path(sys.executable).parent
TILES = {f"{row}{column:02d}" for row in "ABCDE" for column in range(1, 6)}


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    words = [str(word) for word in command]
    environment = {**os.environ, "PATH": path, "MPLCONFIGDIR": str(folder / "matplotlib")}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def nuclei(*words: str | Path, folder: Path) -> str:
    done = run(BIN / "nuclei", *words, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("nuclei")
    nuclei("cut", "data/tiles", folder=folder)
    yield folder / "data" / "tiles"


def test_the_picture_is_cut_into_the_tiles_that_the_job_file_names(tiles: Path) -> None:
    assert {tile.stem for tile in tiles.iterdir()} == TILES


def test_a_nucleus_at_an_edge_is_counted_by_one_tile_alone(tiles: Path, tmp_path: Path) -> None:
    for name in ("B02", "B03"):
        nuclei("measure", tiles / f"{name}.png", name, "--margin", "32", folder=tmp_path)
    left, right = rows(tmp_path / "B02/nuclei.csv"), rows(tmp_path / "B03/nuclei.csv")
    # Both see the nuclei at their common edge; 102 pixels is how far apart the tiles are.
    seen_left = {(round(float(n["x"]) - 102), round(float(n["y"]))) for n in left}
    seen_right = {(round(float(n["x"])), round(float(n["y"]))) for n in right}
    assert left and right
    assert not seen_left & seen_right
    assert all(-0.5 <= float(n["x"]) < 101.5 for n in (*left, *right))


def test_a_tile_without_colours_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "grey.pgm").write_bytes(b"P5 4 4 255\n" + bytes(16))
    refused = run(BIN / "nuclei", "measure", "grey.pgm", "out", folder=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == "nuclei: grey.pgm has no colours; the stains are told apart by them.\n"


def test_joining_nothing_is_refused_in_one_line(tmp_path: Path) -> None:
    refused = run(BIN / "nuclei", "join", ".", "joined", folder=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == "nuclei: . holds no results; run the jobs first.\n"


@pytest.mark.slow
def test_the_commands_of_its_readme_end_in_one_table_and_one_picture(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    said = clone.follow("nuclei", runtime="process", rehearse="--jobs 6")

    assert "Nuclei in 6 tiles" in said
    joined = rows(clone.results / "Nuclei/joined/nuclei.csv")
    assert {nucleus["tile"] for nucleus in joined} == {"A01", "A02", "A03", "A04", "A05", "B01"}
    assert max(float(nucleus["x"]) for nucleus in joined) > 4 * 102
    assert (clone.results / "Nuclei/joined/nuclei.png").stat().st_size > 100_000


@pytest.mark.tools
@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_its_containers_measure_tiles_that_the_join_takes(
    engine: docker.DockerClient, tiles: Path, tmp_path: Path
) -> None:
    settings = settings_of("nuclei", build(engine, "nuclei"))
    job = json.loads((EXAMPLE / "job.json").read_text())
    jobs = write_json(tmp_path / "job.json", {**job, "groups": [{"tile": "C02"}, {"tile": "C03"}]})
    rehearsed(settings, jobs, tmp_path / "rehearsal", data=tiles.parent)
    said = nuclei("join", "rehearsal/Nuclei", "joined", folder=tmp_path)
    assert said.startswith("Nuclei in 2 tiles")
    assert {nucleus["tile"] for nucleus in rows(tmp_path / "joined/nuclei.csv")} == {"C02", "C03"}
