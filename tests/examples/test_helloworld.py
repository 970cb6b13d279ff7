"""The hello world example: what its README says happens, with the image and without."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from .kit import EXAMPLES, ROOT, build, rehearsed, settings_of

NAME = "helloworld"


@pytest.mark.slow
def test_the_commands_of_its_readme_end_with_the_line_that_it_promises(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```\n(.*?)^```$", (EXAMPLES / NAME / "README.md").read_text(), re.M | re.S
    )
    commands, promised = blocks[:2]
    commands = commands.replace("python run.py", f"{sys.executable} {ROOT / 'run.py'}")
    commands = commands.replace("examples/", f"{EXAMPLES}/").replace(
        "rehearse ", "rehearse --runtime process "
    )
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(promised)


@pytest.mark.slow
@pytest.mark.docker
def test_its_containers_greet_every_world(engine: docker.DockerClient, tmp_path: Path) -> None:
    settings = settings_of(NAME, build(engine, NAME))
    report = rehearsed(settings, EXAMPLES / NAME / "job.json", tmp_path, data=None)
    assert report.runtime == "docker"
    texts = {path.parent.name: path.read_text() for path in tmp_path.rglob("HelloWorld.txt")}
    assert texts == {
        world: f"Hello, {world}! I am Ada.\n" for world in ("Mercury", "Venus", "The Earth")
    }
