"""A worker whose something.py is the one that the book shows."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.book_pages import blocks

from ..world import REPOSITORY, World


def clone_with(folder: Path, something: str) -> Path:
    """The worker and what it imports, with another something.py."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "worker", folder / "worker", ignore=ignored)
    package = folder / "distributed_something"
    shutil.copytree(
        REPOSITORY / "distributed_something" / "protocol", package / "protocol", ignore=ignored
    )
    for name in ("__init__.py", "errors.py"):
        shutil.copy(REPOSITORY / "distributed_something" / name, package)
    (folder / "worker" / "something.py").write_text(something)
    return folder


def run_jobs(world: World, something: str, job_retries: int = 2) -> None:
    """Let a worker with this something.py do all that is in the queue."""
    clone = clone_with(world.folder / "clone", something)
    with (world.folder / "worker-0.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            cwd=clone,
            env={**world.environment(job_retries=job_retries), "PYTHONPATH": str(clone)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    world.workers.append(worker)
    world.until_empty()
    assert world.stop() == [0]


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, text in files.items():
            file.writestr(f"{name}.txt", text)
    return packed.getvalue()


def test_the_books_example_prepares_runs_and_checks(world: World) -> None:
    (shown,) = (one.text for one in blocks("something.md") if one.file == "something.py")
    world.put("in/P1.zip", archive(a="one", b="two"))
    world.put("in/P2.zip", archive(a="one", b=""))
    world.put("in/P3.zip", archive())
    for plate in ("P1", "P2", "P3"):
        world.send({"inputs": ["in/{plate}.zip"], "group": {"plate": plate}})
    run_jobs(world, shown)
    assert world.results() == {"P1/a.txt": b"one", "P1/b.txt": b"two"}
    assert sorted(reason for _, reason in world.dead_letters()) == [
        "2 attempts failed; the last one: b.txt is empty.",
        "The archive of P3 holds no text files.",
    ]


def test_a_mistake_in_it_is_told_and_the_next_job_runs(world: World) -> None:
    source = (REPOSITORY / "worker" / "something.py").read_text()
    broken = source.replace(
        "    if not job.keys.command:", "    job.values['well']\n    if not job.keys.command:"
    )
    assert broken != source
    world.send({"command": "true", "group": {"plate": "P1"}})
    good = world.send({"command": "true", "group": {"plate": "P1", "well": "A01"}})
    run_jobs(world, broken)
    assert world.done() == [good]
    assert [reason for _, reason in world.dead_letters()] == [
        "worker/something.py: KeyError: 'well'"
    ]
