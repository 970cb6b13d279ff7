"""How long something has been so without a break."""

from __future__ import annotations

import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from distributed_something.run.decisions import MonitorState
from distributed_something.run.streak import Streak

snapshots = st.lists(st.tuples(st.booleans(), st.floats(0, 100)), min_size=1)


@given(snapshots)
def test_a_streak_is_the_last_unbroken_part(seen: list[tuple[bool, float]]) -> None:
    streak, now, moments = Streak(), 0.0, list[float]()
    for is_so, passed in seen:
        now += passed
        moments = [*moments, now] if is_so else []
        streak = streak.after(is_so, now)
        assert streak == Streak(len(moments), moments[0] if moments else None)
        assert streak.seconds(now) == (now - moments[0] if moments else 0.0)


def test_a_streak_lasts_when_it_is_both_long_and_often_seen() -> None:
    streak = Streak().after(True, 0.0).after(True, 60.0)
    assert streak.lasts(2, 60.0, 60.0)
    assert not streak.lasts(3, 60.0, 60.0)
    assert not streak.lasts(2, 61.0, 60.0)
    assert not streak.after(False, 90.0).lasts(1, 0.0, 90.0)


def test_a_state_is_read_as_it_was_written() -> None:
    state = MonitorState(began=1.0, quiet=Streak(2, 30.0), draining={"i-1": 5.0})
    values = json.loads(json.dumps(asdict(state)))
    assert MonitorState.from_values({**values, "of_a_newer_version": 1}) == state
