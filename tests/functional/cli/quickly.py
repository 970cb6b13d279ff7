"""Run a command of ours as it is typed, but let `monitor` look often: a process of its own.

python -m tests.functional.cli.quickly run.py monitor [RECORD]
"""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path

from distributed_something.cli import connection
from distributed_something.commands.watching.monitor import Pace
from distributed_something.local.pace import PACE

CLONE = Path(__file__).parents[3]


def main(script: str, *words: str) -> None:
    usual = Pace()
    pace = replace(PACE, patience=usual.patience, export_seconds=usual.export_seconds)
    vars(connection)["monitor_pace"] = lambda: pace
    sys.argv = [script, *words]
    runpy.run_path(str(CLONE / script), run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
