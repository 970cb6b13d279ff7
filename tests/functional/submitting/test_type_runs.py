"""With RUN_PER_MACHINE_TYPE every type has a run of its own, and each verb sees to all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import click
import pytest

from distributed_something.aws.messaging.queues import ensure_queue, find_queue
from distributed_something.aws.session import Aws
from distributed_something.cli.context import EXIT_STOPPED
from distributed_something.cli.type_runs import do_each
from distributed_something.cli.verbs.monitor import watch_types
from distributed_something.commands.runs.runs import ensure_run, find_run
from distributed_something.commands.setting_up.setup import setup
from distributed_something.commands.submitting.submit_job import submit_job
from distributed_something.commands.submitting.type_plan import machines_of_type, runs_of_jobs
from distributed_something.commands.submitting.type_runs import jobs_of_type
from distributed_something.commands.watching.monitor import MonitorOutcome, find_watched, monitor
from distributed_something.commands.watching.watch_all import Sleep, watch_all
from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.inputs.settings import Settings
from distributed_something.inputs.type_runs import base_app, type_settings
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.record import save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory, what_stays
from tests.account import new_account, variables, write_fleet_file
from tests.builders import settings, write_config
from tests.clock import Clock

ROOT = Path(__file__).parents[3]
TYPES = ["c5.large", "m5.large", "r5.large"]
SWEEP = {
    "APP_NAME": "Sweep",
    "RUN_PER_MACHINE_TYPE": "True",
    "MACHINE_TYPE": TYPES,
    "MEMORY": 3000,
    "CLUSTER_MACHINES": 5,
    "ECS_CLUSTER": "Sweep",
    "JOB_DEFAULTS": {"shell": True},
}
TABLE = "instance_type,command\nc5.large,echo a > out\nm5.large,b | c\nc5.large,echo a > out\n"


def sweep(**changes: object) -> Settings:
    return settings(**{**SWEEP, **changes})


def table(folder: Path, text: str = TABLE) -> Path:
    path = folder / "jobs.csv"
    path.write_text(text)
    return path


# Whose settings, whose jobs


def test_each_type_has_names_of_its_own() -> None:
    own = type_settings(sweep(SQS_QUEUE_NAME="work", SQS_DEAD_LETTER_QUEUE="lab_dead"))
    assert [one.app_name for one in own] == ["Sweep_c5-large", "Sweep_m5-large", "Sweep_r5-large"]
    assert [one.machine_type for one in own] == [(one,) for one in TYPES]
    assert own[0].log_group_name == own[0].ecs_cluster == "Sweep_c5-large"
    assert len({one.sqs_queue_name for one in own}) == 3
    assert {one.sqs_dead_letter_queue for one in own} == {"lab_dead"}
    assert [base_app(one) for one in own] == ["Sweep"] * 3


def test_without_the_constant_there_is_one_run_as_ever() -> None:
    plain = sweep(RUN_PER_MACHINE_TYPE="False")
    assert type_settings(plain) == (plain,)


def test_a_name_that_is_too_long_with_its_type_is_refused() -> None:
    with pytest.raises(UsageError, match=r"too long for a run of c5\.large"):
        type_settings(sweep(APP_NAME="x" * 60, ECS_CLUSTER="default"))


def test_tags_count_through_all_types_and_equal_lines_are_two_jobs(tmp_path: Path) -> None:
    file = open_job_file(table(tmp_path), {"shell": True})
    jobs = {
        own.machine_type[0]: [group.value for group in jobs_of_type(file, own, 10).groups()]
        for own in type_settings(sweep())
    }
    assert jobs == {
        "c5.large": [
            {"instance_type": "c5.large", "TAG": "Sweep10"},
            {"instance_type": "c5.large", "TAG": "Sweep12"},
        ],
        "m5.large": [{"instance_type": "m5.large", "TAG": "Sweep11"}],
        "r5.large": [],
    }


def test_a_table_of_types_is_refused_where_nobody_asked_for_runs_of_them(tmp_path: Path) -> None:
    file = open_job_file(table(tmp_path), {"shell": True})
    with pytest.raises(UsageError, match="RUN_PER_MACHINE_TYPE"):
        jobs_of_type(file, sweep(RUN_PER_MACHINE_TYPE="False"))


# Watching at once


def test_who_stops_buying_for_one_type_buys_for_no_other() -> None:
    bought: list[str] = []

    def buy(own: Settings) -> None:
        bought.append(own.machine_type[0])
        raise click.exceptions.Exit(EXIT_STOPPED)

    with pytest.raises(click.exceptions.Exit) as end:
        do_each(sweep(), buy, goes_on=False)
    assert end.value.exit_code == EXIT_STOPPED
    assert len(bought) == 1


def test_a_watch_that_fails_does_not_end_the_others() -> None:
    begun = Event()

    def fails(sleep: Sleep) -> str:
        begun.set()
        raise ValueError("this one")

    def waits(sleep: Sleep) -> str:
        assert begun.wait(30)
        sleep(0.01)
        return "done"

    failed, done = watch_all([fails, waits])
    assert isinstance(failed, ValueError)
    assert done == "done"


# The verbs


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Simulator() as simulator:
        yield new_account(simulator)


def run(aws: Aws, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "run.py", *words],
        cwd=folder,
        env={**os.environ, **variables(aws)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def bodies(aws: Aws, own: Settings) -> list[dict[str, object]]:
    url = aws.sqs.get_queue_url(QueueName=own.sqs_queue_name)["QueueUrl"]
    found = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(one["Body"]) for one in found.get("Messages", [])]


@pytest.mark.slow
def test_the_verbs_set_up_fill_start_and_cancel_the_runs_of_all_types(
    aws: Aws, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    write_config(tmp_path, **SWEEP)
    before = take_inventory(aws)
    assert run(aws, tmp_path, "setup").returncode == 0

    wrong = table(tmp_path, TABLE + "x1.large,true\n")
    refused = run(aws, tmp_path, "submitJob", wrong)
    assert refused.returncode == 2
    assert "Row 4: instance_type is 'x1.large'" in refused.stderr
    bare = run(aws, tmp_path, "submitJob", table(tmp_path, "instance_type,n\nc5.large,1\n"))
    assert bare.returncode == 2
    assert "shell is true but there is no command" in bare.stderr
    sent = run(aws, tmp_path, "submitJob", table(tmp_path))
    assert sent.returncode == 0, sent.stderr
    c5, m5, r5 = type_settings(sweep())
    assert [job["group"]["TAG"] for job in bodies(aws, c5)] == ["Sweep0", "Sweep2"]  # type: ignore[index]
    assert [job["command"] for job in bodies(aws, m5)] == ["b | c"]
    assert bodies(aws, r5) == []
    again = run(aws, tmp_path, "submitJob", table(tmp_path))
    assert again.returncode == 2
    assert "--tag-offset 3" in again.stderr
    assert run(aws, tmp_path, "submitJob", table(tmp_path), "--tag-offset", "3").returncode == 0
    assert len(bodies(aws, c5)) == 4

    assert machines_of_type(aws, c5).cluster_machines == 4
    started = run(aws, tmp_path, "startCluster", write_fleet_file(aws, tmp_path), "--yes")
    assert started.returncode == 0, started.stderr
    assert "No job was submitted to Sweep_r5-large: no machine is bought." in started.stderr
    assert [fleet.target_capacity for fleet in find_run(aws, c5).fleets] == [4]
    assert [fleet.target_capacity for fleet in find_run(aws, m5).fleets] == [2]

    more = run(aws, tmp_path, "submitJob", table(tmp_path), "--tag-offset", "6")
    assert more.returncode == 0, more.stderr  # to runs whose machines are up
    assert [job["group"]["TAG"] for job in bodies(aws, c5)][4:] == ["Sweep6", "Sweep8"]  # type: ignore[index]

    seen = run(aws, tmp_path, "status", "--json")
    assert seen.returncode == 0, seen.stderr
    waiting = [json.loads(line) for line in seen.stdout.splitlines()]
    assert len(waiting) == 2  # the third type has no run, which is no failure
    unknown = run(aws, tmp_path, "logs", "Sweep99")
    assert unknown.returncode != 0
    assert "Sweep99" in unknown.stderr
    refused = run(aws, tmp_path, "status", "--watch")
    assert refused.returncode == 2
    assert "leave it out" in refused.stderr

    cancelled = run(aws, tmp_path, "cancel", "--yes")
    assert cancelled.returncode == 0, cancelled.stderr
    left = take_inventory(aws) - before
    stays = [what_stays(find_run(aws, own)) for own in (c5, m5)]
    groups = {item for item in left if "Sweep_r5-large" in item}
    assert left - groups <= frozenset().union(*stays)
    assert all(item.startswith("log group ") for item in groups)


def test_a_report_of_each_type_has_a_file_of_its_own(aws: Aws, tmp_path: Path) -> None:
    write_config(tmp_path, **SWEEP)
    c5, m5, _ = type_settings(sweep())
    for own in (c5, m5):
        record = ensure_run(aws, own, folder=None)
        attempt = Attempt("a1", own.app_name, "1000000-a", 1, "done", "i-1", "0", 1000.0, 1060.0)
        RunLedger.of(aws.s3, record).write_attempt(attempt)

    rows = run(aws, tmp_path, "report", "--csv").stdout.splitlines()
    assert [row.split(",")[:2] for row in rows] == [
        ["job_id", "name"],
        ["a1", "Sweep_c5-large"],
        ["a1", "Sweep_m5-large"],
    ]
    told = run(aws, tmp_path, "report", "--csv", "-o", "attempts.csv")
    assert told.returncode == 0, told.stderr
    assert "its own file: attempts-Sweep_m5-large.csv" in told.stderr
    files = [tmp_path / f"attempts-{own.app_name}.csv" for own in (c5, m5)]
    assert [len(file.read_text().splitlines()) for file in files] == [2, 2]
    assert not (tmp_path / "attempts.csv").exists()
    lines = run(aws, tmp_path, "report", "--json").stdout.splitlines()
    assert [json.loads(line)["app_name"] for line in lines] == [c5.app_name, m5.app_name]
    run(aws, tmp_path, "report", "-o", "page.html")
    assert sorted(tmp_path.glob("page*")) == [
        tmp_path / f"page-{own.app_name}.html" for own in (c5, m5)
    ]


def test_monitoring_types_of_which_none_has_a_run_says_what_to_do(aws: Aws, tmp_path: Path) -> None:
    write_config(tmp_path, **SWEEP)
    refused = run(aws, tmp_path, "monitor")
    assert refused.returncode != 0
    assert "submitJob JOBS.csv" in refused.stderr


def finish(aws: Aws, own: Settings) -> None:
    """End a run's jobs well, as its workers do."""
    record = find_run(aws, own)
    ledger = RunLedger.of(aws.s3, record)
    for job in ledger.submitted_jobs():
        ledger.mark_done(Attempt(job.job_id, job.name, "1", 1, "done", "i-1", "slot", 0.0))
    aws.sqs.purge_queue(QueueUrl=find_queue(aws.sqs, own.sqs_queue_name))


def watch_each(aws: Aws, watched: Settings) -> None:
    """What the verb `monitor` does, in no time."""

    def watch(own: Settings, _: Sleep) -> MonitorOutcome:
        clock = Clock(time.time())
        times: dict[str, Any] = {"sleep": clock.sleep, "now": clock.now}
        return monitor(aws, find_watched(aws, own, **times), folder=None, **times)

    watch_types(watched, watch, as_json=False, sleep=Clock().sleep)


@pytest.fixture
def at_home(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and an environment in which verbs reach the account."""
    monkeypatch.chdir(tmp_path)
    for name, value in variables(aws).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("at_home")
def test_what_setup_made_for_a_type_without_jobs_goes_with_the_others_runs(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = take_inventory(aws)
    own = type_settings(sweep())
    for one in own:
        setup(aws, one)
    for one in own[:2]:
        submit_job(aws, one, table(tmp_path), folder=None)
        finish(aws, one)
    live = [find_run(aws, one) for one in own[:2]]

    for record in live:  # whose app may have been set up anew, for a run that does not exist yet
        save_record(aws.s3, replace(record, ended=1.0), None)
    watch_each(aws, sweep())
    assert "python run.py cancel" in capsys.readouterr().err
    assert find_queue(aws.sqs, own[2].sqs_queue_name)

    for record in live:
        save_record(aws.s3, record, None)
    watch_each(aws, sweep())
    assert "Removed 4 things of Sweep_r5-large, which had no jobs." in capsys.readouterr().err
    left = take_inventory(aws) - before
    assert {item for item in left if not item.startswith("log group ")} == {
        "queue lab_DeadMessages"
    }


def test_a_tag_with_results_is_not_given_to_another_command(aws: Aws, tmp_path: Path) -> None:
    for text, offset in ((TABLE, 0), ("instance_type,command\nm5.large,later\n", 7)):
        path = table(tmp_path, text)
        for own in runs_of_jobs(aws, sweep(), path, tag_offset=offset):
            ensure_queue(aws.sqs, own.sqs_queue_name, {}, {})
            submit_job(aws, own, path, folder=None, tag_offset=offset)
            finish(aws, own)
            save_record(aws.s3, replace(find_run(aws, own), ended=1.0), None)

    assert runs_of_jobs(aws, sweep(), table(tmp_path))  # the same commands once more
    other = table(tmp_path, TABLE.replace("b | c", "d | e"))
    with pytest.raises(UsageError, match=r"tags Sweep1, .* --tag-offset 8`"):
        runs_of_jobs(aws, sweep(), other)
    moved = table(tmp_path, "instance_type,command\nr5.large,echo a > out\n")
    with pytest.raises(UsageError, match="tags Sweep0,"):
        runs_of_jobs(aws, sweep(), moved)
    assert runs_of_jobs(aws, sweep(), moved, tag_offset=8)


def test_the_tag_of_a_command_that_failed_is_free_for_its_mended_one(
    aws: Aws, tmp_path: Path
) -> None:
    own = type_settings(sweep())[1]
    ensure_queue(aws.sqs, own.sqs_queue_name, {}, {})
    submit_job(aws, own, table(tmp_path), folder=None)
    save_record(aws.s3, replace(find_run(aws, own), ended=1.0), None)
    assert runs_of_jobs(aws, sweep(), table(tmp_path, TABLE.replace("b | c", "d | e")))
