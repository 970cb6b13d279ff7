"""Jobs that fail are told of while they are tried again, not only once they are given up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distributed_something.cli.screens.monitor_lines import progress_printer
from distributed_something.commands.watching.failing import Failing, FailureWatch
from distributed_something.commands.watching.monitor import RunProgress, monitor
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp
from distributed_something.protocol.ledger.keys import new_attempt_id
from distributed_something.protocol.ledger.record import RunRecord
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.golden import check_golden
from tests.lives import Held, Life, open_life, refusing, watch_calls


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        life.set_up()
        yield life


def fail(life: Life, record: RunRecord, held: Held, reason: str) -> None:
    """An attempt at a job that ends badly; its worker still holds the message."""
    started = life.clock.now()
    one = Attempt(
        *(held.job.job_id, held.job.name, new_attempt_id(started), 1, "failed"),
        *(held.instance_id, "slot", started),
        reason=reason,
    )
    RunLedger.of(life.world.s3, record).write_attempt(one)


@pytest.mark.parametrize(
    ("failing", "sentence"),
    [
        (Failing(1, 1, "exit code 3"), "1 job has failed once so far: exit code 3"),
        (Failing(1, 2, "a\nb"), "1 job has failed 2 times so far: a b"),
        (Failing(1200, 3, "x"), "1,200 jobs have failed, up to 3 times so far: x"),
        (Failing(2, 1, ""), "2 jobs have failed, once so far."),
    ],
)
def test_failing_jobs_are_told_in_one_sentence(failing: Failing, sentence: str) -> None:
    assert failing.sentence() == sentence


def test_monitor_tells_of_jobs_that_fail_before_they_are_given_up(
    life: Life, capsys: pytest.CaptureFixture[str]
) -> None:
    life.submit("a", "b", "c")
    record = life.buy()
    held = [life.take(record, life.instances()[0]) for _ in "abc"]
    scenes = [
        lambda: fail(life, record, held[0], "exit code 3"),
        lambda: fail(life, record, held[0], "exit code 3"),
        lambda: fail(life, record, held[1], "exit code 4"),
        lambda: None,
        lambda: life.finish(record, *held),
    ]
    seen: list[RunProgress] = []
    tell = progress_printer(as_json=False)

    def look(progress: RunProgress) -> None:
        seen.append(progress)
        tell(progress)

    def play() -> None:
        if scenes:
            scenes.pop(0)()
        life.tick()

    life.clock.during = play
    monitor(life.aws, record, folder=life.folder, on_progress=look, **life.times)
    told = [one.failing for one in seen]
    assert told[:5] == [
        None,
        Failing(1, 1, "exit code 3"),
        Failing(1, 2, "exit code 3"),
        Failing(2, 2, "exit code 4"),
        Failing(2, 2, "exit code 4"),
    ]
    assert not any(told[5:])
    said = capsys.readouterr().err
    looks = re.findall(r"(?m)^\d\d:\d\d:\d\d \w+(.*)$", said)
    check_golden("monitor", "\n".join(f"03:04:05 UTC{look}" for look in looks))
    assert said.count("2 jobs have failed, up to 2 times so far: exit code 4\n") == 1
    progress_printer(as_json=True)(seen[3])
    line = json.loads(capsys.readouterr().out)
    assert line["given_up"] == 0
    progress_printer(as_json=False)(replace(seen[-1], given_up=1))
    assert "ended 3 of 3 (1 given up)  machines" in capsys.readouterr().err
    assert line["failing"] == {"jobs": 2, "most": 2, "reason": "exit code 4"}


def test_a_run_whose_first_jobs_all_fail_alike_on_two_machines_is_stopped(life: Life) -> None:
    names = [f"job{n:02d}" for n in range(21)]
    life.submit(*names)
    record = life.buy()
    ledger = RunLedger.of(life.world.s3, record)
    watch = FailureWatch()

    def give_up_next(machine: int) -> None:
        held = life.take(record, life.instances()[machine])
        life.fail(record, held, "The command ended with exit code 3.")
        ledger.write_given_up(GivenUp(held.job.job_id, "exit code 3"))

    def look() -> str:
        watch.look(life.aws, record, 21, life.clock.now(), machines=2)
        life.clock.sleep(1)
        return ledger.why_stopped()

    for _ in range(20):
        give_up_next(0)
    assert look() == ""  # the machine may be to blame
    give_up_next(1)
    assert "21 jobs failed alike: exit code 3. Fix the cause" in look()
    assert "`python run.py retry` continues it" in look()


def test_a_large_ledger_is_not_listed_at_every_look_and_one_that_cannot_be_stops_nobody(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    life.submit("a")
    record = life.buy()
    fail(life, record, life.take(record, life.instances()[0]), "exit code 3")
    watch = FailureWatch()
    with refusing(life.aws.s3, "ListObjectsV2"):
        assert watch.look(life.aws, record, 1, now=0.0) is None
    assert "Could not read which jobs fail" in caplog.text
    with watch_calls(life.aws) as calls:
        found = [watch.look(life.aws, record, 100_000, now) for now in (30.0, 60.0, 300.0, 331.0)]
    assert found == [Failing(1, 1, "exit code 3")] * 4
    assert watch.given_up == 0
    life.aws.s3.put_object(Bucket=record.bucket, Key=record.keys.dead("0" * 20), Body=b"{}")
    watch.look(life.aws, record, 1, now=1000.0)
    assert watch.given_up == 1
    assert calls.count("ListObjectsV2") == 2
