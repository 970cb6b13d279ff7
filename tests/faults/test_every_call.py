"""Every API call of every verb fails in turn; the verb is run again, and its run comes to its end.

Each case is a fork of one process, so that what is before it is played once and not every time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from .stage import JOBS, Stage, open_stage, outcome_of
from .trials import Meeting, try_every_call
from .wire import Killed

VERBS = ("setup", "submit", "buy", "monitor", "cancel")
# Without these no program could know of a fleet that no record tells of, or end one.
FLEET_CALLS = ("DescribeSpotFleetRequests", "CancelSpotFleetRequests")
# Without these no program could know whether a run is over.
END_CALLS = (
    "GetObject",
    "ListObjectsV2",
    "GetQueueUrl",
    "GetQueueAttributes",
    "DescribeSpotFleetInstances",
    "ListContainerInstances",
    "DescribeContainerInstances",
    *FLEET_CALLS,
)


def play_until(stage: Stage, verb: str) -> None:
    """Play a run up to the verb that is to fail."""
    for name in VERBS[: min(VERBS.index(verb), VERBS.index("monitor"))]:
        getattr(stage, name)()
    if verb in ("monitor", "cancel"):
        _let_one_machine_be_idle(stage)


def _let_one_machine_be_idle(stage: Stage) -> None:
    stage.theirs.tick()
    stage.work()
    record = stage.record()
    assert record and len(stage.held) == len(JOBS)
    stage.theirs.finish(record, stage.held.pop(0))


def _finish(stage: Stage, before: frozenset[str], verb: str, met: Meeting) -> None:
    """Run a verb that met a fault again, and finish the run."""
    met.wrong += _wrong_at_once(stage, verb, met)
    stage.life.clock.slept.clear()
    stage.pace = replace(stage.pace, export_seconds=0.0)
    _play(stage, verb, met.go_on, has_failed=met.error is not None)
    met.wrong += _wrong_in_the_end(stage, before, verb)


def _play(
    stage: Stage, verb: str, go_on: Callable[[str, str], None], has_failed: bool = True
) -> None:
    """Run a verb, again perhaps, and those that come after it."""
    for name in VERBS[VERBS.index(verb) : VERBS.index("monitor")]:
        go_on(f"{name}, {has_failed and name == verb}", stage.state())
        bought_already = name == "buy" == verb and bool(stage.fleets())
        if not bought_already or has_failed:
            declined = outcome_of(getattr(stage, name))
            assert bought_already or declined is None, declined
    go_on("the end", stage.state())
    if verb == "cancel":
        stage.cancel()
        return
    if verb != "monitor":
        assert len(stage.fleets()) == 1, "bought twice"
        assert not stage.unrecorded_fleets()
    stage.work_all()
    stage.monitor()


def _wrong_at_once(stage: Stage, verb: str, met: Meeting) -> list[str]:
    """A fleet that runs on though another step failed, or that nobody knows of."""
    wrong = [f"no record of the fleet {token}" for token in stage.unrecorded_fleets()]
    if isinstance(met.error, Killed) or not stage.fleets():
        return wrong
    call, cancelled = met.trial.call, "CancelSpotFleetRequests" in met.made
    has_failed = {
        "buy": met.error is not None,
        "monitor": cancelled or call not in END_CALLS,
        "cancel": call not in FLEET_CALLS,
    }
    return [*wrong, "its fleet runs on"] if has_failed.get(verb) else wrong


def _wrong_in_the_end(stage: Stage, before: frozenset[str], verb: str) -> list[str]:
    wrong = [f"left over: {one}" for one in stage.left_over(before)]
    record = stage.record()
    if record is None or record.is_live:
        wrong.append("the run has no record of its end")
    submitted, done = stage.jobs()
    if tuple(submitted) != JOBS:
        wrong.append(f"submitted: {submitted}")
    if verb != "cancel" and tuple(done) != JOBS:
        wrong.append(f"done: {done}")
    return wrong


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("verb", sorted(VERBS, reverse=True))  # what takes longest is begun early
def test_a_verb_that_failed_at_any_call_is_run_again_and_its_run_comes_to_its_end(
    verb: str, here: Path, states: Path, record_property: Callable[[str, object], None]
) -> None:
    with open_stage() as stage:
        before = stage.inventory()
        play_until(stage, verb)
        stage.life.clock.slept.clear()
        report = try_every_call(
            verb,
            stage.wire,
            getattr(stage, verb),
            partial(_finish, stage, before, verb),
            states=states,
            on_copy=stage.leave_folder,
        )
    record_property("tried", str(report))
    assert not report.complaint, report.complaint
    assert report.places > 5
