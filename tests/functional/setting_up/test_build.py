"""The verb `build`: what it refuses before it begins, what it says when it fails, what it makes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from distributed_something import __version__
from distributed_something.commands.setting_up.build import plan_build
from distributed_something.commands.setting_up.engine import (
    Progress,
    build_image,
    fetch_image,
    push_image,
)
from distributed_something.definitions.platform import AMD64, ARM64, platform_of
from distributed_something.errors import DistributedSomethingError, UsageError
from distributed_something.protocol import IMAGE_LABEL, PROTOCOL_VERSION
from tests.builders import settings
from tests.images import BASE, NAME, find_engine
from tests.registry import open_registry

ROOT = Path(__file__).resolve().parents[3]
CONFIG = """
APP_NAME = "Building"
DOCKERHUB_TAG = {tag!r}
AWS_BUCKET = "your-bucket-name"
CLUSTER_MACHINES = 1
MACHINE_TYPE = ["m5.large"]
MEMORY = 6000
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = find_engine()
    yield client
    client.close()


@pytest.fixture
def platform(engine: docker.DockerClient) -> str:
    return f"linux/{engine.images.get(BASE).attrs['Architecture']}"


def dockerfile(folder: Path, text: str) -> Path:
    path = folder / "Dockerfile"
    path.write_text(text)
    return path


def nothing(_: Progress) -> None:
    """Nobody looks."""


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "build", *words],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("machine_types", "platform"),
    [
        (["m5.large", "c6a.xlarge", "g4dn.xlarge", "g6e.xlarge", "u-6tb1.metal"], AMD64),
        (["m7g.large", "c6gn.xlarge", "t4g.micro", "x2gd.medium", "im4gn.large"], ARM64),
        (["a1.large", "g5g.xlarge"], ARM64),
    ],
)  # fmt: skip
def test_an_image_is_for_the_processors_of_its_machines(
    machine_types: list[str], platform: str
) -> None:
    assert platform_of(machine_types) == platform
    assert plan_build(settings(MACHINE_TYPE=machine_types), base="tool").platform == platform


def test_machines_of_two_kinds_of_processors_are_refused_unless_one_is_chosen() -> None:
    mixed = settings(MACHINE_TYPE=["m7g.large", "m5.large"])
    with pytest.raises(UsageError, match=r"Arm processors \(m7g.large\) and others \(m5.large\)"):
        plan_build(mixed, base="tool")
    assert plan_build(mixed, base="tool", platform=ARM64).platform == ARM64


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("user/distributed-something:sometag", "placeholder"),
        ("cellprofiler/distributed-fiji:latest", "first version"),
        ("lab/tool@sha256:0123", "digest"),
    ],
)
def test_a_name_that_cannot_be_built_is_refused(tag: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan_build(settings(DOCKERHUB_TAG=tag), base="tool")


def test_a_build_needs_to_be_told_where_the_tool_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--base IMAGE.*or --file DOCKERFILE"):
        plan_build(settings())
    with pytest.raises(UsageError, match=r"No .*Dockerfile here"):
        plan_build(settings(), file=tmp_path / "Dockerfile")


def test_a_folder_to_copy_from_needs_a_dockerfile_and_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM debian:bookworm-slim\n")
    with pytest.raises(UsageError, match="pass --file too"):
        plan_build(settings(), base="your/tool:1.0", context=tmp_path)
    with pytest.raises(UsageError, match="No folder"):
        plan_build(settings(), file=file, context=tmp_path / "none")
    assert plan_build(settings(), file=file, context=tmp_path).context == tmp_path


@pytest.mark.docker
@pytest.mark.parametrize("place", ["project/docker", "elsewhere"])
def test_a_dockerfile_copies_from_the_folder_that_is_named(
    engine: docker.DockerClient, platform: str, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "tool.txt").write_text("mine")
    (tmp_path / place).mkdir()
    file = dockerfile(tmp_path / place, f"FROM {BASE}\nCOPY tool.txt /tool.txt\n")
    tag = f"{NAME}:context"
    build_image(engine, folder, str(file), tag, {}, platform, nothing)
    printed = engine.containers.run(tag, ["/tool.txt"], entrypoint=["cat"], remove=True)
    assert printed == b"mine"


def test_s3fs_is_added_only_where_it_may_be_needed() -> None:
    assert plan_build(settings(), base="tool").driver == ""
    for driver, added in (("auto", "s3fs"), ("s3fs", "s3fs"), ("mount-s3", "")):
        mounting = settings(DOWNLOAD_FILES="False", MOUNT_DRIVER=driver)
        assert plan_build(mounting, base="tool").driver == added


def test_without_an_engine_the_command_says_so_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(CONFIG.format(tag="lab/tool:1.0"))
    done = run(tmp_path, "--base", "tool", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1
    assert done.stderr.startswith("Building an image needs a Docker engine")
    assert "Traceback" not in done.stderr


@pytest.mark.docker
def test_a_base_that_cannot_be_had_is_a_matter_of_usage(
    engine: docker.DockerClient, platform: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is not on this computer, and cannot be pulled"):
        fetch_image(engine, "127.0.0.1:9/nobody/nothing:1.0", platform, nothing)
    other = ARM64 if platform == AMD64 else AMD64
    here = "127.0.0.1:9/lab/here:1.0"
    path = dockerfile(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    build_image(engine, tmp_path, path.name, here, {}, platform, nothing)
    fetch_image(engine, here, platform, nothing)
    with pytest.raises(UsageError, match=f"is here only for {platform[6:]}"):
        fetch_image(engine, here, other, nothing)


@pytest.mark.docker
def test_a_step_that_fails_is_told_with_its_last_lines(
    engine: docker.DockerClient, platform: str, tmp_path: Path
) -> None:
    path = dockerfile(tmp_path, f"FROM {BASE}\nRUN echo fetching && echo no disk left && exit 7\n")
    with pytest.raises(DistributedSomethingError) as failed:
        build_image(engine, tmp_path, path.name, "lab/fails:1.0", {}, platform, nothing)
    assert "at 'RUN echo fetching" in str(failed.value)
    assert "non-zero code: 7" in str(failed.value)
    assert "    no disk left" in str(failed.value)


@pytest.mark.docker
def test_a_python_that_cannot_be_fetched_may_come_from_another_image(
    engine: docker.DockerClient, platform: str, tmp_path: Path
) -> None:
    base = {"BASE_IMAGE": BASE, "PYTHON_IMAGE": "127.0.0.1:9/nobody/python:3.12"}
    with pytest.raises(DistributedSomethingError, match="`--python IMAGE` sets another source"):
        build_image(engine, ROOT, "worker/Dockerfile", "lab/fails:1.0", base, platform, nothing)


@pytest.mark.docker
def test_a_dockerfile_with_a_mistake_is_told_by_its_line(
    engine: docker.DockerClient, platform: str, tmp_path: Path
) -> None:
    path = dockerfile(tmp_path, f"FROM {BASE}\nRUNN true\n")
    with pytest.raises(DistributedSomethingError, match=r"(?i)unknown instruction: RUNN"):
        build_image(engine, tmp_path, path.name, "lab/fails:1.0", {}, platform, nothing)


@pytest.mark.docker
def test_an_image_is_pushed_to_the_registry_of_its_name(
    engine: docker.DockerClient, platform: str, tmp_path: Path
) -> None:
    (tmp_path / "tool").write_text("the tool")
    path = dockerfile(tmp_path, "FROM scratch\nCOPY tool /tool\n")
    said: list[Progress] = []
    with open_registry() as registry:
        tag = f"{registry.address}/lab/tool:1.0"
        build_image(engine, tmp_path, path.name, tag, {}, platform, nothing)
        digest = push_image(engine, tag, said.append)
    assert digest.startswith("sha256:")
    assert list(registry.manifests) == ["lab/tool:1.0"]
    assert len(registry.blobs) == 2  # its layer and its config
    assert said


@pytest.mark.docker
def test_a_push_that_is_refused_says_how_to_log_in(
    engine: docker.DockerClient, platform: str, tmp_path: Path
) -> None:
    path = dockerfile(tmp_path, "FROM scratch\nCOPY Dockerfile /\n")
    with open_registry(refuses=True) as registry:
        tag = f"{registry.address}/lab/tool:1.0"
        build_image(engine, tmp_path, path.name, tag, {}, platform, nothing)
        with pytest.raises(DistributedSomethingError, match="could not be pushed") as refused:
            push_image(engine, tag, nothing)
    assert f"`docker login {registry.address}`" in str(refused.value)


@pytest.mark.docker
def test_a_push_to_nowhere_says_so(engine: docker.DockerClient) -> None:
    with pytest.raises(DistributedSomethingError, match="could not be pushed: "):
        push_image(engine, "127.0.0.1:9/lab/never-built:1.0", nothing)


@pytest.mark.docker
@pytest.mark.slow
def test_the_command_makes_a_tools_image_from_its_dockerfile_and_adds_the_worker(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    tag = f"{NAME}:commands"
    (tmp_path / "config.py").write_text(CONFIG.format(tag=tag))
    text = "ARG BASE_IMAGE=nobody/nothing\nFROM ${BASE_IMAGE}\nRUN echo mine > /mine\n"
    words = ("--file", str(dockerfile(tmp_path, text)), "--base", BASE, "--python", BASE)
    machine = engine.images.get(BASE).attrs["Architecture"]
    done = run(tmp_path, *words, "--platform", f"linux/{machine}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tag}\n"
    assert f"Building {NAME}:commands [1/" in done.stderr
    assert "\x1b" not in done.stderr
    assert "Jobs run as worker." in done.stderr
    labels = engine.images.get(tag).labels
    assert labels[IMAGE_LABEL] == PROTOCOL_VERSION
    assert labels["org.opencontainers.image.version"] == __version__
    printed = engine.containers.run(tag, ["/mine"], entrypoint=["cat"], remove=True)
    assert printed == b"mine\n"
