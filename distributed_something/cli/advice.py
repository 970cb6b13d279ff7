"""Say which verbs come next, by how the run stands, with files that fit its account."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ..command_lines import DEFAULT_CONFIG, config_in_use
from ..commands.reading.status import Status
from ..commands.reading.why_stuck import UNWATCHED_SECONDS
from ..commands.removing.unfinished import Unfinished
from ..local import FLEET_VARIABLE
from ..protocol.ledger.record import find_record
from ..snapshot import RunSnapshot
from .connection import is_simulated
from .options import FILES
from .people import next_steps, offer, say

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..inputs.settings import Settings

UNKNOWN = "FLEET.json"
_JOB_FILES = ("job.json", "jobs.json", "jobs.jsonl", "jobs.csv")  # as the examples have them
# Keys of what is in one region alone.
_BOUND = re.compile(
    r'"(ImageId|SnapshotId|SubnetId|Groups|GroupId|KeyName|AvailabilityZone|LaunchTemplateId)"'
)
_KINDS = ("LaunchSpecifications", "LaunchTemplateConfigs", "SpotFleetRequestConfig")
_LARGEST = 1_000_000  # bytes of a fleet file; a job file beside it may have a million groups
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


@dataclass(frozen=True)
class RunState:
    """How a run stands, as far as the next step depends on it; jobs are counted."""

    submitted: int = 0
    left: int = 0  # neither done nor given up
    done: int = 0
    given_up: int = 0
    failing: int = 0  # failed, and tried again
    machines: int = 0  # there or asked for
    is_ended: bool = False
    is_stopped: bool = False
    is_watched: bool = False  # by a monitor or the Lambda

    @classmethod
    def of_status(cls, seen: Status) -> RunState:
        """The same of a status."""
        jobs, kinds = seen.jobs, {trouble.kind for trouble in seen.why}
        return cls(
            submitted=jobs.submitted,
            left=jobs.left,
            done=jobs.done,
            given_up=jobs.dead,
            failing=jobs.failed,
            machines=max(seen.target, len(seen.machines)),
            is_ended=seen.ended is not None,
            is_stopped="stopped" in kinds,
            is_watched="monitor not running" not in kinds,
        )


def read_state(aws: Aws, settings: Settings) -> RunState:
    """How the app's live or last run stands; what may not be read counts as not there."""
    try:
        record = find_record(aws.s3, settings.aws_bucket, settings.app_name)
        if record is None or not record.run_id:
            return RunState()
        seen = RunSnapshot(aws, record, time.time())
        survey = seen.survey
        watched = survey.watched is not None and survey.looked - survey.watched < UNWATCHED_SECONDS
        return RunState(
            submitted=survey.submitted,
            left=survey.submitted - len(survey.done) - len(survey.dead),
            done=len(survey.done),
            given_up=len(survey.dead),
            failing=sum(last.has_failed for last in survey.open.values()),
            machines=0 if record.ended else seen.target,
            is_ended=record.ended is not None,
            is_stopped=survey.is_stopped,
            is_watched=watched,
        )
    except (ClientError, BotoCoreError):
        return RunState()


def next_verbs(
    state: RunState, start: str, jobs: str = "submitJob JOBS.json", *, after: str = ""
) -> tuple[str, ...]:
    """The verbs that come next, in order; `start` and `jobs` are startCluster's and submitJob's.

    `after` is the verb that was just run.
    """
    see = ("logs --failed",) if state.given_up or state.failing else ()
    if state.is_ended and after == "setup":
        return ("retry", start) if state.left or state.given_up else (jobs,)
    if state.is_ended and (state.left or state.given_up):
        return (*see, "retry", start)
    if state.is_ended and state.done:
        return ("download",)
    if state.is_ended:
        return ("setup", jobs, start)
    if not state.submitted:
        return (jobs,)
    if state.left <= 0:
        return (*see, "monitor")
    if state.is_stopped:
        return (*see, "retry", *(() if state.machines else (start,)))
    if not state.machines:
        return (start,)
    if not state.is_watched:
        return (*see, "monitor")
    return see or ("status --watch",)


def show_next(aws: Aws, settings: Settings, *, after: str = "") -> None:
    """Read how the run stands, and show the verbs that come next `after` one."""
    state, start = read_state(aws, settings), start_words(settings.aws_region)
    next_steps(*next_verbs(state, start, job_words(), after=after))


def job_words() -> str:
    """`submitJob` and the job file beside a config of its own, as the examples have it."""
    config = config_in_use()
    if config != DEFAULT_CONFIG:
        for path in (config.parent / name for name in _JOB_FILES):
            if path.is_file():
                return f"submitJob {shlex.quote(str(path))}"
    return "submitJob JOBS.json"


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
    """The verbs that go on with a run that is over; `retry` makes its queue again."""
    return ("retry", start_words(region))


def show_unfinished(unfinished: Unfinished, region: str, *, is_told: bool = False) -> None:
    """Which jobs are neither done nor given up, and how to go on with their run in its region.

    With `is_told` what follows has been said already.
    """
    if not unfinished.count:
        return
    more = unfinished.count - len(unfinished.names)
    names = ", ".join(unfinished.names) + (f" and {more:,} more" if more else "")
    say(f"Not done: {names}.", style="yellow")
    if not unfinished.may_retry:
        if unfinished.path:
            offer("To run them", f"submitJob {unfinished.path}")
        return
    if not is_told:
        next_steps(*try_again(region))
    if unfinished.path:
        offer("In a new run, in place of retry", f"submitJob {shlex.quote(str(unfinished.path))}")
