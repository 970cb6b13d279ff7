"""Screens as they were once looked at and found good; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
CLONE = Path(__file__).parents[1]

# What differs from one run of a test to the next, and what stands for it.
_RANDOM = (
    (re.compile(r"\b(subnet|sg|vpc|ami|igw|lt|i)-[0-9a-f]{8,17}\b"), r"\1-0"),
    (re.compile(r"(?<!\d)\d{8}-\d{6}-[0-9a-f]{4}\b"), "20260102-030405-abcd"),
    (re.compile(r"\bsfr-[0-9a-f-]{36}\b"), "sfr-0"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://127.0.0.1:0"),
)


def screen(
    words: list[str], folder: Path, environment: Mapping[str, str], *, width: int = 100
) -> tuple[int, str, str]:
    """Run `run.py` as a person does; its exit code, stdout, and what the person sees."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, str(CLONE / "run.py"), *words],
        cwd=folder,
        env={**clean, "HOME": str(folder), "NO_COLOR": "1", "COLUMNS": str(width), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def check_golden(name: str, seen: str, **stands_for: str) -> None:
    """Compare a screen with the kept one; `stands_for` are words, and what replaces them."""
    for word, instead in stands_for.items():
        seen = seen.replace(instead, word)
    for pattern, instead in _RANDOM:
        seen = pattern.sub(instead, seen)
    seen = "\n".join(line.rstrip() for line in seen.splitlines()) + "\n"
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(seen)
    assert seen == path.read_text(), f"{path} differs: look at it, then UPDATE_GOLDEN=1"
