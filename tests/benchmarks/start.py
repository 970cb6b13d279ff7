"""How soon the program answers: CPU seconds of help, completion and slips, and what they import.

    python -m tests.benchmarks.start

The baseline is a Python that imports click and nothing else. Each is run several times, and the
least CPU time counts, since a busy computer adds to it. Then what `--help` imports, slowest first,
as `python -X importtime` tells it. Exits 1 if an answer takes more than 0.2 s of CPU.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

CLONE = Path(__file__).parents[2]
MOST = 0.2  # seconds of CPU
COMPLETION = {"_RUN_PY_COMPLETE": "bash_complete", "COMP_WORDS": "ds sta", "COMP_CWORD": "1"}
ANSWERS: dict[str, tuple[list[str], dict[str, str]]] = {
    "python and click": (["-c", "import click"], {}),
    "run.py --help": (["run.py", "--help"], {}),
    "run.py status --help": (["run.py", "status", "--help"], {}),
    "run.py statos": (["run.py", "statos"], {}),
    "completion": (["run.py"], COMPLETION),
    "setup_AWS.py --help": (["setup_AWS.py", "--help"], {}),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="runs of each")
    parser.add_argument("--modules", type=int, default=12, help="modules to show")
    arguments = parser.parse_args()
    slowest = 0.0
    for name, (words, environment) in ANSWERS.items():
        seconds = min(cpu_seconds(words, environment) for _ in range(arguments.times))
        slowest = max(slowest, seconds)
        print(f"{seconds:6.3f} s of CPU  {name}")
    print(f"\nWhat --help imports, of {len(imports(['run.py', '--help']))} modules:")
    for seconds, module in imports(["run.py", "--help"])[: arguments.modules]:
        print(f"{seconds:6.3f} s  {module}")
    return 0 if slowest <= MOST else 1


def cpu_seconds(words: list[str], environment: dict[str, str]) -> float:
    """What a Python with these words takes of CPU, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(words, environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imports(words: list[str]) -> list[tuple[float, str]]:
    """Seconds and name of each module that is imported, without what it imports itself."""
    said = _run(["-X", "importtime", *words], {}).stderr
    found = []
    for line in said.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdigit():
            found.append((int(parts[0]) / 1e6, parts[2].strip()))
    return sorted(found, reverse=True)


def _run(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=CLONE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
