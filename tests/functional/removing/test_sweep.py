"""The sweep that ends the opt-in run on a real account removes all that a run makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.resources.table import take_inventory
from tests.aws.sweep import sweep
from tests.aws.test_one_machine import files, settings_for
from tests.lives import Life, open_life


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path, CREATE_DASHBOARD="True", CLEAN_DASHBOARD="True") as life:
        life.clock.during = life.tick
        yield life


def test_nothing_is_left_of_a_run_not_even_what_stays_on_purpose(life: Life) -> None:
    before = take_inventory(life.aws)
    life.set_up()
    life.submit("a", "b")
    life.buy()
    assert sweep(life.aws, life.settings, life.folder, **life.times) == ()
    assert take_inventory(life.aws) == before
    assert "Contents" not in life.aws.s3.list_objects_v2(Bucket="lab-data")


def test_the_opt_in_runs_files_and_settings_are_right(tmp_path: Path) -> None:
    settings = settings_for("DsTest", "lab-data", "lab/worker:1.0", "us-east-1")
    assert (settings.cluster_machines, settings.max_hours) == (1, 1)
    jobs, fleet = files(tmp_path, "123456789012")
    with open_life(tmp_path) as life:
        theirs = Life(life.aws, settings, tmp_path, life.clock)
        theirs.set_up()
        theirs.submit_file(jobs)
        record = start_cluster(theirs.aws, settings, fleet, folder=tmp_path, **theirs.times)
        assert [one.target_capacity for one in record.fleets] == [1]
