"""The worker's clients read the dates of answers as botocore does, only sooner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.utils import parse_timestamp

from distributed_something.protocol.sessions import read_time
from worker.clients import make_clients
from worker.environment import Pace

from ..world import World


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 21 Nov 2026 09:16:13 GMT",
        "2026-11-21T09:16:13.000Z",
        "2026-11-21T09:16:13Z",
        "2026-11-21T09:16:13.5Z",
        "2026-11-21T10:16:13+01:00",
        "20261121T091613Z",
        "Saturday, 21-Nov-26 09:16:13 GMT",
        1795252573,
        1795252573.25,
        "1795252573.25",
    ],
)
def test_a_time_is_what_botocore_takes_it_for(text: str | float) -> None:
    found = read_time(text, parse_timestamp)
    assert found == parse_timestamp(str(text))
    assert found.utcoffset() is not None


def test_a_time_that_is_none_is_refused_as_by_botocore() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        read_time("nonsenseZ", parse_timestamp)


def test_the_times_of_objects_and_listings_agree(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.simulator.environment.items():
        monkeypatch.setenv(name, value)
    world.put("a.txt", "alpha")
    s3 = make_clients("us-east-1").s3
    (listed,) = s3.list_objects_v2(Bucket=world.bucket)["Contents"]
    got = s3.get_object(Bucket=world.bucket, Key="a.txt")["LastModified"]
    assert abs(listed["LastModified"] - got) < timedelta(seconds=1)
    assert got.utcoffset() == timedelta(0)


def test_logs_that_hang_leave_a_worker_that_is_told_to_stop_the_time_to_say_so() -> None:
    config: Any = make_clients("us-east-1").logs.meta.config
    longest = max(config.connect_timeout, config.read_timeout)
    assert config.retries["total_max_attempts"] * longest < Pace().stop_seconds / 2
