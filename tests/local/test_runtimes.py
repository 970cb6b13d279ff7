"""Workers as processes: what they are given, how they are stopped, what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from distributed_something.local.machines.runtimes import Container, ProcessRuntime, ProcessWorker

LEASH = Path(__file__).parents[2] / "distributed_something" / "local" / "machines" / "leash.py"
PATIENCE = 60.0
# Its child leaves its process group, as daemons do.
FORKING = (
    "import subprocess, sys, time;"
    "tool = [sys.executable, '-c', 'import time; time.sleep(600)'];"
    "subprocess.Popen(tool, start_new_session=True);"
    "print('ready', flush=True); time.sleep(600)"
)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessRuntime]:
    monkeypatch.setenv("AWS_PROFILE", "a-real-account")
    started = ProcessRuntime()
    yield started
    started.close()


def container(tmp_path: Path, **environment: str) -> Container:
    return Container("i-1-task", "lab/image", environment, 1000, tmp_path / "log")


def wait_for(worker: ProcessWorker) -> int:
    deadline = time.monotonic() + PATIENCE
    while (code := worker.exit_code()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return code


def test_a_worker_that_cannot_start_says_why_in_its_log(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    worker = runtime.start(container(tmp_path))
    assert wait_for(worker) == 2
    assert "APP_NAME is missing" in (tmp_path / "log").read_text()


def leashed(folder: Path, *command: str) -> tuple[subprocess.Popen[str], int]:
    """A command on a leash, and the end of the leash that we hold."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, str(LEASH), str(reader), str(folder), *command],
        pass_fds=[reader],
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(reader)
    return process, writer


def test_a_leash_that_is_let_go_kills_everything_and_removes_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    process, leash = leashed(folder, sys.executable, "-c", FORKING)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) == 2
    os.close(leash)
    assert process.wait(PATIENCE) == 137
    process.stdout.close()
    assert [one for one in below if one.is_running()] == []
    assert not folder.exists()


def test_a_leashed_command_gives_its_exit_code_and_gets_its_signals(tmp_path: Path) -> None:
    catching = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));"
        "print('ready', flush=True); time.sleep(600)"
    )
    process, leash = leashed(tmp_path / "none", sys.executable, "-c", catching)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.wait(PATIENCE) == 7
    process.stdout.close()
    os.close(leash)


def test_what_a_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    leaving = FORKING.replace("time.sleep(600)'", "time.sleep(601)'").rsplit(";", 1)[0]
    process, leash = leashed(tmp_path / "none", sys.executable, "-c", leaving)
    assert process.wait(PATIENCE) == 0
    assert process.stdout is not None
    process.stdout.close()
    os.close(leash)
    left = [one for one in psutil.process_iter(["cmdline"]) if "time.sleep(601)" in str(one.info)]
    assert left == []
