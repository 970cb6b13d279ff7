"""Every API call of every verb fails in turn; the verb is run again, and its run comes to its end.

Each case is a fork of one process, so that the verbs before it are played once and not every time.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from distributed_something.local.simulator import server
from tests.lives import add_lambda, open_life

from .forks import try_each
from .stage import JOBS, Stage, outcome_of
from .trials import READING
from .wire import Fault, Killed

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
WISHES = ("AUTO_MONITOR", "CREATE_DASHBOARD", "CLEAN_DASHBOARD")


@dataclass(frozen=True)
class Case:
    """A fault at one call of a verb, its place counted from 0."""

    verb: str
    place: int
    call: str
    fault: Fault
    cancelled: bool = False  # the verb had cancelled the fleets before

    def __str__(self) -> str:
        return f"{self.verb}, call {self.place} ({self.call}): {self.fault.value}"


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    wishes: dict[str, Any] = dict.fromkeys(WISHES, "True")
    with open_life(folder, **wishes) as life:
        add_lambda(life.aws)
        yield Stage.of(life, server.application)


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


def _cases(stage: Stage, verb: str) -> Iterator[Case]:
    ((_, text),) = try_each([verb], partial(_calls, stage))
    calls = json.loads(text)
    yield Case(verb, len(calls), "every call", Fault.THROTTLED)
    ends = calls.index("CancelSpotFleetRequests") if verb in ("monitor", "cancel") else len(calls)
    for place, call in enumerate(calls):
        for fault in Fault:
            if fault is Fault.THROTTLED:
                continue
            if fault is Fault.UNHEARD and call.startswith(READING):
                continue  # a call that only reads takes no effect: THROTTLED has the same for it
            yield Case(verb, place, call, fault, cancelled=place > ends)


def _calls(stage: Stage, verb: str) -> str:
    """The calls that a verb makes when all goes well."""
    with own_folder(stage):
        stage.wire.mend()
        getattr(stage, verb)()
        return json.dumps(stage.wire.calls)


def _attempt(stage: Stage, before: frozenset[str], case: Case) -> str:
    """Let a verb meet its fault, run it again, and finish the run; what is wrong then."""
    with own_folder(stage):
        stage.wire.fail(case.place, case.fault)
        error = outcome_of(getattr(stage, case.verb))
        met = stage.wire.calls[case.place : case.place + 1]
        stage.wire.mend()
        wrong = _wrong_at_once(stage, case, error)
        if case.fault is not Fault.THROTTLED and met != [case.call]:
            wrong.append(f"this call was {met}")
        stage.life.clock.slept.clear()
        stage.pace = replace(stage.pace, export_seconds=0.0)
        _play(stage, case.verb, has_failed=error is not None)
        wrong += _wrong_in_the_end(stage, before, case)
    return "\n".join([*wrong, f"the verb ended with: {error!r}"]) if wrong else ""


@contextmanager
def own_folder(stage: Stage) -> Iterator[None]:
    """This machine's records, for this process alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = shutil.copytree(stage.life.folder, Path(name) / "files")
        stage.life.folder = stage.theirs.folder = folder
        stage.life.clock.slept.clear()
        yield


def _play(stage: Stage, verb: str, has_failed: bool = True) -> None:
    """Run a verb, again perhaps, and those that come after it."""
    if verb == "cancel":
        stage.cancel()
        return
    for name in VERBS[VERBS.index(verb) : VERBS.index("monitor")]:
        bought_already = name == "buy" == verb and bool(stage.fleets())
        if not bought_already or has_failed:
            declined = outcome_of(getattr(stage, name))
            assert bought_already or declined is None, declined
    if verb != "monitor":
        assert len(stage.fleets()) == 1, "bought twice"
        assert not stage.unrecorded_fleets()
    stage.work_all()
    stage.monitor()


def _wrong_at_once(stage: Stage, case: Case, error: BaseException | None) -> list[str]:
    """A fleet that runs on though another step failed, or that nobody knows of."""
    wrong = [f"no record of the fleet {token}" for token in stage.unrecorded_fleets()]
    if case.fault in (Fault.THROTTLED, Fault.UNHEARD) and error:
        wrong.append("the SDK's retries did not help")
    if isinstance(error, Killed) or not stage.fleets():
        return wrong
    has_failed = {
        "buy": error is not None,
        "monitor": case.cancelled or case.call not in END_CALLS,
        "cancel": case.call not in FLEET_CALLS,
    }
    if has_failed.get(case.verb):
        wrong.append("its fleet runs on")
    return wrong


def _wrong_in_the_end(stage: Stage, before: frozenset[str], case: Case) -> list[str]:
    wrong = [f"left over: {one}" for one in stage.left_over(before)]
    record = stage.record()
    if record is None or record.is_live:
        wrong.append("the run has no record of its end")
    submitted, done = stage.jobs()
    if tuple(submitted) != JOBS:
        wrong.append(f"submitted: {submitted}")
    if case.verb != "cancel" and tuple(done) != JOBS:
        wrong.append(f"done: {done}")
    return wrong


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("verb", sorted(VERBS, reverse=True))  # what takes longest is begun early
def test_a_verb_that_failed_at_any_call_is_run_again_and_its_run_comes_to_its_end(
    verb: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "warm").mkdir()
    (tmp_path / "tried").mkdir()
    with open_stage(tmp_path / "warm") as stage:
        _play(stage, "setup")  # what moto reads from its files stays in memory
    with open_stage(tmp_path / "tried") as stage:
        before = stage.inventory()
        play_until(stage, verb)
        said = dict(try_each(_cases(stage, verb), partial(_attempt, stage, before)))
    record_property("tried", f"{verb}: {len(said)} faults at {_places(said)} calls")
    wrong = [f"{case}\n{text}" for case, text in said.items() if text]
    assert not wrong, "\n\n".join([f"{len(wrong)} of {len(said)} faults", *wrong])
    assert _places(said) > 5


def _places(cases: Iterable[Case]) -> int:
    return len({case.place for case in cases if case.fault is not Fault.THROTTLED})
