"""How long the worker takes to move a job's files, beside `aws s3 cp` on the same endpoint.

    python -m tests.benchmarks.transfer [--small]

2,000 files of 20 kB and one of 2 GB are brought and sent, by turns with the command line, five
times each; the medians' ratio must be 1.25 at most. The command line is installed from PyPI in a
virtual environment of the benchmark's own. The server is `disk_s3`, in a process of its own. Both
sides are a whole process's time, its start included; the worker's also without it, for a worker
does not start for a job. Exits 1 if a ratio, start included, is above the limit.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOST = 1.25  # times `aws s3 cp`
TURNS = 5
REPOSITORY = Path(__file__).parents[2]

# A job's own steps, as worker/attempt.py takes them, in a process of their own.
WORKER = """
import sys, time
from pathlib import Path
from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.upload_flags import UploadFlags
from worker.cache import Cache
from worker.clients import make_clients
from worker.inputs import Inputs
from worker.results import Destination, send_results
what, place, folder, share = sys.argv[1:]
s3, folder = make_clients("us-east-1").s3, Path(folder)
began = time.monotonic()
if what == "down":
    cache = Cache(folder.with_name("cache"), float(share))
    Inputs(s3, Buckets(*["bucket"] * 4), folder, lambda: None, cache).bring_all((place,))
else:
    send_results(s3, folder, Destination("bucket", place), lambda: None, UploadFlags())
print(time.monotonic() - began)
"""


@dataclass(frozen=True)
class Size:
    """So many files of so many bytes; `place` is their prefix."""

    label: str
    place: str
    files: int
    size: int


@dataclass
class Times:
    """Seconds of every turn; `bare` are the worker's without its process's start."""

    ours: list[float]
    bare: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.theirs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="200 files, 100 MB, three turns")
    parser.add_argument("--turns", type=int)
    parser.add_argument("--cli", help="the command line, if it is installed already")
    options = parser.parse_args()
    scale = 10 if options.small else 1
    sizes = [
        Size(f"{2000 // scale:,} files of 20 kB", "small/", 2000 // scale, 20_000),
        Size(f"one file of {2000 // (2 * scale if scale > 1 else 1):,} MB", "large/", 1,
             2_000_000_000 // (2 * scale if scale > 1 else 1)),
    ]  # fmt: skip
    turns = options.turns or (3 if options.small else TURNS)
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="transfer-") as name, served(Path(name)) as endpoint:
        folder = Path(name)
        cli = options.cli or install_cli(folder / "venv")
        environment = environment_for(endpoint)
        for size in sizes:
            worst = max(worst, compare(size, folder, cli, environment, turns))
    print(f"worst: {worst:.2f}, at most {MOST}")
    return 0 if worst <= MOST else 1


def compare(size: Size, folder: Path, cli: str, environment: dict[str, str], turns: int) -> float:
    """Print how both do with files of one size, and return the worst ratio."""
    source, target = folder / "source", folder / "target"
    make_files(source, size)

    def theirs(way: str) -> float:
        pair = [str(source), f"s3://bucket/cli/{size.place}"]
        if way == "down":
            pair = [f"s3://bucket/cli/{size.place}", str(target)]
        command = [cli, "s3", "cp", "--recursive", "--only-show-errors", *pair]
        return timed(lambda: run(command, environment))[0]

    def ours(way: str, share: float = 0.25) -> tuple[float, float]:
        local = source if way == "up" else target
        place = f"ours/{size.place}".rstrip("/" if way == "up" else "")
        command = [sys.executable, "-c", WORKER, way, place, str(local), str(share)]
        took, printed = timed(lambda: run(command, environment))
        return took, float(printed)

    worst = 0.0
    for way in ("up", "down"):
        times = Times([], [], [])
        for turn in range(turns + 1):  # the first one is for the file system and does not count
            clear(target)
            whole, bare = ours(way)
            check(way, target, size)
            clear(target)
            other = theirs(way)
            check(way, target, size)
            if turn:
                times.ours.append(whole)
                times.bare.append(bare)
                times.theirs.append(other)
        show(size, way, times)
        worst = max(worst, times.ratio)
    shutil.rmtree(source)
    clear(target)
    return worst


def show(size: Size, way: str, times: Times) -> None:
    ours, bare, theirs = map(statistics.median, (times.ours, times.bare, times.theirs))
    print(
        f"{size.label:24} {way:5} worker {ours:6.2f} s ({bare:6.2f} s without its start)   "
        f"aws s3 cp {theirs:6.2f} s   ratio {times.ratio:.2f} ({bare / theirs:.2f})",
        flush=True,
    )


def make_files(folder: Path, size: Size) -> None:
    folder.mkdir()
    block = os.urandom(min(size.size, 2**24))
    for number in range(size.files):
        with (folder / f"file-{number:05d}.bin").open("wb") as file:
            left = size.size
            while left:
                left -= file.write(block[:left])


def clear(folder: Path) -> None:
    """Empty the folder that is filled, and the worker's cache; let the disk come to rest."""
    for one in (folder, folder.with_name("cache")):
        shutil.rmtree(one, ignore_errors=True)
    folder.mkdir()
    os.sync()


def check(way: str, folder: Path, size: Size) -> None:
    if way == "down":
        found = [path.stat().st_size for path in folder.iterdir()]
        assert found == [size.size] * size.files, f"{len(found)} files, {sum(found)} bytes"


def timed(what: Callable[[], str]) -> tuple[float, str]:
    began = time.monotonic()
    result = what()
    return time.monotonic() - began, result


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(f"{command[:3]} ended with exit code {done.returncode}.")
    return done.stdout.strip()


def environment_for(endpoint: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def install_cli(folder: Path) -> str:
    """Install the AWS command line, and give its path."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "awscli"]
    subprocess.run(pip, check=True)
    version = subprocess.run([str(folder / "bin" / "aws"), "--version"], capture_output=True)
    print(version.stdout.decode().strip(), flush=True)
    return str(folder / "bin" / "aws")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The server, in a process of its own; its address."""
    objects = folder / "objects"
    objects.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.disk_s3", str(objects)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
