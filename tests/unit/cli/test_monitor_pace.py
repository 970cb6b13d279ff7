"""How often `monitor` looks at a run: AWS seldom, an account that a rehearsal serves often."""

from __future__ import annotations

import pytest

from distributed_something.cli.connection import monitor_pace
from distributed_something.commands.watching.monitor import Pace
from distributed_something.local import FLEET_VARIABLE


def test_only_a_served_account_is_looked_at_often_and_its_logs_are_exported_as_on_aws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(FLEET_VARIABLE, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert monitor_pace() == Pace()
    monkeypatch.setenv(FLEET_VARIABLE, "fleet.json")
    served = monitor_pace()
    assert served.look_every < 1 and served.quiet_seconds < 10
    assert served.export_seconds == Pace().export_seconds
