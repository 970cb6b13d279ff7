"""`retry`: the run's own unfinished jobs and no others, in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distributed_something.aws.messaging import queues
from distributed_something.commands.reading.retry import RetryPlan, retry
from distributed_something.commands.runs.runs import find_run
from distributed_something.errors import DistributedSomethingError, NotFound, UsageError
from distributed_something.protocol.ledger.facts import GivenUp
from distributed_something.protocol.ledger.record import RunRecord, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.account import variables
from tests.builders import write_config
from tests.lives import Held, Life, open_life, refusing
from tests.terminals import on_terminal

RUN = Path(__file__).resolve().parents[3] / "run.py"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        life.clock.during = life.tick
        yield life


def put_letter(life: Life, body: str, run_id: str, job_id: str) -> None:
    url = queues.find_queue(life.aws.sqs, "lab_DeadMessages")
    values = {"RunId": run_id, "JobId": job_id}
    life.aws.sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in values.items()
        },
    )


def give_up(life: Life, record: RunRecord, held: Held, reason: str) -> None:
    """End a job badly, as a worker does."""
    job_id = held.job.job_id
    put_letter(life, held.job.name, record.run_id, job_id)
    life.fail(record, held, reason)
    RunLedger.of(life.aws.s3, record).write_given_up(GivenUp(job_id, reason))
    life.drop(record, held)
    life.beat(record, held.instance_id, None)


def waiting(life: Life, queue: str = "CountingQueue") -> list[str]:
    """What waits in a queue: names of jobs, or whole bodies of letters; leaves it as it was."""
    url = queues.find_queue(life.aws.sqs, queue)
    bodies = []
    handles = []
    while found := life.aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        bodies += [message["Body"] for message in found]
        handles += [message["ReceiptHandle"] for message in found]
    for handle in handles:
        life.aws.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0
        )
    return sorted(json.loads(b)["group"]["name_of_it"] if b[0] == "{" else b for b in bodies)


def try_again(life: Life, **options: Any) -> Any:
    return retry(life.aws, life.settings, folder=life.folder, sleep=life.clock.sleep, **options)


def own_environment(life: Life) -> dict[str, str]:
    """The variables of a program that works in this life's account."""
    return {**os.environ, **variables(life.aws)}


def begin(life: Life, *names: str) -> tuple[RunRecord, dict[str, Held]]:
    """A run whose jobs are all taken, each by a machine of its own."""
    life.set_up()
    life.submit(*names)
    record = life.record()
    taken = [life.take(record, f"i-{number}") for number in range(len(names))]
    return record, {held.job.name: held for held in taken}


def test_bare_it_queues_what_is_neither_done_nor_running_in_the_same_run(life: Life) -> None:
    record, held = begin(life, "done", "dead", "lost", "running")
    life.finish(record, held["done"])
    give_up(life, record, held["dead"], "exit code 3")
    life.drop(record, held["lost"])
    life.beat(record, held["lost"].instance_id, None)
    plans: list[RetryPlan] = []

    def agree(plan: RetryPlan) -> bool:
        plans.append(plan)
        return True

    retried = try_again(life, confirm=agree)
    assert waiting(life) == ["dead", "lost"]
    assert (retried.sent, retried.letters) == (2, 1)
    assert (plans[0].count, plans[0].given_up, plans[0].done, plans[0].running) == (2, 1, 1, 1)
    assert sorted(plans[0].names) == ["dead", "lost"]
    summary = RunLedger.of(life.aws.s3, record).summary()
    assert (summary.submitted, summary.done, summary.dead) == (4, 1, 0)
    again = life.take(record, "i-9")
    assert again.job.job_id in {held["dead"].job.job_id, held["lost"].job.job_id}
    assert life.record().run_id == record.run_id


def test_jobs_that_failed_for_memory_or_time_are_sent_last(life: Life) -> None:
    record, held = begin(life, "memory", "path", "time", "other")
    reasons = {
        "memory": "it held 900 MiB of memory, more than its memory_limit of 800 MiB",
        "path": "no such file",
        "time": "The command was ended: it ran longer than its timeout of 60 s.",
        "other": "exit code 3",
    }
    for name, reason in reasons.items():
        give_up(life, record, held[name], reason)
    retried = try_again(life)
    assert retried.sent == 4
    assert retried.plan.last == {held[name].job.job_id for name in ("memory", "time")}
    taken = [life.take(record, f"i-{number}").job.name for number in range(4)]
    assert set(taken[2:]) == {"memory", "time"}


def test_only_the_letters_of_its_own_jobs_leave_the_dead_letter_queue(life: Life) -> None:
    record, held = begin(life, "a", "b")
    for one in held.values():
        give_up(life, record, one, "exit code 3")
    put_letter(life, "another run's a", "20200101-000000-abcd", held["a"].job.job_id)
    put_letter(life, "another job's", record.run_id, "0123456789abcdef0123")
    put_letter(life, "by hand", record.run_id, "0")
    assert try_again(life, names=["a"]).letters == 1
    assert waiting(life) == ["a"]
    assert waiting(life, "lab_DeadMessages") == ["another job's", "another run's a", "b", "by hand"]


def test_what_still_waits_in_the_queue_is_not_queued_twice(life: Life) -> None:
    life.set_up()
    life.submit("a", "b", "c")
    record = life.record()
    held = life.take(record, "i-0")
    give_up(life, record, held, "exit code 3")
    retried = try_again(life)
    assert (retried.sent, retried.plan.waiting) == (1, 2)
    assert waiting(life) == ["a", "b", "c"]


def test_a_reason_chooses_among_the_jobs_that_were_given_up(life: Life) -> None:
    record, held = begin(life, "a", "b", "c")
    give_up(life, record, held["a"], "Input P1.tif is missing")
    give_up(life, record, held["b"], "exit code 137")
    assert try_again(life, reason="IS MISSING").sent == 1
    assert waiting(life) == ["a"]
    assert RunLedger.of(life.aws.s3, record).summary().dead == 1
    assert try_again(life, reason="no such words").sent == 0
    assert try_again(life, reason="no such words").other_reasons == ("exit code 137",)


def test_names_that_the_run_does_not_have_are_refused_and_nothing_changes(life: Life) -> None:
    record, held = begin(life, "a", "b")
    give_up(life, record, held["a"], "exit code 3")
    with pytest.raises(UsageError, match="no job named x, y"):
        try_again(life, names=["a", "x", "y"])
    with pytest.raises(UsageError, match="not both"):
        try_again(life, names=["a"], reason="exit")
    with pytest.raises(DistributedSomethingError, match="Nothing was changed"):
        try_again(life, confirm=lambda _: False)
    assert waiting(life) == []
    assert waiting(life, "lab_DeadMessages") == ["a"]


def test_what_is_done_or_runs_is_not_queued_even_when_it_is_named(life: Life) -> None:
    record, held = begin(life, "a", "b")
    life.finish(record, held["a"])
    retried = try_again(life, names=["a", held["b"].job.job_id])
    assert (retried.sent, retried.plan.done, retried.plan.running) == (0, 1, 1)
    assert waiting(life) == []


def test_a_run_that_was_stopped_goes_on(life: Life) -> None:
    record, held = begin(life, "a")
    give_up(life, record, held["a"], "exit code 3")
    RunLedger.of(life.aws.s3, record).stop("1 jobs were given up (MAX_FAILURES)")
    assert "MAX_FAILURES" in try_again(life).plan.stopped
    assert RunLedger.of(life.aws.s3, record).why_stopped() == ""


def test_a_run_that_was_stopped_while_all_its_jobs_wait_goes_on(life: Life) -> None:
    life.set_up()
    life.submit("a", "b")
    record = life.record()
    RunLedger.of(life.aws.s3, record).stop("The run has cost $9 (MAX_COST)")
    with pytest.raises(DistributedSomethingError, match="Nothing was changed"):
        try_again(life, confirm=lambda _: False)
    assert RunLedger.of(life.aws.s3, record).why_stopped()
    retried = try_again(life)
    assert (retried.sent, retried.plan.waiting, retried.needs_machines) == (0, 2, True)
    assert RunLedger.of(life.aws.s3, record).why_stopped() == ""
    assert waiting(life) == ["a", "b"]
    assert not try_again(life).plan.lets_go_on


def test_who_sends_jobs_to_a_run_that_was_stopped_is_told(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    life.set_up()
    life.submit("a")
    record = life.record()
    assert "was stopped" not in caplog.text
    RunLedger.of(life.aws.s3, record).stop("The run has cost $9 (MAX_COST)")
    life.submit("b")
    assert (
        "was stopped (The run has cost $9 (MAX_COST)), and its workers take no job" in caplog.text
    )
    assert "`python run.py retry` continues it" in caplog.text
    assert waiting(life) == ["a", "b"]


def test_a_run_that_has_ended_says_that_its_queue_is_gone_and_goes_on_after_setup(
    life: Life,
) -> None:
    record, held = begin(life, "a", "b")
    life.finish(record, held["a"])
    life.beat(record, held["b"].instance_id, None)
    life.cancel()
    with pytest.raises(NotFound, match=r"has ended.*CountingQueue is gone.*setup.*startCluster"):
        try_again(life)
    life.set_up()
    retried = try_again(life)
    assert (retried.sent, retried.needs_machines) == (1, True)
    assert waiting(life) == ["b"]
    bought = life.buy()
    assert (bought.run_id, bought.is_live) == (record.run_id, True)
    life.finish(bought, life.take(bought, life.instances()[0]))
    assert RunLedger.of(life.aws.s3, record).summary().done == 2


def test_a_run_that_has_ended_gets_its_queue_again_once_that_is_agreed_to(life: Life) -> None:
    record, held = begin(life, "a", "b")
    life.finish(record, held["a"])
    life.beat(record, held["b"].instance_id, None)
    life.cancel()
    asked: list[RetryPlan] = []

    def refuse(plan: RetryPlan) -> bool:
        asked.append(plan)
        return False

    with pytest.raises(DistributedSomethingError, match="Nothing was changed"):
        try_again(life, confirm=refuse, set_up=life.set_up)
    assert (asked[0].sets_up, asked[0].count) == (True, 1)
    with pytest.raises(NotFound):
        queues.find_queue(life.aws.sqs, "CountingQueue")
    assert try_again(life, set_up=life.set_up).sent == 1
    assert waiting(life) == ["b"]
    assert find_run(life.aws, life.settings).run_id == record.run_id


def test_a_retry_that_fails_half_way_loses_neither_jobs_nor_letters(life: Life) -> None:
    record, held = begin(life, "a")
    give_up(life, record, held["a"], "exit code 3")
    with refusing(life.aws.sqs, "SendMessageBatch"), pytest.raises(Exception, match="You may not"):
        try_again(life)
    assert waiting(life, "lab_DeadMessages") == ["a"]
    assert try_again(life).letters == 1
    assert waiting(life) == ["a"]


def test_the_verb_asks_and_says_what_it_does(life: Life, tmp_path: Path) -> None:
    record, held = begin(life, "a")
    give_up(life, record, held["a"], "exit code 3")
    variables = own_environment(life)
    config = str(write_config(tmp_path))

    def run(*words: str) -> tuple[int, str]:
        command = [sys.executable, str(RUN), "--config", config, "retry", *words]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stderr

    assert run()[0] == 2  # nobody is there to be asked
    code, words = run("--yes", "--reason", "no such words")
    assert code == 0, words
    assert "No job was given up for a reason with these words" in words
    assert "\n  exit code 3\n" in words
    with on_terminal(["retry"], tmp_path, variables) as terminal:
        terminal.wait_for(lambda shown: "Queue them again? [y/N]" in shown)
        terminal.type(b"\n")
        assert terminal.end() == 1
    assert "Nothing was changed" in terminal.shown
    code, words = run("--yes")
    assert code == 0, words
    assert "To be queued again in run" in words and "1 job (a)" in words
    assert "Deleted 1 message from the dead-letter queue." in words
    assert find_run(life.aws, life.settings).run_id == record.run_id


def test_the_verb_says_that_a_run_goes_on_whose_jobs_all_wait(life: Life, tmp_path: Path) -> None:
    life.set_up()
    life.submit("a")
    record = life.record()
    RunLedger.of(life.aws.s3, record).stop("The run has cost $9 (MAX_COST)")
    write_config(tmp_path)
    with on_terminal(["retry"], tmp_path, own_environment(life)) as terminal:
        terminal.wait_for(lambda shown: "Continue the run? [y/N]" in shown)
        terminal.type(b"y\n")
        assert terminal.end() == 0
    assert "The run was stopped, and continues: The run has cost $9" in terminal.shown
    assert "The run continues; 1 job waits." in terminal.shown
    assert "startCluster" in terminal.shown.rpartition("Next: ")[2]
    assert "nothing to queue" not in terminal.shown and "To be queued" not in terminal.shown


def test_an_older_run_is_opened_again_and_not_beside_a_live_one(life: Life) -> None:
    first, held = begin(life, "a")
    give_up(life, first, held["a"], "exit code 3")
    save_record(life.aws.s3, replace(first, ended=life.clock.now()), life.folder)
    life.clock.time += 60
    life.submit("b")
    second = find_run(life.aws, life.settings)
    assert second.run_id != first.run_id
    with pytest.raises(UsageError, match=f"Run {second.run_id} of Counting is live"):
        try_again(life, run_id=first.run_id)
    save_record(life.aws.s3, replace(second, ended=life.clock.now()), life.folder)
    assert try_again(life, run_id=first.run_id).sent == 1
    assert find_run(life.aws, life.settings).run_id == first.run_id
