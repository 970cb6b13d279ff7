"""The commands that the book shows do what it says, taken from its pages and run in their order.

They run in a copy of this clone, against a simulated account that `rehearse --serve` serves.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.book_pages import CLONE, Block, blocks, commands
from tests.images import BASE, find_engine

PYTHON = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
WRAPPING = "wrapping_your_tool.md"
# Each step page's commands, in a run's order; the wrapping page goes through the last one, monitor.
STEPS = (
    "step_0_prep.md",
    "step_1_configuration.md",
    "step_2_submit_jobs.md",
    "step_3_start_cluster.md",
    "hygiene.md",
)
WATCHING = "step_4_monitor.md"
BUCKET = "the-labs-own-bucket"


def own(text: str) -> str:
    """The book's text with what every reader has to replace."""
    return text.replace("your-bucket-name", BUCKET).replace("XXXXXXXXXXXX", "123456789012")


@dataclass
class Reader:
    """Somebody who has cloned the project, and types what the book says."""

    clone: Path
    exported: dict[str, str]

    def follow(self, block: Block) -> str:
        """Write the file of a block, or run its commands; returns what they printed to stdout."""
        if block.file:
            path = self.clone / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(own(block.text))
            return ""
        return "".join(map(self.run, block.commands if block.language == "bash" else []))

    def run(self, line: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            ["bash", "-euc", own(line)],
            cwd=self.clone,
            env=clean | {"HOME": str(self.clone), "PATH": PYTHON} | self.exported,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    clone = tmp_path_factory.mktemp("book") / "clone"
    ignored = shutil.ignore_patterns(".git", ".venv", "rehearsal", "__pycache__", ".*_cache")
    shutil.copytree(CLONE, clone, ignore=ignored)
    for path in (clone / "config.py", clone / "files" / "exampleFleet_us-east-1.json"):
        path.write_text(own(path.read_text()))
    files = Reader(clone, {})
    for block in blocks(WRAPPING):
        if block.file:
            files.follow(block)
    serving = subprocess.Popen(
        [
            *(sys.executable, "run.py", "--config", "sorting/config.py"),
            *("rehearse", "--serve", "--runtime", "process"),
        ],
        cwd=clone,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout is not None
        line = serving.stdout.readline()
        assert line.startswith("export AWS_ENDPOINT_URL="), line
        yield Reader(clone, dict(word.split("=", 1) for word in line.split()[1:]))
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait(timeout=60)


def needs_engine(block: Block) -> bool:
    return any(" build " in line or "--runtime docker" in line for line in block.commands)


@pytest.mark.slow
@pytest.mark.docker
def test_the_page_on_wrapping_a_tool_makes_an_image_that_does_its_jobs_in_containers(
    reader: Reader,
) -> None:
    find_engine().close()
    for block in blocks(WRAPPING):
        if block.language == "bash" and any("sorting/data/lists" in one for one in block.commands):
            reader.follow(block)
    building, rehearsing = (
        line for block in blocks(WRAPPING) if needs_engine(block) for line in block.commands
        if block.language == "bash"
    )  # fmt: skip
    # What the page takes from Docker Hub is taken from here.
    built = reader.run(f"{building} --base {BASE} --python {BASE}")
    assert built == "user/sorting:1.0\n"
    result = reader.clone / "rehearsal" / "Sorting" / "sorted" / "fruit" / "fruit.txt"
    result.unlink(missing_ok=True)
    reader.run(rehearsing)
    assert result.read_text() == "apple\npear\n"


@pytest.mark.slow
def test_the_page_on_wrapping_a_tool_goes_from_nothing_to_results(reader: Reader) -> None:
    printed = ""
    for block in (one for one in blocks(WRAPPING) if not needs_engine(one)):
        if block.language == "text":
            assert printed.endswith(block.text)
        else:
            printed = reader.follow(block)
    results = reader.run(
        "python -c \"import boto3; s3 = boto3.client('s3'); print(*(o['Key'] for o in "
        "s3.list_objects_v2(Bucket='your-bucket-name', Prefix='sorted/')['Contents']))\""
    )
    assert results.split() == ["sorted/fruit/fruit.txt", "sorted/trees/trees.txt"]


@pytest.mark.slow
def test_the_commands_of_the_step_pages_work_in_their_order(reader: Reader) -> None:
    typed = [line for page in STEPS for line in commands(page)]
    assert {"setup", "submitJob", "startCluster", "cancel"} <= {
        line.split()[2] for line in typed if line.startswith("python run.py")
    }
    for line in dict.fromkeys(typed):
        reader.run(line)
    left = reader.run("python run.py cancel --list --json").splitlines()
    assert [one for one in left if '"stays": false' in one] == []


def test_every_command_of_ours_on_these_pages_is_one_that_is_run() -> None:
    ours = ("python run.py", "python setup_AWS.py")
    for page in (WRAPPING, *STEPS):
        shown = [line for block in blocks(page) for line in block.commands]
        left_out = [line for line in shown if line.startswith(ours) and line not in commands(page)]
        assert left_out == []
        assert [line for line in shown if line.startswith(ours)]


def test_the_page_on_watching_shows_a_command_that_another_page_runs() -> None:
    plain = [line.replace(" --config sorting/config.py", "") for line in commands(WRAPPING)]
    assert commands(WATCHING) == ["python run.py monitor"]
    assert set(commands(WATCHING)) <= set(plain)


def test_what_the_page_on_watching_shows_besides_is_for_when_something_went_wrong() -> None:
    # Tested in test_cancel.py, test_retry.py and test_download.py; a new one needs its own.
    aside = [line for block in blocks(WATCHING) if not block.language for line in block.commands]
    verbs = {line.removeprefix("python run.py ").split()[0] for line in aside}
    assert verbs == {"cancel", "retry", "download", "startCluster"}
    assert {block.language for block in blocks(WATCHING)} == {"", "bash"}


def test_the_workers_makefile_calls_build() -> None:
    words = ["make", "-n", "-C", "worker", "BASE=your/tool:1.0", "CONFIG=sorting/config.py"]
    dry = subprocess.run(words, cwd=CLONE, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr
    line = "run.py --config sorting/config.py build --base your/tool:1.0"
    assert line in dry.stdout and "--push" in dry.stdout
    assert "--push" not in subprocess.run(
        [*words, "build"], cwd=CLONE, capture_output=True, text=True
    ).stdout  # fmt: skip
    assert subprocess.run(words[:4], cwd=CLONE, capture_output=True).returncode != 0
