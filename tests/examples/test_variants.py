"""The variants example: what was planted into the genomes is what the joined table holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import docker
import pytest

from .kit import EXAMPLES, build, rehearsed, settings_of

HERE = EXAMPLES / "variants"


def script(name: str, *words: Path) -> str:
    done = subprocess.run(
        [sys.executable, HERE / name, *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_all_planted_variants_are_found_and_no_other(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    script("make_data.py", tmp_path / "data")
    settings = settings_of("variants", build(engine, "variants"))
    rehearsed(settings, HERE / "job.json", tmp_path / "rehearsal", data=tmp_path / "data")
    said = script(
        "join.py", tmp_path / "rehearsal", tmp_path / "all.csv", tmp_path / "data" / "truth.csv"
    )
    assert said.endswith("160 of 160 planted, 0 others.\n")


def test_joining_nothing_says_what_to_do_first(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, HERE / "join.py", tmp_path, tmp_path / "all.csv"],
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert "run the jobs first" in refused.stderr
