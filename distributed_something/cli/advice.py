"""Name the fleet file that fits the account and region which a verb talks to."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

from ..commands.removing.unfinished import Unfinished
from ..local import FLEET_VARIABLE
from .connection import is_simulated
from .options import FILES
from .people import besides, next_steps, say

UNKNOWN = "FLEET.json"
# Keys of what is in one region alone.
_BOUND = re.compile(
    r'"(ImageId|SnapshotId|SubnetId|Groups|GroupId|KeyName|AvailabilityZone|LaunchTemplateId)"'
)
_KINDS = ("LaunchSpecifications", "LaunchTemplateConfigs", "SpotFleetRequestConfig")
_LARGEST = 1_000_000  # bytes of a fleet file; a job file beside it may have a million groups
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


def start_words(region: str) -> str:
    """`startCluster` and a fleet file: the served rehearsal's own, or one that fits the region.

    That is the one that is named for it, else one that names nothing of another region.
    """
    served = os.environ.get(FLEET_VARIABLE, "")
    if is_simulated():
        return f"startCluster {shlex.quote(served) if Path(served).is_file() else UNKNOWN}"
    named = FILES / f"exampleFleet_{region}.json"
    fitting = [named] if named.is_file() else _fitting(region)
    return f"startCluster {shlex.quote(str(fitting[0])) if fitting else UNKNOWN}"


def _fitting(region: str) -> list[Path]:
    return [path for path in sorted(FILES.glob("*.json")) if _fits(path, region)]


def _fits(path: Path, region: str) -> bool:
    """Whether a file is a fleet file that may be used in a region."""
    try:
        if path.stat().st_size > _LARGEST:
            return False
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text)
    except (OSError, ValueError):
        return False
    if not isinstance(content, dict) or not any(kind in content for kind in _KINDS):
        return False
    named = _REGION.search(path.name)
    return (named is not None and named[0] == region) or not _BOUND.search(text)


def try_again(region: str) -> tuple[str, ...]:
    """The verbs that go on with a run that is over, and whose queue has gone with it."""
    return ("setup", "retry", start_words(region))


def show_unfinished(unfinished: Unfinished, region: str, *, is_told: bool = False) -> None:
    """Which jobs are neither done nor given up, and how to go on with their run in its region.

    With `is_told` what follows has been said already.
    """
    if not unfinished.count:
        return
    more = unfinished.count - len(unfinished.names)
    names = ", ".join(unfinished.names) + (f" and {more:,} more" if more else "")
    say(f"Not done: {names}.", style="yellow")
    if not is_told:
        next_steps(*try_again(region))
    if unfinished.path:
        besides("In a new run, in place of retry", f"submitJob {shlex.quote(str(unfinished.path))}")
