"""However a rehearsal ends, no process, port or temporary file of it is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import psutil
import pytest

from tests.builders import write_json

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


class Play:
    """A rehearsal in a process of its own; its processes carry a mark in their environment."""

    def __init__(
        self, folder: Path, verb: str = "rehearse", image: str = "", **variables: str
    ) -> None:
        self.mark = f"REHEARSAL_OF={folder}"
        self.temporary = folder / "tmp"
        self.started = folder / "started"
        self.errors = folder / "errors"
        self.temporary.mkdir()
        self.started.mkdir()
        mark = f"pathlib.Path({str(self.started)!r}, '{{n}}').touch()"
        tool = f"import pathlib, time; {mark}; time.sleep(600)"
        jobs = {"command": [sys.executable, "-c", tool], "groups": [{"n": n} for n in range(4)]}
        job_file = write_json(folder / "jobs.json", jobs)
        environment = os.environ | {"TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT)}
        environment |= variables
        environment["REHEARSAL_OF"] = str(folder)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.local.play",
                verb,
                str(folder),
                str(job_file),
                "docker" if image else "process",
                image or "-",
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self.errors.open("w"),
            text=True,
            start_new_session=True,  # a closed terminal signals a whole session
        )

    def wait_for_tools(self, count: int) -> None:
        wait_until(lambda: len(list(self.started.iterdir())) >= count, self)

    def processes(self) -> list[psutil.Process]:
        """Every living process that carries the mark."""
        return [process for process in psutil.process_iter() if self.mark in marks(process)]

    def ports(self) -> list[int]:
        return [
            connection.laddr.port
            for connection in psutil.Process(self.process.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]

    def close(self) -> None:
        for process in self.processes():
            process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def marks(process: psutil.Process) -> list[str]:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return []
        return [f"{name}={value}" for name, value in process.environ().items()]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def wait_until(condition: Callable[[], bool], play: Play) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert play.process.poll() is None, play.errors.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_until_gone(play: Play) -> None:
    deadline = time.monotonic() + PATIENCE
    while play.processes():
        assert time.monotonic() < deadline, play.processes()
        time.sleep(0.1)


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    played = Play(tmp_path)
    yield played
    played.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_rehearsal_that_is_told_to_end_leaves_nothing(play: Play, number: signal.Signals) -> None:
    play.wait_for_tools(2)
    ports = play.ports()
    assert len(ports) > 1  # the account's, and the machines' metadata
    play.process.send_signal(number)
    assert play.process.wait(PATIENCE) != 0
    assert play.processes() == []
    assert list(play.temporary.iterdir()) == []
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


@pytest.mark.slow
def test_ctrl_c_ends_a_rehearsal_that_a_script_started_in_the_background(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does for `command &`
    try:
        play = Play(tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        play.wait_for_tools(1)
        play.process.send_signal(signal.SIGINT)
        play.process.wait(PATIENCE)
        assert play.processes() == []
        assert list(play.temporary.iterdir()) == []
    finally:
        play.close()


@pytest.mark.slow
def test_a_closed_terminal_ends_every_process_although_all_get_the_signal(play: Play) -> None:
    play.wait_for_tools(2)
    os.killpg(play.process.pid, signal.SIGHUP)
    play.process.wait(PATIENCE)
    assert play.processes() == []
    assert list(play.temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="others cannot find a dead tool's children")
def test_a_rehearsal_that_is_killed_takes_its_workers_and_tools_along(play: Play) -> None:
    play.wait_for_tools(2)
    assert len(play.processes()) > 5
    play.process.kill()
    play.process.wait(PATIENCE)
    wait_until_gone(play)
    left = [path for path in play.temporary.rglob("*") if path.is_file()]
    assert [path.name for path in left] in ([], ["fleet.json"])  # nobody was left to remove that


@pytest.mark.slow
def test_a_second_signal_does_not_cut_the_cleaning_up_short(play: Play) -> None:
    play.wait_for_tools(2)
    for _ in range(3):
        play.process.send_signal(signal.SIGINT)
        play.process.send_signal(signal.SIGTERM)
    play.process.wait(PATIENCE)
    assert play.processes() == []
    assert list(play.temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("folders", [1, 2])
def test_a_signal_right_after_a_folder_was_made_leaves_no_folder(
    tmp_path: Path, folders: int
) -> None:
    play = Play(tmp_path, STRIKE_AFTER=f"mkdir {folders}")
    try:
        assert play.process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert play.processes() == []
        assert list(play.temporary.iterdir()) == []
    finally:
        play.close()


@pytest.mark.slow
@pytest.mark.docker
def test_a_signal_while_the_engine_is_tried_leaves_no_container(
    tmp_path: Path, engine: docker.DockerClient, image: str
) -> None:
    play = Play(tmp_path, STRIKE_AFTER="create 1", image=image)
    try:
        assert play.process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert play.processes() == []
        names = [one.name for one in engine.containers.list(all=True)]
        assert not [name for name in names if str(name).startswith(f"ds-{play.process.pid}-")]
    finally:
        play.close()


@pytest.mark.slow
def test_serving_ends_with_ctrl_c_and_frees_its_port(tmp_path: Path) -> None:
    play = Play(tmp_path, verb="serve")
    try:
        assert play.process.stdout is not None
        endpoint, fleet_file = json.loads(play.process.stdout.readline())
        port = int(endpoint.rsplit(":", 1)[1])
        assert "LaunchSpecifications" in json.loads(Path(fleet_file).read_text())
        socket.create_connection(("127.0.0.1", port)).close()
        play.process.send_signal(signal.SIGINT)
        play.process.wait(PATIENCE)
        assert play.processes() == []
        assert list(play.temporary.iterdir()) == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    finally:
        play.close()
