"""The Fiji example: a macro from bucket or web counts what was drawn, each job by itself."""

from __future__ import annotations

import csv
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest

from distributed_something.inputs.settings import load_settings
from tests.worker.world import World

from .kit import EXAMPLES, rehearsed, worked_with
from .readme import Clone

HERE = EXAMPLES / "fiji"
DRAWN = {"disc_07": "7", "disc_12": "12", "disc_20": "20"}


@pytest.fixture
def web() -> Iterator[str]:
    """The address at which the example's own folder can be read."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(HERE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def rows(folder: Path) -> list[dict[str, str]]:
    return [row for path in folder.rglob("*.csv") for row in csv.DictReader(path.open(newline=""))]


def changed(folder: Path, own: str, line: str) -> Path:
    """The example's config with another line for one of its own."""
    text = (HERE / "config.py").read_text()
    assert own in text
    path = folder / "config.py"
    path.write_text(text.replace(own, line))
    return path


def with_script(folder: Path, url: str) -> Path:
    """The example's config with the script at another address."""
    own = 'SCRIPT_DOWNLOAD_URL = "s3://AWS_BUCKET/scripts/spots.ijm"'
    return changed(folder, own, f'SCRIPT_DOWNLOAD_URL = "{url}"')


@pytest.mark.tools
@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_every_disc_is_counted_wherever_the_macro_comes_from_and_no_job_sees_another(
    engine: docker.DockerClient, web: str, tmp_path: Path
) -> None:
    clone = Clone(tmp_path / "clone")
    clone.follow("fiji")
    data = clone.results / "fiji-data"
    (data / "scripts" / "spots.ijm").unlink()
    from_web = load_settings(with_script(tmp_path, f"{web}/spots.ijm"))
    # One container, so that the jobs come one after the other.
    alone = from_web.model_copy(update={"cluster_machines": 1})
    rehearsed(alone, HERE / "job.json", tmp_path / "web", data=data)

    for folder in (clone.results / "Fiji", tmp_path / "web" / "Fiji"):
        assert {row["image"]: row["spots"] for row in rows(folder)} == DRAWN
        assert {row["last"] for row in rows(folder)} == {"none"}
        assert {path.name for path in (folder / "spots").iterdir()} == {
            f"{name}.csv" for name in DRAWN
        }


def test_an_image_with_fiji_starts_it_headless_with_all_metadata_in_one_word(
    web: str, tmp_path: Path
) -> None:
    fiji = tmp_path / "ImageJ-linux64"
    fiji.write_text('#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    fiji.chmod(0o755)
    given = "threshold='100', image='disc_07'"
    done = subprocess.run(
        [HERE / "run-script", f"{web}/spots.ijm", given],
        env={**os.environ, "FIJI": str(fiji)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    script = tmp_path / "spots.ijm"
    assert done.stdout.splitlines() == [
        *("--ij2", "--headless", "--console", "--run", str(script), given)
    ]
    assert script.read_text() == (HERE / "spots.ijm").read_text()


def test_a_job_that_makes_fewer_files_than_expected_has_failed(world: World) -> None:
    config = changed(world.folder, "EXPECTED_NUMBER_FILES = 1", "EXPECTED_NUMBER_FILES = 2")
    world.put("images/disc_07.tif", "the image")
    world.put("scripts/spots.ijm", "the macro")
    message = {
        **load_settings(config).job_defaults,
        "output_file_location": "spots",
        "shared_metadata": {},
        "Metadata": {"image": "disc_07"},
    }
    assert worked_with(world, "run-script", "echo 7 > output/disc_07.csv", message) == [
        "The output folder has 1 files of its own; done_when.min_files wants 2."
    ]
    assert world.results("spots/") == {}
