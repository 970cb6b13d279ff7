"""What `monitor` says at the end: which jobs failed, why, and what to run then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.cli.app import main
from distributed_something.commands.watching.monitor import monitor
from tests.account import variables
from tests.builders import write_config
from tests.golden import check_golden
from tests.lives import Life, open_life

VERBS = ("logs --failed", "retry", "startCluster")


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    with open_life(tmp_path) as life:
        life.clock.during = life.tick
        write_config(tmp_path)
        monkeypatch.chdir(tmp_path)
        for name, value in variables(life.aws).items():
            monkeypatch.setenv(name, value)
        yield life


def end(life: Life, *given_up: str) -> None:
    """Play a run of three jobs to its end, with some that were given up for a reason."""
    life.set_up()
    life.submit("a", "b", "c")
    record = life.buy()
    held = [life.take(record, life.instances()[0]) for _ in "abc"]
    for one, reason in zip(held, given_up, strict=False):
        body = json.dumps({"job_id": one.job.job_id, "reason": reason}).encode()
        key = record.keys.dead(one.job.job_id)
        life.aws.s3.put_object(Bucket=record.bucket, Key=key, Body=body)
        life.drop(record, one)
    life.finish(record, *held[len(given_up) :])
    life.beat(record, life.instances()[0], None)
    monitor(life.aws, record, folder=life.folder, **life.times)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["run.py", *words])
    return main("Help.")


def test_jobs_that_failed_for_good_are_told_with_reasons_and_the_way_to_try_again(
    life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end(life, "exit code 3", "exit code 3")
    capsys.readouterr()  # what it said until then is another test's
    assert run(monkeypatch, "monitor", "--json") == 0
    said = capsys.readouterr()
    check_golden("monitor_end", said.err)
    assert "Failed: 2 jobs.\n  exit code 3 (2): a, b\n" in said.err
    assert said.err.count("exit code 3") == 1
    order = [said.err.index(f": python run.py {verb}") for verb in VERBS]
    assert order == sorted(order)
    assert said.err.count("Next: ") == 1
    told = json.loads(said.out.splitlines()[-1])
    assert told["over"] is True
    assert (told["submitted"], told["done"], told["dead"], told["unfinished"]) == (3, 1, 2, 0)


def test_a_run_whose_jobs_are_all_done_has_no_such_words(
    life: Life, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    end(life)
    assert run(monkeypatch, "monitor") == 0
    said = capsys.readouterr()
    assert "3 done, 0 in the dead-letter queue" in said.err
    assert "Failed:" not in said.err
    assert said.out == ""
