"""`submitJob --dry-run` shows what would be sent and what it could cost, and makes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest

from distributed_something.aws.session import Aws
from distributed_something.cli.connection import account_words
from distributed_something.commands.submitting.dry_run import DryRun, dry_run
from distributed_something.errors import UsageError
from distributed_something.local.simulator import Rules, Simulator
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.run_ledger import RunLedger
from distributed_something.resources.table import take_inventory
from tests.account import new_account
from tests.builders import settings, write_config, write_json
from tests.clock import Clock
from tests.golden import check_golden, screen
from tests.lives import Life

JOBS = {
    "command": "count --in {input_dir}/{plate}.tif --out {output_dir} '{plate} of {site}'",
    "inputs": ["images/{plate}.tif", "s3://references/genome.fa"],
    "name": "{plate}-{site}",
    "groups": [{"plate": plate, "site": site} for plate in "AB" for site in (1, 2, 3)],
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(rules=Rules(unseen_uses=0)) as simulator:
        yield simulator


@pytest.fixture
def account(simulator: Simulator) -> Aws:
    return new_account(simulator)


def jobs(folder: Path, **changes: Any) -> Path:
    return write_json(folder / "jobs.json", {**JOBS, **changes})


def planned(aws: Aws | None, path: Path, minutes: float | None = None, **changes: Any) -> DryRun:
    return dry_run(aws, settings(**changes), path, minutes=minutes)


def answer_prices(aws: Aws, *prices: tuple[str, str, float]) -> None:
    """Let EC2 tell of these prices: zone, time, USD an hour."""

    def act(parsed: dict[str, Any], **_: Any) -> None:
        parsed["SpotPriceHistory"] = [
            {
                "InstanceType": "m5.xlarge",
                "AvailabilityZone": zone,
                "Timestamp": datetime.fromisoformat(time).replace(tzinfo=timezone.utc),
                "SpotPrice": str(price),
            }
            for zone, time, price in prices
        ]
        parsed.pop("NextToken", None)

    aws.ec2.meta.events.register("after-call.ec2.DescribeSpotPriceHistory", act)


def test_the_screen_shows_jobs_as_their_workers_will_see_them(
    account: Aws, simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    jobs(tmp_path)
    before = take_inventory(account)
    words = ["submitJob", "jobs.json", "--dry-run"]
    code, out, seen = screen(words, tmp_path, simulator.environment)
    assert (code, out) == (0, "")
    check_golden("dry_run", seen)
    assert take_inventory(account) == before
    assert account.s3.list_objects_v2(Bucket="lab-data")["KeyCount"] == 0


def test_the_screen_shows_time_against_money_where_the_time_of_a_job_is_given(
    simulator: Simulator, tmp_path: Path
) -> None:
    write_config(tmp_path)
    jobs(tmp_path, groups=[{"plate": "A", "site": n} for n in range(80)], weight="{site}")
    words = ["submitJob", "jobs.json", "--dry-run", "--minutes", "30"]
    code, _, seen = screen(words, tmp_path, simulator.environment)
    assert code == 0
    assert "Time against money" in seen and "fast (as asked)" in seen and "cheap" in seen
    assert re.search(r"In each row: requests to S3, SQS and CloudWatch, about \$0\.0[1-9]\.", seen)
    assert "Long jobs would be queued first, by their weight in the job file." in seen


def test_setup_is_next_only_while_there_is_no_queue(account: Aws, tmp_path: Path) -> None:
    path = jobs(tmp_path)
    assert planned(account, path).setup_is_due
    assert not planned(None, path).setup_is_due
    account.sqs.create_queue(QueueName="CountingQueue")
    assert not planned(account, path).setup_is_due


def test_a_program_reads_the_same_as_one_object(simulator: Simulator, tmp_path: Path) -> None:
    write_config(tmp_path)
    jobs(tmp_path)
    words = ["submitJob", "jobs.json", "--dry-run", "--json", "--minutes", "30"]
    code, out, _ = screen(words, tmp_path, simulator.environment)
    told = json.loads(out)
    assert code == 0
    assert told["count"] == 6
    assert told["message"]["group"] == {"plate": "A", "site": 1}
    assert told["estimate"]["minutes"] == 30


def test_a_served_rehearsals_aws_is_told_once_from_a_real_one(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path)
    jobs(tmp_path)
    words = ["submitJob", "jobs.json", "--dry-run"]
    served = {**simulator.environment, "REHEARSAL_FLEET_FILE": "fleet.json"}
    _, out, seen = screen(words, tmp_path, served)
    assert out == "" and seen.count(f"Simulated AWS at {simulator.endpoint_url}") == 1
    assert "(simulated current spot prices)" in seen
    aws = new_account(simulator)
    monkeypatch.delenv("REHEARSAL_FLEET_FILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert account_words(aws) == "123456789012"
    monkeypatch.setenv("AWS_ENDPOINT_URL", simulator.endpoint_url)
    assert account_words(aws) == f"123456789012, at {simulator.endpoint_url}"
    monkeypatch.setenv("REHEARSAL_FLEET_FILE", "fleet.json")
    assert account_words(aws) == f"123456789012, simulated at {simulator.endpoint_url}"


def test_no_account_is_needed(tmp_path: Path) -> None:
    told = planned(None, jobs(tmp_path))
    assert [one.name for one in told.jobs] == ["A-1", "A-3", "B-3"]
    assert told.jobs[0].command == "count --in INPUT/A.tif --out OUTPUT 'A of 1'"
    assert told.jobs[0].inputs == ("s3://lab-data/images/A.tif", "s3://references/genome.fa")
    assert told.jobs[0].output == "s3://lab-data/results/Counting/A-1"
    assert told.estimate.low is None
    assert "MACHINE_PRICE" in told.estimate.prices


def test_who_has_no_credentials_is_told_all_but_the_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    nobody = Aws(boto3.Session(region_name="us-east-1"))
    assert "could not be read" in planned(nobody, jobs(tmp_path)).estimate.prices


def test_a_fault_in_a_group_is_refused_as_if_it_were_sent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"names \{lens\}"):
        planned(None, jobs(tmp_path, command="count {lens}"))


def test_the_price_range_is_what_a_hand_works_out(account: Aws, tmp_path: Path) -> None:
    """Six jobs of an hour, on two machines with one slot each: three rounds, and five minutes."""
    answer_prices(
        account,
        ("us-east-1a", "2026-11-21T01:00", 0.09),  # an older price, which no longer counts
        ("us-east-1a", "2026-11-21T03:00", 0.04),
        ("us-east-1b", "2026-11-21T02:00", 0.06),
        ("us-east-1c", "2026-11-21T02:00", 0.30),  # above MACHINE_PRICE: no machine comes there
    )
    told = planned(account, jobs(tmp_path), minutes=60, EBS_VOL_SIZE=36).estimate
    hours = 3 + 5 / 60
    extras = 0.08 * 36 / 720 + 0.005  # USD an hour for the disk and the address
    assert (told.machines, told.side_by_side, told.hours) == (2, 2, 3)
    assert told.low == pytest.approx(2 * hours * (0.04 + extras))
    assert told.high == pytest.approx(2 * hours * (0.06 + extras))


def test_a_machine_without_a_job_is_in_the_high_figure_alone(account: Aws, tmp_path: Path) -> None:
    answer_prices(account, ("us-east-1a", "2026-11-21T03:00", 0.04))
    told = planned(account, jobs(tmp_path), minutes=60, CLUSTER_MACHINES=12).estimate
    assert told.low and told.high
    assert told.high == pytest.approx(2 * told.low)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({}, []),
        ({"MAX_HOURS": 4, "MAX_COST": 1}, []),
        (
            {"MAX_HOURS": 3},
            ["The jobs need about 3.1 h, and MAX_HOURS ends the machines after 3 h"],
        ),
        ({"MAX_COST": 0.5}, ["may cost as much as $0.67, and MAX_COST", "is $0.50"]),
        ({"MAX_HOURS": 2, "MAX_COST": 0.5}, ["MAX_HOURS ends", "MAX_COST, at which `monitor`"]),
    ],
)
def test_limits_that_the_jobs_would_run_into_are_told(
    tmp_path: Path, limits: dict[str, float], told: list[str]
) -> None:
    said = planned(None, jobs(tmp_path), minutes=60, **limits).estimate.limits
    assert all(words in " ".join(said) for words in told)
    assert bool(said) == bool(told)


def test_jobs_that_surely_cost_more_than_max_cost_are_told_so(account: Aws, tmp_path: Path) -> None:
    answer_prices(account, ("us-east-1a", "2026-11-21T03:00", 0.09))
    said = planned(account, jobs(tmp_path), minutes=60, MAX_COST=0.5).estimate.limits
    assert "The jobs cost $0.61 or more, and MAX_COST" in said[0] and len(said) == 1


def test_prices_that_are_all_above_the_cap_are_said(account: Aws, tmp_path: Path) -> None:
    answer_prices(account, ("us-east-1a", "2026-11-21T03:00", 4.0))
    assert "no machine would come" in planned(account, jobs(tmp_path)).estimate.prices


def test_the_time_of_a_job_is_the_last_rehearsals_or_runs(account: Aws, tmp_path: Path) -> None:
    assert "a guess" in planned(account, jobs(tmp_path)).estimate.source
    life = Life(account, settings(), tmp_path, Clock())
    record = life.record()
    for number, seconds in enumerate((60.0, 120.0, 600.0)):
        attempt = Attempt(
            *(f"{number:020x}", f"job {number}", "1000000-a", 1, "done", "i-1", "slot"),
            *(1000.0, 1000 + seconds),
        )
        RunLedger.of(account.s3, record).write_attempt(attempt)
    told = planned(account, jobs(tmp_path)).estimate
    assert (told.minutes, told.source) == (2.0, "the median of the app's last run")
    report = write_json(tmp_path / "report.json", {"job_seconds": {"median": 30.0}})
    rehearsed = dry_run(account, settings(), jobs(tmp_path), rehearsal=report).estimate
    assert rehearsed.minutes == 0.5
    assert "rehearsal" in rehearsed.source


def test_jobs_that_were_passed_over_tell_no_time(account: Aws, tmp_path: Path) -> None:
    life = Life(account, settings(), tmp_path, Clock())
    record = life.record()
    there = "The results already existed (CHECK_IF_DONE_BOOL)."
    for number, (ended, reason) in enumerate([(1000.0, there)] * 3 + [(1120.0, "")]):
        attempt = Attempt(
            *(f"{number:020x}", "job", "1000000-a", 1, "done", "i-1", "s", 1000.0, ended),
            reason=reason,
        )
        RunLedger.of(account.s3, record).write_attempt(attempt)
    assert planned(account, jobs(tmp_path)).estimate.minutes == 2.0


def test_its_options_without_it_are_refused(tmp_path: Path) -> None:
    write_config(tmp_path)
    jobs(tmp_path)
    code, _, seen = screen(["submitJob", "jobs.json", "--minutes", "3"], tmp_path, {})
    assert code == 2
    assert "go with --dry-run" in seen
