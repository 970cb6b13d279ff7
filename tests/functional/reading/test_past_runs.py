"""`runs`: every run of the app, the latest first, with its state, jobs and cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.commands.reading.past_runs import past_runs
from tests.account import variables
from tests.builders import write_config
from tests.golden import screen
from tests.lives import Life, open_life


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        life.clock.during = life.tick
        yield life


def test_an_app_has_its_runs_listed_the_latest_first(life: Life) -> None:
    assert past_runs(life.aws, life.settings, 5, now=life.clock.now).runs == ()
    life.set_up()
    life.submit("a", "b")
    record = life.record()
    life.finish(record, life.take(record, "i-0"))
    life.cancel()
    life.set_up()
    life.submit("c")
    found = past_runs(life.aws, life.settings, 5, now=life.clock.now)
    last, first = found.runs
    assert (first.run_id, first.state, first.jobs, first.done) == (record.run_id, "ended", 2, 1)
    assert (last.state, last.jobs, last.done, last.cost) == ("live", 1, 0, 0.0)
    assert first.ended is not None and first.seconds == pytest.approx(first.ended - first.started)
    assert found.older == 0
    one = past_runs(life.aws, life.settings, 1, now=life.clock.now)
    assert ([run.run_id for run in one.runs], one.older) == ([last.run_id], 1)


def test_the_table_and_a_line_of_json_for_each_run(life: Life, tmp_path: Path) -> None:
    write_config(tmp_path)
    _, _, seen = screen(["runs"], tmp_path, variables(life.aws))
    assert "Counting has no runs in s3://lab-data yet." in seen
    life.set_up()
    life.submit("a")
    run_id = life.record().run_id
    code, out, seen = screen(["runs"], tmp_path, variables(life.aws))
    assert (code, out) == (0, "")
    assert run_id in seen and "live" in seen and "$0.00" in seen
    code, out, _ = screen(["runs", "--json"], tmp_path, variables(life.aws))
    assert code == 0
    assert f'"run_id": "{run_id}"' in out and '"state": "live"' in out
