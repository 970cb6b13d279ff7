"""Every API call of the Lambda fails in turn; the calls after it end the run all the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from distributed_something.commands.watching.auto_monitor import watch_once
from distributed_something.definitions.auto_monitor import schedule_request
from distributed_something.protocol.ledger.run_ledger import RunLedger

from .stage import JOBS, Stage, open_stage, outcome_of
from .test_every_call import END_CALLS, play_until
from .trials import Meeting, try_every_call
from .wire import Fault

MOST_CALLS = 8  # of the Lambda, for a run whose jobs are all done
# What it is called for: a look that gives a machine back, the end, and what is over already.
MOMENTS = ("look", "end", "over")


class Watched:
    """A run that nobody but the Lambda watches."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        record = stage.record()
        assert record is not None
        self.record = record
        self.seen: dict[str, Any] = {}

    def call(self) -> None:
        """What the schedule does every other minute."""
        life = self.stage.life
        deadline = life.clock.now() + 600.0
        self.seen = watch_once(
            life.aws,
            RunLedger.of(life.aws.s3, self.record),
            deadline=deadline,
            pace=self.stage.pace,
            **life.times,
        )

    def call_until_over(self, go_on: Callable[[str, str], None] = lambda *_: None) -> list[str]:
        """Call again and again; what is wrong with that."""
        for number in range(MOST_CALLS):
            go_on(f"call {number}", self.stage.state())
            self.stage.life.clock.time += 120.0
            self.stage.work_all()
            if error := outcome_of(self.call):
                return [f"a later call failed: {error!r}"]
            if self.seen.get("over"):
                return []
        return [f"it is never over: {self.seen}"]


def _prepare(stage: Stage, moment: str) -> Watched:
    play_until(stage, "monitor")
    watched = Watched(stage)
    if moment != "look":
        stage.work_all()
    if moment == "over":
        record = stage.record()
        assert record is not None
        assert watched.call_until_over() == []
        arn = "arn:aws:lambda:us-east-1:123456789012:function:distributed-something-monitor"
        stage.theirs.aws.scheduler.create_schedule(**schedule_request(record, arn))
    return watched


def _finish(watched: Watched, before: frozenset[str], moment: str, met: Meeting) -> None:
    """Let the Lambda be called until the run is over."""
    stage, trial = watched.stage, met.trial
    met.wrong += [f"no record of the fleet {token}" for token in stage.unrecorded_fleets()]
    if moment == "end" and trial.call not in END_CALLS and trial.fault is not Fault.KILLED:
        met.wrong += [f"its fleet runs on: {one}" for one in stage.fleets()]
    stage.life.clock.slept.clear()
    met.wrong += watched.call_until_over(met.go_on)
    met.wrong += [f"left over: {one}" for one in stage.left_over(before)]
    submitted, done = stage.jobs()
    if (tuple(submitted), tuple(done)) != (JOBS, JOBS):
        met.wrong.append(f"submitted: {submitted}, done: {done}")
    record = stage.record()
    if record is None or record.is_live:
        met.wrong.append("the run has no record of its end")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_the_lambda_watches_is_ended_whatever_call_of_it_fails(
    moment: str, here: Path, states: Path, record_property: Callable[[str, object], None]
) -> None:
    with open_stage() as stage:
        before = stage.inventory()
        watched = _prepare(stage, moment)
        report = try_every_call(
            f"the Lambda, {moment}",
            stage.wire,
            watched.call,
            partial(_finish, watched, before, moment),
            states=states,
            on_copy=stage.leave_folder,
        )
    record_property("tried", str(report))
    assert not report.complaint, report.complaint
    needed = {"look": "ModifySpotFleetRequest", "end": "CancelSpotFleetRequests"}
    assert needed.get(moment, "DeleteSchedule") in report.calls
