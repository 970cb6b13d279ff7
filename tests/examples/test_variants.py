"""The variants example: its README's commands find what was planted into the genomes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import docker
import pytest

from .kit import EXAMPLES
from .readme import Clone

HERE = EXAMPLES / "variants"


@pytest.mark.tools
@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.timeout(1800)  # its image is built first
def test_all_planted_variants_are_found_and_no_other(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    said = Clone(tmp_path / "clone").follow("variants")
    promised = "160 of 160 planted, 0 others."
    assert promised in (HERE / "README.md").read_text()
    assert said.endswith(f"{promised}\n")


def test_joining_nothing_says_what_to_do_first(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, HERE / "join.py", tmp_path, tmp_path / "all.csv"],
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert "run the jobs first" in refused.stderr
