"""`cancel`: the fleet first, the queue next, and then all that any run of the app left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.commands.cancelling.cancel import cancel, list_resources
from distributed_something.commands.reading.report import make_report
from distributed_something.commands.reading.report.page import page
from distributed_something.commands.reading.status import status as look_at_run
from distributed_something.commands.removing.last_look import note_machines, see_machines
from distributed_something.commands.runs.runs import find_run
from distributed_something.commands.runs.spending import UNWATCHED
from distributed_something.errors import DistributedSomethingError
from distributed_something.protocol.ledger.keys import record_key
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from distributed_something.run.machine_book import read_machine_book
from tests.account import variables
from tests.builders import settings, write_config
from tests.lives import Life, open_life, put_alarm, watch_calls

RUN = Path(__file__).resolve().parents[3] / "run.py"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path, CREATE_DASHBOARD="True", CLEAN_DASHBOARD="True") as life:
        life.clock.during = life.tick
        yield life


def forget(life: Life) -> None:
    """Lose the run's record, in the bucket and on disk."""
    aws = life.aws
    for item in aws.s3.list_objects_v2(Bucket="lab-data").get("Contents", []):
        aws.s3.delete_object(Bucket="lab-data", Key=item["Key"])
    for path in life.folder.glob("*SpotFleetRequestId.json"):
        path.unlink()


def test_cancel_ends_the_fleet_first_and_the_queue_next_and_leaves_nothing(life: Life) -> None:
    before = take_inventory(life.aws)
    life.set_up()
    life.submit("a", "b", "c")
    record = life.buy()
    life.finish(record, life.take(record, life.instances()[0]))
    with watch_calls(life.aws) as calls:
        cancelled = cancel(life.aws, life.settings, folder=life.folder, **life.times)
    acting = [call for call in calls if not call.startswith(("Describe", "Get", "List"))]
    removing = [call for call in acting if call not in ("PutObject", "TerminateInstances")]
    assert removing[:2] == ["CancelSpotFleetRequests", "DeleteQueue"]
    assert take_inventory(life.aws) - before == what_stays(record)
    assert not find_run(life.aws, life.settings).is_live
    assert cancelled.unfinished.count == 2


def test_a_run_that_nobody_watched_keeps_its_machines_and_its_cost(life: Life) -> None:
    life.set_up()
    life.submit("a")
    life.buy()
    machines = set(life.instances())
    cancel(life.aws, life.settings, folder=life.folder, **life.times)
    record = find_run(life.aws, life.settings)
    book = read_machine_book(RunLedger.of(life.aws.s3, record))
    assert set(book.machines) == machines != set()
    assert all(one.ended is not None for one in book.machines.values())
    seen = look_at_run(life.aws, record, now=life.clock.now)
    assert seen.money
    assert seen.unseen == ()
    made = make_report(life.aws, record, now=life.clock.now)
    assert [row.machines for row in made.money] == [len(machines)]
    life.aws.s3.delete_object(Bucket=record.bucket, Key=record.keys.machine_book)
    unwatched = look_at_run(life.aws, record, now=life.clock.now)
    assert (unwatched.money, unwatched.unseen) == (None, (UNWATCHED,))
    assert UNWATCHED in page(make_report(life.aws, record, now=life.clock.now))


def test_machines_that_cannot_be_looked_at_are_noted_as_they_were_seen_before(life: Life) -> None:
    life.set_up()
    record = life.buy()
    refused = []

    def refuse(**_: Any) -> None:
        refused.append(1)
        raise ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "DescribeInstances")

    seen = see_machines(life.aws, record, life.clock.now())
    assert seen
    life.aws.ec2.meta.events.register("before-call.ec2.DescribeInstances", refuse)
    assert see_machines(life.aws, record, life.clock.now()) is None
    note_machines(life.aws, record, None, life.clock.now())  # nothing is known, and nothing noted
    assert not read_machine_book(RunLedger.of(life.aws.s3, record)).machines
    note_machines(life.aws, record, seen, life.clock.now())
    book = read_machine_book(RunLedger.of(life.aws.s3, record))
    assert set(book.machines) == {one.instance_id for one in seen}
    assert len(refused) == 3


def test_the_jobs_that_were_left_over_can_be_submitted_as_they_are(life: Life) -> None:
    life.set_up()
    life.submit("a", "b", "c")
    record = life.record()
    life.finish(record, life.take(record, "i-0"))
    unfinished = cancel(life.aws, life.settings, folder=life.folder, **life.times).unfinished
    assert unfinished.path
    assert unfinished.path.name == f"Counting_unfinished_{record.run_id}.jsonl"
    life.set_up()
    life.submit_file(unfinished.path)
    again = life.record()
    taken = [life.take(again, "i-1").job.name for _ in range(2)]
    assert sorted(taken) == sorted(unfinished.names)
    assert again.run_id != record.run_id


def test_without_a_record_everything_is_found_by_tags_and_names(life: Life) -> None:
    before = take_inventory(life.aws)
    life.set_up()
    life.submit("a")
    record = life.buy()
    put_alarm(life.aws, f"Counting_{life.instances()[0]}")
    forget(life)
    kinds = {one.kind for one in list_resources(life.aws, life.settings)}
    assert kinds >= {
        "spot fleet",
        "machine",
        "launch template",
        "queue",
        "dead-letter queue",
        "service",
        "task definition",
        "alarm",
        "cluster",
        "dashboard",
        "log group",
    }
    cancel(life.aws, settings(CREATE_DASHBOARD="True", CLEAN_DASHBOARD="True"), folder=None)
    assert take_inventory(life.aws) - before == what_stays(record)


def test_what_setup_made_after_the_last_run_is_removed_and_the_record_stays_ended(
    life: Life,
) -> None:
    before = take_inventory(life.aws)
    life.set_up()
    life.submit("a")
    record = life.buy()
    cancel(life.aws, life.settings, folder=life.folder, **life.times)
    life.set_up()
    cancel(life.aws, life.settings, folder=life.folder, **life.times)
    assert take_inventory(life.aws) - before == what_stays(record)
    last = find_run(life.aws, life.settings)
    assert (last.run_id, last.is_live) == (record.run_id, False)
    assert last.queue_deleted == life.clock.now()


def test_another_app_whose_name_begins_alike_keeps_everything(life: Life, tmp_path: Path) -> None:
    life.set_up()
    life.buy()
    mine = take_inventory(life.aws)
    other = Life(life.aws, settings(APP_NAME="Count", ECS_CLUSTER="count"), tmp_path, life.clock)
    other.set_up()
    put_alarm(life.aws, "Counting_i-0123456789abcdef0")
    cancel(life.aws, other.settings, folder=None, **life.times)
    assert mine <= take_inventory(life.aws)


def test_no_changes_nothing(life: Life) -> None:
    life.set_up()
    life.buy()
    before = take_inventory(life.aws)
    with pytest.raises(DistributedSomethingError, match="Nothing was changed"):
        cancel(life.aws, life.settings, folder=None, confirm=lambda _: False, **life.times)
    assert take_inventory(life.aws) == before


def test_a_bucket_that_is_gone_keeps_nothing_alive(life: Life) -> None:
    life.set_up()
    record = life.buy()
    forget(life)
    life.aws.s3.delete_bucket(Bucket="lab-data")
    cancel(life.aws, life.settings, folder=None, **life.times)
    left = take_inventory(life.aws)
    assert not any(one.startswith(("spot fleet ", "machine ", "queue Counting")) for one in left)
    assert record.is_live


def test_the_verb_lists_as_lines_of_json_and_asks_before_it_removes(
    life: Life, tmp_path: Path
) -> None:
    life.set_up()
    life.submit("a")
    environment = {**os.environ, **variables(life.aws)}
    config = str(write_config(tmp_path))

    def run(*words: str) -> tuple[int, str]:
        command = [sys.executable, str(RUN), "--config", config, "cancel", *words]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout

    code, lines = run("--list", "--json")
    listed = {(one["kind"], one["name"]) for one in map(json.loads, lines.splitlines())}
    assert code == 0
    assert ("queue", "CountingQueue") in listed
    assert run()[0] == 2  # nobody is there to be asked
    assert run("--yes")[0] == 0
    assert record_key("Counting") in {
        one["Key"] for one in life.aws.s3.list_objects_v2(Bucket="lab-data")["Contents"]
    }
    assert not find_run(life.aws, life.settings).is_live
