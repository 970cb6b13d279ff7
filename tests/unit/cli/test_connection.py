"""The clients of a config, and of a rehearsal's account whatever profile the config names."""

from __future__ import annotations

import pytest
from botocore.exceptions import ProfileNotFound

from distributed_something.cli.connection import connect
from distributed_something.local import FLEET_VARIABLE
from tests.builders import settings


def test_a_served_rehearsal_needs_no_profile_of_the_configs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(ProfileNotFound):
        connect(settings(AWS_PROFILE="nowhere")).sqs  # noqa: B018
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv(FLEET_VARIABLE, "fleet.json")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    assert connect(settings(AWS_PROFILE="nowhere")).region == "us-east-1"
