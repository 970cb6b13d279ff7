"""Whether this machine is to take jobs: read from the ledger once a minute, for all its loops.

The supervisor asks, and leaves the answer in a file that every loop reads before each job.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distributed_something.protocol.ledger.run_ledger import RunLedger

_FILE = "takes-no-jobs"
CLOSED = "The run ends soon, and this machine ends first (FINISH)."


@dataclass(frozen=True)
class RunState:
    """Why no job is taken, '' if jobs are; `asked` in seconds since 1970."""

    why_not: str
    asked: float

    @property
    def is_closed(self) -> bool:
        """Whether it is this machine alone that takes none."""
        return self.why_not == CLOSED


def ask_run_state(ledger: RunLedger, instance_id: str, *, may_close: bool) -> str:
    """Why this machine is to take no more jobs; '' if it is to take them."""
    stopped = ledger.why_stopped()
    if stopped:
        return f"The run is stopped: {stopped}"
    return CLOSED if may_close and instance_id in ledger.machines.closed_machines() else ""


def write_run_state(folder: Path, why_not: str) -> None:
    """Leave the answer for the loops, whole at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{_FILE}.new"
    fresh.write_text(why_not)
    fresh.replace(folder / _FILE)


def read_run_state(folder: Path) -> RunState | None:
    """What the supervisor left last; None before it asked."""
    path = folder / _FILE
    try:
        return RunState(path.read_text(), path.stat().st_mtime)
    except OSError:
        return None
