"""Faults of older programs that documentation/compatibility.md names and no other test shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from distributed_something.aws.monitoring import alarms, dashboards
from distributed_something.aws.session import Aws, make_session
from distributed_something.cli.verbs.monitor import _is_true
from distributed_something.definitions.dashboard import dashboard
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.ledger.record import RunRecord
from tests.lives import put_alarm

BODY: dict[str, Any] = {"widgets": []}


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Simulator() as simulator:
        yield simulator.aws()


def test_only_the_dashboard_of_exactly_this_name_is_deleted(aws: Aws) -> None:
    for name in ("Analysis", "Analysis2", "MyAnalysis"):
        dashboards.ensure_dashboard(aws.cloudwatch, name, BODY)
    assert dashboards.delete_dashboard(aws.cloudwatch, "Analysis")
    assert not dashboards.delete_dashboard(aws.cloudwatch, "Analysis")
    left = aws.cloudwatch.list_dashboards()["DashboardEntries"]
    assert sorted(one["DashboardName"] for one in left) == ["Analysis2", "MyAnalysis"]


def test_an_apps_name_may_hold_underscores_and_the_word_queue(aws: Aws) -> None:
    for name in ("My_Queue_App_i-1", "My_Queue_App_2_i-2", "My_i-3", "i-4"):
        put_alarm(aws, name)
    found = alarms.find_machine_alarms(aws.cloudwatch, "My_Queue_App")
    assert found == {"i-1": "My_Queue_App_i-1"}


def test_every_client_has_the_configs_profile_and_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = us-east-1\n[profile lab]\n")
    keys = "aws_access_key_id = {0}\naws_secret_access_key = {0}\n"
    credentials = f"[default]\n{keys.format('nobody')}[lab]\n{keys.format('labs')}"
    (tmp_path / "credentials").write_text(credentials)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    made = Aws(make_session("eu-west-1", "lab"))
    credentials_in_use = made.session.get_credentials()
    assert credentials_in_use is not None and credentials_in_use.access_key == "labs"
    clients: list[Any] = [made.sqs, made.ecs, made.ec2, made.s3, made.logs, made.cloudwatch]
    assert {client.meta.region_name for client in clients} == {"eu-west-1"}


def test_only_the_words_true_and_false_may_follow_the_monitor_file() -> None:
    assert [_is_true(word) for word in (None, "False", "false", "True", "true")] == [
        False,
        False,
        False,
        True,
        True,
    ]
    with pytest.raises(click.UsageError, match="perhaps"):
        _is_true("perhaps")


def test_the_dashboard_adds_up_messages_instead_of_averaging_them() -> None:
    record = RunRecord("Counting", "counting", "CountingQueue", "lab-data", "Counting")
    shown = [widget["properties"] for widget in dashboard(record, "us-east-1", None)["widgets"]]
    (counted,) = (one for one in shown if "NumberOfMessagesDeleted" in str(one))
    assert counted["stat"] == "Sum"
