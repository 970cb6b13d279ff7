"""Fleets and what they name, while EC2 does not know yet what was asked for a moment ago."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moto.iam.models import iam_backends

from distributed_something.commands.buying.start_cluster import start_cluster
from distributed_something.definitions.account import FLEET_ROLE
from distributed_something.local.simulator import ACCOUNT, Rules
from distributed_something.protocol.fleet_target import lower_target, read_target
from tests.account import simulated_ec2, write_fleet_file
from tests.lives import open_life


def test_a_fleet_is_bought_with_templates_and_a_role_that_were_made_a_moment_ago(
    tmp_path: Path,
) -> None:
    rules = Rules(deleted_queue_seconds=0.0, is_throttled=False, unseen_seconds=10.0)
    with open_life(tmp_path, rules) as life:
        life.set_up()
        life.submit("a")
        path = write_fleet_file(life.aws, life.folder)
        iam: Any = iam_backends[ACCOUNT]["aws"]
        iam.new.note(f"arn:aws:iam::{ACCOUNT}:role/{FLEET_ROLE}")
        record = start_cluster(life.aws, life.settings, path, folder=life.folder, **life.times)
        assert list(simulated_ec2().spot_fleets) == list(record.fleet_ids)
        assert sum(life.clock.slept) >= 10.0


def test_no_target_is_raised_while_ec2_shows_the_old_one(tmp_path: Path) -> None:
    rules = Rules(deleted_queue_seconds=0.0, is_throttled=False, modifying_seconds=60.0)
    with open_life(tmp_path, rules, CLUSTER_MACHINES=3) as life:
        life.set_up()
        life.submit("a")
        (fleet_id,) = life.buy().fleet_ids
        assert lower_target(life.aws.ec2, fleet_id, 1)
        shown = read_target(life.aws.ec2, fleet_id)
        assert (shown.state, shown.target) == ("modifying", 3)
        assert not lower_target(life.aws.ec2, fleet_id, 2)
        life.clock.time += 60.0
        assert read_target(life.aws.ec2, fleet_id).target == 1
