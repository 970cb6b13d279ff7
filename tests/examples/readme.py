"""Type the commands of an example's README, one after the other, as its reader does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.images import BASE, one_build_at_a_time

from .kit import EXAMPLES, ROOT

# What a reader types; other lines of a block show a file, or what a tool can do.
TYPED = ("python ", "nuclei ", "cat ", "pip ", "aws ", "make ")
# What needs an account, or a virtual environment of one's own.
ELSEWHERE = re.compile(
    r"^(aws|pip|make) |run\.py .*\b(check|setup|submitJob|startCluster|monitor|download)\b"
    r"|run_batch_general\.py|s3://"
)


def lines(name: str) -> list[str]:
    """All commands of an example's README, in order."""
    text = (EXAMPLES / name / "README.md").read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    shown = [line for block in blocks for line in block.splitlines()]
    # A tool's list of what it can do has its explanations beside it.
    return [line for line in shown if line.startswith(TYPED) and "  " not in line]


def here(name: str) -> list[str]:
    """Those that can be run with no account."""
    return [line for line in lines(name) if not ELSEWHERE.search(line)]


class Clone:
    """A folder that looks like a clone of the project, in which commands leave their results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir()
        for name in ("run.py", "config.py", "examples", "distributed_something", "worker"):
            (folder / name).symlink_to(ROOT / name)
        shutil.copytree(ROOT / "files", folder / "files")

    @property
    def results(self) -> Path:
        return self.folder / "rehearsal"

    def follow(self, name: str, *, runtime: str = "docker", **words: str) -> str:
        """Run an example's commands; returns what they printed to stdout.

        What they take from a registry is taken from here. `words` are appended to the verbs that
        they are named for. With processes as the runtime nothing is built.
        """
        more = {verb: f" {text}" for verb, text in words.items()}
        more["build"] = f" --base {BASE} --python {BASE}" + more.get("build", "")
        more["rehearse"] = f" --runtime {runtime}" + more.get("rehearse", "")
        chosen = [one for one in here(name) if runtime == "docker" or " build " not in one]
        # A README may come to its image after a run without it.
        chosen.sort(key=lambda line: " build " not in line)
        assert any(" rehearse " in line for line in chosen)
        said = ""
        for line in chosen:
            with _alone(name, line):
                said += self.type(line + more.get(_verb(line), ""))
        return said

    def type(self, line: str) -> str:
        """Run one command, which must succeed; returns what it printed to stdout."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            ["bash", "-euc", line],
            cwd=self.folder,
            env=clean
            | {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "MPLCONFIGDIR": str(self.folder / "matplotlib"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1500,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def _alone(name: str, line: str) -> AbstractContextManager[None]:
    if _verb(line) != "build":
        return nullcontext()
    return one_build_at_a_time(EXAMPLES / name / "Dockerfile")


def _verb(line: str) -> str:
    found = re.search(r"run\.py --config \S+ (\w+)", line)
    return found[1] if found else ""
