"""Inputs read from a bucket that is mounted, by s3fs in a real container."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from docker.models.containers import Container

from tests.images import worker_on
from worker.files.mount import LASTING, TRIES, Bucket, Mount, find_driver, mount_command
from worker.job.outcomes import MachineFault

from ..containers import Containers
from ..world import World, until

MOUNTING: dict[str, Any] = {
    "user": "root",
    "devices": ["/dev/fuse:/dev/fuse:rw"],
    "cap_add": ["SYS_ADMIN"],
}
BUCKET = Bucket("plates", "eu-west-1", Path("/home/ubuntu/bucket"))
_LINE = "90 27 0:44 / /home/ubuntu/bucket ro,nosuid - {kind} {source} ro,user_id=0,allow_other"
_PYTHON = "/opt/distributed-something/python/bin/python3"
_KILL = "kill -9 $(cat /proc/[0-9]*/stat 2>/dev/null | grep '(s3fs)' | cut -d' ' -f1)"


@pytest.fixture(scope="module")
def mounting_image(engine: docker.DockerClient) -> str:
    return worker_on(engine, "mounting", driver="s3fs")


@pytest.fixture
def mounting(containers: Containers, mounting_image: str) -> Containers:
    containers.image = mounting_image
    return containers


def start(containers: Containers, **settings: Any) -> Container:
    told = {"mount_driver": "auto", "download_files": False, **settings}
    return containers.start(settings=told, **MOUNTING)


def says(container: Container, *words: bytes) -> bool:
    return any(word in container.logs() for word in words)


@pytest.mark.docker
@pytest.mark.slow
def test_inputs_are_read_from_the_mounted_bucket_which_is_mounted_again_when_it_drops(
    world: World, mounting: Containers
) -> None:
    world.put("plates/P1/a.txt", "alpha")
    world.put("plates/P1/b.txt", "beta")
    script = (
        'for name in a b; do cat "$INPUT_DIR/$name.txt"; done > "$OUTPUT_DIR/both.txt"; '
        'readlink "$INPUT_DIR/a.txt"; id -un; cat /home/ubuntu/bucket/plates/P1/a.txt; echo; '
        'touch /home/ubuntu/bucket/new || echo "for reading alone"'
    )
    shared = {"command": script, "shell": True, "inputs": ["plates/P1/"]}
    first = world.send({**shared, "group": {"plate": "first"}})
    container = start(mounting)
    until(lambda: first in world.done(), "the first job is done")
    until(lambda: says(container, b"is mounted on"), "the worker has noted the mount")
    container.exec_run(["sh", "-c", _KILL], user="root")
    until(lambda: says(container, b"dropped"), "the worker sees that the mount dropped")
    second = world.send({**shared, "group": {"plate": "second"}})
    until(lambda: second in world.done(), "the second job is done")
    world.until_empty()
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0
    lines = world.log("first")
    assert "/home/ubuntu/bucket/plates/P1/a.txt" in lines
    assert "worker" in lines and "alpha" in lines and "for reading alone" in lines
    assert world.results() == {"first/both.txt": b"alphabeta", "second/both.txt": b"alphabeta"}
    assert world.ended(second)[0].number == 1
    assert container.logs().count(b"is mounted on /home/ubuntu/bucket") == 2


@pytest.mark.docker
@pytest.mark.slow
def test_a_missing_input_and_a_list_are_what_they_are_without_a_mount(
    world: World, mounting: Containers
) -> None:
    world.put("lists/own.txt", "plates/c.txt\n")
    world.put("plates/c.txt", "gamma")
    missing = world.send(
        {"command": "true", "inputs": ["plates/none.txt"], "group": {"plate": "missing"}}
    )
    listed = world.send(
        {
            "command": 'cat $(cat "$INPUT_DIR/own.txt") > "$OUTPUT_DIR/c.txt"',
            "shell": True,
            "inputs": [{"list": "lists/own.txt"}],
            "group": {"plate": "listed"},
        }
    )
    container = start(mounting)
    world.until_empty()
    container.stop(timeout=30)
    ((_, reason),) = world.dead_letters()
    assert reason == f"The input s3://{world.bucket}/plates/none.txt does not exist."
    assert world.ended(missing)[0].state == "failed"
    assert world.done() == [listed]
    assert world.results() == {"listed/c.txt": b"gamma"}


@pytest.mark.docker
@pytest.mark.slow
def test_a_bucket_that_cannot_be_mounted_is_the_machines_fault_and_no_job_is_taken(
    world: World, mounting: Containers
) -> None:
    world.send({"command": "true", "group": {"plate": "P1"}})
    container = start(mounting, source_bucket="nobody-has-this-bucket")
    until(lambda: says(container, b"Waiting for the end"), "the worker gives its machine up")
    assert says(container, b"The bucket nobody-has-this-bucket cannot be mounted")
    assert world.counts() == (1, 0)
    assert world.attempts() == []


@pytest.mark.docker
@pytest.mark.slow
def test_a_mount_that_hangs_or_is_taken_away_is_made_again_though_its_program_lives(
    world: World, mounting: Containers
) -> None:
    world.put("plates/P1/a.txt", "alpha")
    container = start(mounting)
    script = Path(__file__).with_name("hanging_mount.py").read_text()
    code, said = container.exec_run([_PYTHON, "-I", "-c", script], user="root")
    assert isinstance(said, bytes)
    assert (code, said.splitlines()[-1]) == (0, b"Mounted again twice."), said.decode()


@pytest.mark.docker
def test_an_image_without_a_program_that_mounts_says_what_it_lacks(
    world: World, containers: Containers
) -> None:
    container = containers.start(settings={"mount_driver": "s3fs", "download_files": False})
    until(lambda: says(container, b"s3fs is not in the image"), "the worker says what it lacks")
    assert world.attempts() == []


def test_a_program_that_neither_mounts_nor_ends_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    program = tmp_path / "s3fs"
    program.write_text("#!/bin/sh\nsleep 600\n")
    program.chmod(0o755)
    clock = 0.0
    bucket = Bucket("plates", "eu-west-1", tmp_path / "bucket")
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    mount = Mount(bucket, "auto", variables, now=lambda: clock)
    tried: set[int] = set()

    def keep() -> bool:
        mount.keep()
        tried.update(mount.pids)
        return not mount.pids

    try:
        for _ in range(TRIES - 1):
            assert not keep()
            clock += 59.0
            assert not keep()
            clock += 2.0
            until(keep, "the program that does not mount is ended")
            clock += 30.0
        assert not keep()
        clock += 61.0
        with pytest.raises(MachineFault, match="s3fs ran for 60 s without the bucket"):
            until(keep, "the machine is given up")
        assert len(tried) == TRIES
    finally:
        mount.end()


class _Steady(Bucket):
    """A bucket that is mounted whenever it is asked for."""

    def is_mounted(self, table: str | None = None) -> bool:
        return True


@pytest.mark.parametrize(("lasting", "given_up"), [(LASTING - 1, True), (LASTING + 1, False)])
def test_a_mount_that_drops_again_and_again_is_a_fault_of_the_machine_unless_it_lasts_between(
    tmp_path: Path, lasting: float, given_up: bool
) -> None:
    program = tmp_path / "s3fs"
    program.write_text("#!/bin/sh\necho 'the line is bad'\nexec sleep 600\n")
    program.chmod(0o755)
    clock = 0.0
    bucket = _Steady("plates", "eu-west-1", tmp_path / "bucket")
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    mount = Mount(bucket, "s3fs", variables, now=lambda: clock)

    def drop() -> None:
        """Mount, let it last, and drop it; the next look is the one that notices."""
        nonlocal clock
        mount.keep()
        mount.keep()
        clock += lasting
        mount.keep()
        (pid,) = mount.pids
        process = psutil.Process(pid)
        process.kill()
        until(lambda: process.status() == psutil.STATUS_ZOMBIE, "the program has ended")

    try:
        for _ in range(TRIES):
            drop()
        if given_up:
            with pytest.raises(MachineFault, match="plates does not stay mounted on"):
                mount.keep()
        else:
            mount.keep()
            assert mount.pids
    finally:
        mount.end()


@pytest.mark.parametrize(
    ("kind", "source", "mounted"),
    [
        ("fuse.s3fs", "plates", True),
        ("fuse", "mountpoint-s3", True),
        ("fuse.s3fs", "another", False),
        ("overlay", "plates", False),
    ],
)
def test_only_the_right_bucket_counts_as_mounted(kind: str, source: str, mounted: bool) -> None:
    root = "22 1 0:20 / / rw - overlay overlay rw\n"
    table = root + _LINE.format(kind=kind, source=source)
    assert BUCKET.is_mounted(table) is mounted
    assert not BUCKET.is_mounted(root)


def test_mountpoint_for_s3_comes_before_s3fs() -> None:
    def found(*programs: str) -> Callable[[str], str | None]:
        return lambda name: f"/usr/bin/{name}" if name in programs else None

    assert find_driver("auto", found("mount-s3", "s3fs")) == "mount-s3"
    assert find_driver("auto", found("s3fs")) == "s3fs"
    assert find_driver("s3fs", found("mount-s3", "s3fs")) == "s3fs"
    with pytest.raises(MachineFault, match="mount-s3 or s3fs is not in the image"):
        find_driver("auto", found())


def test_a_mount_takes_its_credentials_from_the_tasks_role_and_names_none() -> None:
    role = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"}
    assert mount_command("mount-s3", BUCKET, role) == [
        *("mount-s3", "--foreground", "--read-only", "--allow-other", "--region", "eu-west-1"),
        *("plates", "/home/ubuntu/bucket"),
    ]
    options = mount_command("s3fs", BUCKET, role)[-1].split(",")
    assert {"ro", "ecs", "url=https://s3.eu-west-1.amazonaws.com", "fsname=plates"} <= set(options)
    assert "requester_pays" not in options
    paying = replace(BUCKET, requester_pays=True)
    assert "--requester-pays" in mount_command("mount-s3", paying, role)
    assert "requester_pays" in mount_command("s3fs", paying, role)[-1].split(",")
    assert "iam_role=auto" in mount_command("s3fs", BUCKET, {})[-1]
    keys = {"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert "AKIAX" not in " ".join(mount_command("s3fs", BUCKET, keys))
