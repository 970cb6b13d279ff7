"""What a run makes and what a teardown removes are the same: an inventory proves it.

Each call that removes something is taken out in turn: AWS answers it with success and does
nothing. An inventory that did not show the difference could not be trusted with the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from moto.ecs.models import ecs_backends

from distributed_something.aws.faults import Failure
from distributed_something.commands.removing.tear_down import tear_down
from distributed_something.commands.watching.monitor import monitor
from distributed_something.definitions.tags import run_tags
from distributed_something.local.simulator import ACCOUNT, REGION
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.resources.table import RESOURCE_KINDS, take_inventory, what_stays
from tests.lives import Life, add_lambda, open_life, put_alarm, swallowing, watch_calls

READING = ("Describe", "Get", "List", "Head")
WISHES = ("AUTO_MONITOR", "CREATE_DASHBOARD", "CLEAN_DASHBOARD")
# The client and the operation that deletes each kind.
DELETING = {
    kind.action.partition(":")[2]: kind.action.partition(":")[0]
    for kind in RESOURCE_KINDS
    if kind.delete
}


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    wishes: dict[str, Any] = dict.fromkeys(WISHES, "True")
    with open_life(tmp_path, **wishes) as life:
        add_lambda(life.aws)
        life.clock.during = life.tick  # AWS goes on while we wait
        yield life


def whole_life(life: Life) -> RunRecord:
    """A run with something of every kind that a run can have when it ends."""
    life.set_up()
    life.submit("a", "b")
    record = life.buy()
    for instance_id in life.instances():
        put_alarm(life.aws, f"{record.app_name}_{instance_id}")
        life.finish(record, life.take(record, instance_id))
    _start_by_hand(life, record)
    _cut_agent_off(life.instances()[0])
    return record


def _start_by_hand(life: Life, record: RunRecord) -> None:
    """A machine of the run that its fleet knows nothing of."""
    tags = run_tags(record.app_name, record.run_id).items()
    life.aws.ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        LaunchTemplate={"LaunchTemplateName": record.launch_templates[0]},
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags]}
        ],
    )


def _cut_agent_off(instance_id: str) -> None:
    """A machine whose ECS agent is silent: ECS keeps it on the cluster's list when it ends."""
    clusters = ecs_backends[ACCOUNT][REGION].container_instances
    for machine in (one for machines in clusters.values() for one in machines.values()):
        if machine.ec2_instance_id == instance_id:
            machine.agent_connected = False


def end(life: Life, record: RunRecord) -> list[Failure]:
    return tear_down(life.aws, record, folder=life.folder, **life.times)


def test_a_whole_life_leaves_what_stays_on_purpose_and_nothing_else(life: Life) -> None:
    before = take_inventory(life.aws)
    record = whole_life(life)
    monitor(life.aws, record, folder=life.folder, **life.times)
    after = take_inventory(life.aws)
    assert after - before == what_stays(record)
    assert before - after == frozenset()


def test_the_calls_that_remove_something_are_those_that_are_taken_out_below(life: Life) -> None:
    record = whole_life(life)
    with watch_calls(life.aws) as calls:
        assert end(life, record) == []
    acting = {call for call in calls if not call.startswith(READING)} - {"PutObject"}
    assert acting == set(DELETING)


@pytest.mark.parametrize("operation", [None, *DELETING])
def test_without_any_one_call_something_is_left(life: Life, operation: str | None) -> None:
    before = take_inventory(life.aws)
    record = whole_life(life)
    taken_out = (
        swallowing(getattr(life.aws, DELETING[operation]), operation)
        if operation
        else nullcontext()
    )
    with taken_out:
        end(life, record)
    left = take_inventory(life.aws) - before - what_stays(record)
    assert bool(left) is bool(operation)


@pytest.mark.parametrize("verb", ["set_up", "submit", "buy"])
def test_a_life_that_ended_early_is_removed_as_well(life: Life, verb: str) -> None:
    before = take_inventory(life.aws)
    verbs: list[tuple[str, Callable[[], object]]] = [
        ("set_up", life.set_up),
        ("submit", lambda: life.submit("a")),
        ("buy", life.buy),
    ]
    for name, run in verbs:
        run()
        if name == verb:
            break
    record = life.record()
    assert end(life, record) == []
    assert take_inventory(life.aws) - before == what_stays(record)
