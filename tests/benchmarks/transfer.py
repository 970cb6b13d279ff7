"""How long the worker takes to move a job's files, beside `aws s3 cp` on the same endpoint.

    python -m tests.benchmarks.transfer [--files 200 --megabytes 100 --turns 3]

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
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST = 1.25  # times `aws s3 cp`
REPOSITORY = Path(__file__).parents[2]

# A job's own steps, as worker/job/attempt.py takes them, in a process of their own.
WORKER = """
import sys, time
from pathlib import Path
from distributed_something.protocol.buckets import Buckets
from distributed_something.protocol.upload_flags import UploadFlags
from worker.files.cache import Cache
from worker.clients import make_clients
from worker.files.inputs import Inputs
from worker.files.results import Destination, send_results, wanted_files
what, place, folder = sys.argv[1:]
s3, folder = make_clients("us-east-1").s3, Path(folder)
began = time.monotonic()
if what == "down":
    cache = Cache(folder.with_name("cache"))
    Inputs(s3, Buckets(*["bucket"] * 4), folder, lambda: None, cache).bring_all((place,))
else:
    files, flags = wanted_files(folder, UploadFlags()), UploadFlags()
    send_results(s3, folder, files, Destination("bucket", place), lambda: None, flags)
print(time.monotonic() - began)
"""


@dataclass(frozen=True)
class Size:
    """So many files of so many bytes; `place` is their prefix."""

    label: str
    place: str
    files: int
    size: int


@dataclass(frozen=True)
class Took:
    """Seconds of one turn: by the clock, without the process's start, and of the processors."""

    clock: float
    bare: float
    work: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="how many small ones")
    parser.add_argument("--megabytes", type=int, default=2000, help="of the large one")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--cli", help="the command line, if it is installed already")
    parser.add_argument("--folder", help="where all is kept, such as /dev/shm for no disk at all")
    options = parser.parse_args()
    sizes = [
        Size(f"{options.files:,} files of 20 kB", "small/", options.files, 20_000),
        Size(f"one file of {options.megabytes:,} MB", "large/", 1, options.megabytes * 10**6),
    ]
    worst = 0.0
    with (
        tempfile.TemporaryDirectory(prefix="transfer-", dir=options.folder) as name,
        served(Path(name)) as endpoint,
    ):
        folder = Path(name)
        cli = options.cli or install_cli(folder / "venv")
        environment = environment_for(endpoint)
        for size in sizes:
            worst = max(worst, compare(size, folder, cli, environment, options.turns))
    print(f"worst: {worst:.2f}, at most {MOST}")
    return 0 if worst <= MOST else 1


def compare(size: Size, folder: Path, cli: str, environment: dict[str, str], turns: int) -> float:
    """Print how both do with files of one size, and return the worst ratio."""
    source, target = folder / "source", folder / "target"
    make_files(source, size)

    def turn(way: str, whose: str) -> Took:
        clear(target)
        place = f"{whose}/{size.place}"
        if whose == "cli":
            pair = [str(source), f"s3://bucket/{place}"]
            if way == "down":
                pair = [f"s3://bucket/{place}", str(target)]
            command = [cli, "s3", "cp", "--recursive", "--only-show-errors", *pair]
        else:
            local, place = (source, place.rstrip("/")) if way == "up" else (target, place)
            command = [sys.executable, "-c", WORKER, way, place, str(local)]
        took = run(command, environment)
        check(way, target, size)
        return took

    worst = 0.0
    for way in ("up", "down"):
        ours, theirs = [], []
        for number in range(turns + 1):  # the first one is for the file system, and not counted
            first = [turn(way, "ours")]
            second = [turn(way, "cli")]
            if number:
                ours += first
                theirs += second
        worst = max(worst, show(f"{size.label} {way}", ours, theirs))
    shutil.rmtree(source)
    clear(target)
    return worst


def show(label: str, ours: list[Took], theirs: list[Took]) -> float:
    """Print the medians, and return the ratio of the clocks'."""

    def medians(all_took: list[Took]) -> Took:
        columns = ([getattr(one, name) for one in all_took] for name in ("clock", "bare", "work"))
        return Took(*map(statistics.median, columns))

    we, they = medians(ours), medians(theirs)
    print(
        f"{label:28} worker {we.clock:6.2f} s ({we.bare:6.2f} s without its start), "
        f"aws s3 cp {they.clock:6.2f} s: {we.clock / they.clock:.2f}; "
        f"of the processors {we.work:6.2f} s and {they.work:6.2f} s: {we.work / they.work:.2f}",
        flush=True,
    )
    return we.clock / they.clock


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


def run(command: list[str], environment: dict[str, str]) -> Took:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    clock = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{command[:3]} ended with exit code {done.returncode}.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(clock, float(done.stdout.strip() or clock), work)


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
