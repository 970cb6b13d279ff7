"""A job file that is submitted a second time: what is said, and what is asked."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.session import Aws
from distributed_something.commands.submitting.again import Again
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.errors import DistributedSomethingError
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp, Heartbeat
from distributed_something.protocol.ledger.record import find_record, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.account import new_account
from tests.builders import settings, write_config, write_json
from tests.golden import CLONE, screen
from tests.lives import handling

QUEUE = "CountingQueue"
BUCKET = "lab-data"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        yield simulator


@pytest.fixture
def aws(simulator: Simulator) -> Aws:
    account = new_account(simulator)
    account.sqs.create_queue(QueueName=QUEUE)
    return account


def job_file(folder: Path, *plates: str) -> Path:
    content = {"command": "count {plate}", "groups": [{"plate": one} for one in plates]}
    return write_json(folder / "jobs.json", content)


def submit(aws: Aws, path: Path, agrees: bool = True) -> list[Again]:
    """Submit; what was asked of the jobs that the last run has."""
    asked: list[Again] = []

    def confirm(again: Again) -> bool:
        asked.append(again)
        return agrees

    submit_job(aws, settings(), path, folder=None, confirm=confirm)
    return asked


def messages(aws: Aws) -> int:
    url = aws.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    names = ["ApproximateNumberOfMessages"]
    counted = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)  # type: ignore[arg-type]
    return int(counted["Attributes"]["ApproximateNumberOfMessages"])


def ids(aws: Aws) -> dict[str, str]:
    """The jobs' ids by name."""
    record = find_record(aws.s3, BUCKET, "Counting")
    assert record is not None
    return {job.name: job.job_id for job in RunLedger.of(aws.s3, record).submitted_jobs()}


def live_run(aws: Aws, folder: Path) -> Path:
    """A run of five jobs: one done, one running, one given up, two waiting."""
    path = job_file(folder, "A", "B", "C", "D", "E")
    submit(aws, path)
    record, found = find_record(aws.s3, BUCKET, "Counting"), ids(aws)
    assert record is not None
    ledger = RunLedger.of(aws.s3, record)
    done, begun = (
        Attempt(found[name], name, "1000-a", 1, state, "i-1", "1", 1.0)
        for name, state in (("A", "done"), ("B", "started"))
    )
    ledger.mark_done(done)
    ledger.write_attempt(begun)
    ledger.machines.write_heartbeat("i-1", "1", Heartbeat(found["B"], "B", begun.attempt_id, 1.0))
    ledger.write_given_up(GivenUp(found["C"], "exit code 1"))
    return path


@contextmanager
def listings(aws: Aws) -> Iterator[list[str]]:
    """The prefixes that are listed meanwhile."""
    prefixes: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        prefixes.append(params["Prefix"])

    with handling([aws.s3], "provide-client-params.s3.ListObjectsV2", note):
        yield prefixes


def test_jobs_that_a_live_run_has_are_told_by_how_they_stand(aws: Aws, tmp_path: Path) -> None:
    live_run(aws, tmp_path)
    [again] = submit(aws, job_file(tmp_path, "A", "A", "B", "C", "D", "E", "F"))
    assert (again.is_live, again.jobs, again.count) == (True, 6, 5)
    assert (again.waiting, again.running, again.done, again.given_up) == (2, 1, 1, 1)
    assert messages(aws) == 5 + 6  # as before: told, and sent
    assert len(ids(aws)) == 6


def test_who_says_no_has_queued_nothing(aws: Aws, tmp_path: Path) -> None:
    path = live_run(aws, tmp_path)
    with pytest.raises(DistributedSomethingError, match="None of the jobs of"):
        submit(aws, path, agrees=False)
    assert messages(aws) == 5


def test_other_jobs_are_not_asked_about_and_cost_no_look_at_the_whole_ledger(
    aws: Aws, tmp_path: Path
) -> None:
    live_run(aws, tmp_path)
    record = find_record(aws.s3, BUCKET, "Counting")
    assert record is not None
    with listings(aws) as prefixes:
        assert submit(aws, job_file(tmp_path, "X", "Y")) == []
    assert prefixes and record.keys.prefix not in prefixes
    with listings(aws) as prefixes:
        assert len(submit(aws, job_file(tmp_path, "A", "B", "C"))) == 1
    assert prefixes.count(record.keys.prefix) == 1


def test_a_run_that_has_ended_is_told_as_such_and_a_new_one_begins(
    aws: Aws, tmp_path: Path
) -> None:
    path = live_run(aws, tmp_path)
    last = find_record(aws.s3, BUCKET, "Counting")
    assert last is not None
    save_record(aws.s3, replace(last, ended=1.0), None)
    [again] = submit(aws, path)
    assert (again.is_live, again.run_id, again.done, again.running) == (False, last.run_id, 1, 0)
    begun = find_record(aws.s3, BUCKET, "Counting")
    assert begun is not None and begun.run_id != last.run_id and len(ids(aws)) == 5


def test_a_script_is_told_and_goes_on_as_it_always_did(
    simulator: Simulator, aws: Aws, tmp_path: Path
) -> None:
    write_config(tmp_path)
    live_run(aws, tmp_path)
    code, out, seen = screen(["submitJob", "jobs.json"], tmp_path, simulator.environment)
    assert code == 0 and out.strip()
    assert (
        "is live and has 5 of these 5 jobs already: 2 waiting, 1 running, 1 done, 1 given up."
        in seen
    )
    assert "running jobs are started a second time" in seen
    assert messages(aws) == 10


def test_a_dry_run_tells_the_same_and_sends_nothing(
    simulator: Simulator, aws: Aws, tmp_path: Path
) -> None:
    write_config(tmp_path)
    live_run(aws, tmp_path)
    words = ["submitJob", "jobs.json", "--dry-run", "--minutes", "5"]
    code, out, seen = screen(words, tmp_path, simulator.environment)
    assert code == 0 and not out, seen
    assert "has 5 of these 5 jobs already: 2 waiting, 1 running, 1 done, 1 given up." in seen
    assert "Nothing was queued and nothing was created." in seen
    assert messages(aws) == 5
    _, out, _ = screen([*words, "--json"], tmp_path, simulator.environment)
    assert json.loads(out)["again"]["waiting"] == 2
    job_file(tmp_path, "X")
    _, out, seen = screen(words, tmp_path, simulator.environment)
    assert "already" not in seen


@pytest.mark.parametrize(
    ("answer", "words", "sent"), [("n", [], 0), ("y", [], 5), ("", ["--yes"], 5)]
)
def test_on_a_terminal_it_is_asked_first(
    simulator: Simulator, aws: Aws, tmp_path: Path, answer: str, words: list[str], sent: int
) -> None:
    write_config(tmp_path)
    live_run(aws, tmp_path)
    ours, theirs = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    running = subprocess.Popen(
        [sys.executable, str(CLONE / "run.py"), "submitJob", "jobs.json", *words],
        cwd=tmp_path,
        env={**clean, **simulator.environment},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    out, seen = running.communicate(timeout=60)
    os.close(ours)
    assert messages(aws) == 5 + sent
    assert ("Queue all of them again?" in seen) is not bool(words)
    assert running.returncode == (0 if sent else 1)
    assert bool(out.strip()) is bool(sent)
    if not sent:
        assert "None of the jobs of" in seen
