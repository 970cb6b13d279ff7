"""A whole run for each of upstream's programs, with its config and its job file as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from distributed_something.aws.messaging import queues
from distributed_something.commands.runs.runs import find_run
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.commands.watching.monitor import Pace, monitor
from distributed_something.protocol.families import FAMILIES
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.builders import settings, write_json
from tests.family_files import CONFIGS, JOB_FILES
from tests.lives import Held, Life, open_life
from tests.verbs import VERBS

PROGRAMS = {program.split(",")[0]: program for program in JOB_FILES}
# What everybody fills in: these buckets, and addresses, since the subnet has no other way out.
FILLED_IN = {
    "AWS_BUCKET": "lab-data",
    "SOURCE_BUCKET": "lab-data",
    "DESTINATION_BUCKET": "lab-data",
    "WORKSPACE_BUCKET": "lab-data",
    "ASSIGN_IP": "True",
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """One account for all of them: to begin with an empty one takes the most time."""
    with open_life(tmp_path_factory.mktemp("account")) as life:
        yield life


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def life(account: Life, program: str, tmp_path: Path) -> Iterator[Life]:
    config = CONFIGS[program]
    filled_in = {name: value for name, value in FILLED_IN.items() if name in config}
    life = Life(account.aws, settings(**{**config, **filled_in}), tmp_path, account.clock)
    account.clock.during = life.tick
    yield life
    account.clock.during = lambda: None


def take_all(life: Life, record: RunRecord, count: int) -> list[Held]:
    instances = life.instances()
    return [life.take(record, instances[number % len(instances)]) for number in range(count)]


def test_a_run_of_every_program_ends_with_its_jobs_done_and_nothing_left(
    life: Life, program: str
) -> None:
    before = take_inventory(life.aws)
    case = JOB_FILES[PROGRAMS[program]]
    life.set_up()
    path = write_json(life.folder / "jobs.json", case.content)
    submitted = submit_job(life.aws, life.settings, path, folder=life.folder, **life.times)
    assert submitted.count == len(case.messages)
    record = life.buy()
    listed = RunLedger.of(life.aws.s3, record).submitted_jobs()
    assert [json.loads(job.body) for job in listed] == case.messages

    held = take_all(life, record, len(case.messages))
    assert sorted(one.job.name for one in held) == sorted(case.names)
    life.finish(record, *held)
    outcome = monitor(life.aws, record, folder=life.folder, pace=Pace(), **life.times)
    assert outcome.is_complete
    after = take_inventory(life.aws)
    assert after - before <= what_stays(record)
    assert before - after == frozenset()


def test_a_forced_family_is_what_is_queued(account: Life, tmp_path: Path) -> None:
    wanted = settings(APP_NAME="Forced")
    queues.ensure_queue(account.aws.sqs, wanted.sqs_queue_name, {}, {})
    path = write_json(tmp_path / "jobs.json", JOB_FILES["Fiji"].content)
    submit_job(account.aws, wanted, path, folder=None, family="something", **account.times)
    record = find_run(account.aws, wanted)
    listed = RunLedger.of(account.aws.s3, record).submitted_jobs()
    assert [json.loads(job.body)["group"] for job in listed] == [
        {"image": "a.tif"},
        {"image": "b.tif"},
    ]


def test_each_verb_that_reads_a_job_file_takes_a_family() -> None:
    for verb in ("submitJob", "rehearse"):
        option = next(one for one in VERBS[verb].params if one.name == "family")
        assert isinstance(option.type, click.Choice)
        assert list(option.type.choices) == list(FAMILIES)
