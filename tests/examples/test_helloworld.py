"""The hello world example: what its README says happens, with the image and without."""

from __future__ import annotations

import re
from pathlib import Path

import docker
import pytest

from .kit import EXAMPLES
from .readme import Clone

NAME = "helloworld"


def promised() -> str:
    text = (EXAMPLES / NAME / "README.md").read_text()
    _, words, *_ = re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)
    return str(words)


@pytest.mark.slow
def test_the_commands_of_its_readme_end_with_the_line_that_it_promises(tmp_path: Path) -> None:
    assert Clone(tmp_path / "clone").follow(NAME, runtime="process").endswith(promised())


@pytest.mark.slow
@pytest.mark.docker
def test_its_containers_greet_every_world(engine: docker.DockerClient, tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    assert clone.follow(NAME).endswith(promised())
    texts = {path.parent.name: path.read_text() for path in clone.results.rglob("HelloWorld.txt")}
    assert texts == {
        world: f"Hello, {world}! I am Ada.\n" for world in ("Mercury", "Venus", "The Earth")
    }
