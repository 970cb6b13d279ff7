"""A lease on its own: what it does when renewals fail, and when SQS says that it is over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from worker.job_queue import Message, give_back, receive
from worker.lease import Lease

from .world import World, until


@dataclass
class Line:
    """A client of the simulated SQS whose connection can be cut."""

    world: World
    cut: bool = False
    calls: list[str] = field(default_factory=list)

    def client(self) -> Any:
        client = boto3.client(
            "sqs",
            endpoint_url=self.world.simulator.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="simulated",
            aws_secret_access_key="simulated",
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send.sqs.ChangeMessageVisibility", self._answer)
        return client

    def _answer(self, request: Any, **_: Any) -> Any:
        self.calls.append("cut" if self.cut else "through")
        if self.cut:
            raise EndpointConnectionError(endpoint_url="the line is cut")
        return None


def take(world: World, visibility: int) -> Message:
    world.send({"command": "true", "group": {"plate": "P1"}})
    message = receive(world.aws.sqs, world.queue_url, visibility, 5)
    assert message is not None
    return message


@pytest.fixture
def line(world: World) -> Line:
    return Line(world)


def lease_on(world: World, line: Line, message: Message, lost: list[str]) -> Lease:
    return Lease(
        line.client(), world.queue_url, message, 2, limit=43200, on_lost=lambda: lost.append("lost")
    )


def test_a_lease_is_renewed_until_it_is_released(world: World, line: Line) -> None:
    message = take(world, 2)
    with lease_on(world, line, message, []) as lease:
        time.sleep(4)
        assert world.counts() == (0, 1)
        assert not lease.lost
    until(lambda: world.counts() == (1, 0), "the message is visible again")


def test_two_failed_renewals_are_tolerated(world: World, line: Line) -> None:
    lost: list[str] = []
    lease = lease_on(world, line, take(world, 60), lost)
    line.cut = True
    assert lease.renew() and lease.renew()
    line.cut = False
    assert lease.renew()
    line.cut = True
    assert lease.renew() and lease.renew()
    assert not lease.renew()
    assert "could not be renewed 3 times in a row" in lease.lost
    assert lost == ["lost"]
    assert line.calls.count("cut") == 5  # no retries of the SDK's own


def test_a_message_that_is_visible_again_is_lost_at_once(world: World, line: Line) -> None:
    lost: list[str] = []
    message = take(world, 60)
    lease = lease_on(world, line, message, lost)
    give_back(world.aws.sqs, world.queue_url, message, 0)
    assert not lease.renew()
    assert "ran out" in lease.lost
    assert lost == ["lost"]


def test_a_message_that_another_worker_received_is_lost_at_once(world: World, line: Line) -> None:
    message = take(world, 60)
    lease = lease_on(world, line, message, [])
    give_back(world.aws.sqs, world.queue_url, message, 0)
    assert receive(world.aws.sqs, world.queue_url, 60, 5) is not None
    assert not lease.renew()


def test_nothing_is_renewed_after_the_release(world: World, line: Line) -> None:
    with lease_on(world, line, take(world, 60), []) as lease:
        lease.release()
        lease.renew()
    assert line.calls == []
