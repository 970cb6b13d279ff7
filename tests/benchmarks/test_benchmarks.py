"""Every benchmark runs at its smallest size and prints its figures: none dies unnoticed.

Figures are read and none is judged: how quick they are is a busy machine's doing, and a benchmark
that ends with 1 has measured, too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[2]
NUMBER = r"([\d,]*\.?\d+)"
# What the benchmark of transfers compares with, as far as it calls it.
AWS_CLI = f"""#!{sys.executable}
import os, sys, boto3
from pathlib import Path
_, _, _, _, _, source, target = sys.argv
s3 = boto3.client("s3")
if source.startswith("s3://"):
    bucket, prefix = source[5:].split("/", 1)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page["Contents"]:
            s3.download_file(bucket, item["Key"], str(Path(target, Path(item["Key"]).name)))
else:
    bucket, prefix = target[5:].split("/", 1)
    for path in Path(source).iterdir():
        s3.upload_file(str(path), bucket, prefix + path.name)
"""


@dataclass(frozen=True)
class Small:
    """The smallest size of a benchmark, and its figures: patterns, each with how often it comes."""

    words: str
    figures: tuple[tuple[str, int], ...]


BENCHMARKS = {
    "attempts": Small(
        "4", ((rf"4 attempts .* {NUMBER} s of CPU +{NUMBER} requests .* {NUMBER} MB", 4),)
    ),
    "chaos": Small("4 1", ((rf"4 jobs, {NUMBER} attempts, .*, 0 duplicates", 1),)),
    "listing": Small("--keys 10 --runs 1", ((rf"ratio {NUMBER}", 1),)),
    "money": Small(
        "--seeds 1 --cases A --rules fast", ((rf"A +fast +{NUMBER} ±{NUMBER} +{NUMBER} ", 1),)
    ),
    "monitor": Small(
        "--machines 1 --slots 1 --jobs 5",
        ((rf"1 machines, 5 jobs, .*: {NUMBER} requests, {NUMBER} s of CPU, {NUMBER} MiB", 2),),
    ),
    "recovery": Small(
        "--lease 3 --runs 1",
        tuple((rf"{name} +{NUMBER} s", 1) for name in ("spot notice", "SIGTERM", "SIGKILL")),
    ),
    "rehearsal": Small("20 40", ((rf"0 jobs: +{NUMBER} jobs/s", 2), (rf"ratio {NUMBER}", 1))),
    "report": Small("5", ((rf"5 jobs .* page +{NUMBER} MB  memory {NUMBER} MiB", 1),)),
    "rights": Small("{seen}", ((rf"{NUMBER} requests of {NUMBER} operations", 4),)),
    "start": Small("--times 1 --modules 1", ((rf"^ *{NUMBER} s of CPU  ", 7),)),
    "status": Small("--jobs 20 --delay 0", ((rf"20 jobs, +{NUMBER} keys: +{NUMBER} LIST", 1),)),
    "submit": Small("--groups 20 --delay 0", ((rf"20 jobs, +{NUMBER} s", 4),)),
    "teardown": Small(
        "2", ((rf"^ +2 +{NUMBER} +{NUMBER} +{NUMBER} s +{NUMBER} s +{NUMBER} s", 1),)
    ),
    "transfer": Small("--files 2 --megabytes 1 --turns 1 --cli {cli}", ((rf"worst: {NUMBER}", 1),)),
    "weather": Small("--seeds 1", ((rf"1 runs, {NUMBER} jobs: 0 bad", 1),)),
    "worker": Small("--jobs 3", ((rf"{NUMBER} ms a job", 3),)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_prints_its_figures_at_its_smallest_size(name: str, tmp_path: Path) -> None:
    cli, seen = tmp_path / "aws", tmp_path / "seen"
    seen.mkdir()
    cli.write_text(AWS_CLI)
    cli.chmod(0o755)
    words = [word.format(cli=cli, seen=seen) for word in BENCHMARKS[name].words.split()]
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{name}", *words],
        cwd=CLONE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    for pattern, times in BENCHMARKS[name].figures:
        found = re.findall(pattern, done.stdout, re.MULTILINE)
        assert len(found) == times, f"{pattern}\n{done.stdout}\n{done.stderr}"


def test_every_benchmark_is_run_here() -> None:
    """A benchmark says in its first lines how it is called; its helpers do not."""
    named = {
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if re.search(
            rf"^ *python -m tests\.benchmarks\.{path.stem}\b", path.read_text(), re.MULTILINE
        )
    }
    assert named == set(BENCHMARKS)
