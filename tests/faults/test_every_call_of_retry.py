"""Every API call of `retry` fails in turn; it is run again, and then every job is done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from distributed_something.aws.messaging import queues
from distributed_something.commands.reading.retry import retry
from tests.functional.reading.test_retry import give_up

from .stage import JOBS, Stage, open_stage, outcome_of
from .trials import Meeting, try_every_call
from .wire import Fault

# A letter whose receipt is lost (with answer, network or process) is hidden for its time,
# and nobody can delete it; one that may not be deleted stays.
MAY_STAY = (Fault.KILLED, Fault.UNHEARD_FOR_GOOD)
LETTER_CALLS = ("ReceiveMessage", "DeleteMessageBatch")


def _begin(stage: Stage) -> None:
    """A run with one job done and one given up."""
    for verb in (stage.setup, stage.submit, stage.buy):
        verb()
    stage.theirs.tick()
    record = stage.record()
    assert record is not None
    held = [stage.theirs.take(record, stage.theirs.instances()[0]) for _ in JOBS]
    stage.theirs.finish(record, held[0])
    give_up(stage.theirs, record, held[1], "exit code 3")


def _retry(stage: Stage) -> None:
    life = stage.life
    retry(life.aws, life.settings, folder=life.folder, sleep=life.clock.sleep)


def _letters(stage: Stage) -> int:
    sqs = stage.theirs.aws.sqs
    url = queues.find_queue(sqs, stage.life.settings.sqs_dead_letter_queue)
    return queues.count_jobs(sqs, url).total


def _finish(stage: Stage, before: frozenset[str], has_ended: bool, met: Meeting) -> None:
    """Retry again, and finish the run."""
    stage.life.clock.slept.clear()
    may_stay = met.trial.fault in MAY_STAY or met.trial.call in LETTER_CALLS
    met.go_on(f"retry, {may_stay}", stage.state())
    if again := outcome_of(partial(_retry, stage)):
        met.wrong.append(f"the second one failed: {again!r}")
    if _letters(stage) > may_stay:
        met.wrong.append(f"{_letters(stage)} letters are left")
    met.go_on("the end", stage.state())
    if has_ended:
        stage.buy()
    stage.work_all()
    stage.monitor()
    met.wrong += [f"left over: {one}" for one in stage.left_over(before)]
    submitted, done = stage.jobs()
    if (tuple(submitted), tuple(done)) != (JOBS, JOBS):
        met.wrong.append(f"submitted: {submitted}, done: {done}")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("has_ended", [False, True])
def test_a_retry_that_failed_at_any_call_is_run_again_and_every_job_is_done(
    has_ended: bool, here: Path, states: Path, record_property: Callable[[str, object], None]
) -> None:
    with open_stage() as stage:
        before = stage.inventory()
        _begin(stage)
        if has_ended:
            stage.monitor()
            stage.setup()
        report = try_every_call(
            f"retry of {'an ended' if has_ended else 'a live'} run",
            stage.wire,
            partial(_retry, stage),
            partial(_finish, stage, before, has_ended),
            states=states,
            on_copy=stage.leave_folder,
        )
    record_property("tried", str(report))
    assert not report.complaint, report.complaint
    assert {"SendMessageBatch", "DeleteMessageBatch"} <= report.calls
