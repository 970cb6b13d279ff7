"""A lease on its own: what it does when renewals fail, and when SQS says that it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from distributed_something.protocol.ledger.run_ledger import RunLedger
from worker.clients import make_clients
from worker.queue.handover import Claim
from worker.queue.job_queue import Message, give_back, receive
from worker.queue.lease import Lease

from ..world import RUN_ID, World, until

JOB = "0" * 20


@dataclass
class Line:
    """A client of the simulated SQS whose connection can be cut."""

    world: World
    cut: bool = False
    hangs: list[float] = field(default_factory=list)  # seconds until the next calls fail
    calls: list[str] = field(default_factory=list)

    def client(self) -> Any:
        client = self.world.aws.session.client(
            "sqs",
            endpoint_url=self.world.simulator.endpoint_url,
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register("before-send.sqs.ChangeMessageVisibility", self._answer)
        return client

    def _answer(self, request: Any, **_: Any) -> Any:
        is_cut = self.cut or bool(self.hangs)
        if self.hangs:
            time.sleep(self.hangs.pop(0))
        self.calls.append("cut" if is_cut else "through")
        if is_cut:
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


def lease_on(
    world: World, line: Line, message: Message, lost: list[str], visibility: int = 2
) -> Lease:
    return Lease(
        line.client(),
        world.queue_url,
        message,
        visibility,
        limit=43200,
        on_lost=lambda: lost.append("lost"),
    )


def lease_by_clock(world: World, line: Line, limit: float, passed: Callable[[], float]) -> Lease:
    """A lease of 60 s, for which so many seconds have passed since its message was received."""
    message = take(world, 60)
    return Lease(
        line.client(),
        world.queue_url,
        message,
        60,
        limit=limit,
        on_lost=lambda: None,
        now=lambda: message.received + passed(),
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
    lease = lease_on(world, line, take(world, 60), lost, visibility=60)
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


@pytest.mark.slow
def test_renewals_that_hang_do_not_put_off_the_next_ones(world: World, line: Line) -> None:
    line.hangs += [3.2, 3.2]
    with lease_on(world, line, take(world, 12), [], visibility=12) as lease:
        until(lambda: len(line.calls) > 2, "a third one is tried")
        until(lambda: lease.seconds_left() > 9 or lease.lost, "it is answered")
        assert not lease.lost
    assert line.calls[:3] == ["cut", "cut", "through"]


def test_a_lease_whose_time_is_over_while_a_renewal_hangs_is_lost(world: World, line: Line) -> None:
    passed = [0.0]
    lease = lease_by_clock(world, line, 43200, lambda: passed[0])
    assert lease.renew() and lease.seconds_left() == 60.0
    line.cut, passed[0] = True, 61.0
    assert not lease.renew()
    assert lease.seconds_left() == 0.0


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


def claim_on(world: World, s3: Any) -> Claim:
    return Claim(RunLedger(s3, world.bucket, world.name, RUN_ID).lease_claims(JOB), "attempt")


def test_a_lease_that_sqs_ends_sooner_than_expected_is_claimed_and_not_lost(
    world: World, line: Line
) -> None:
    lost: list[str] = []
    message = take(world, 60)
    lease = Lease(
        line.client(),
        world.queue_url,
        message,
        43200,  # from now, some milliseconds after the receipt, is beyond SQS's limit
        limit=1e9,
        on_lost=lambda: lost.append("lost"),
        now=lambda: message.received,
    )
    until(lambda: time.time() > message.received + 0.5, "a moment passes")
    claim = claim_on(world, world.aws.s3)
    lease.claim_with(claim)
    assert lease.renew()
    assert lost == []
    assert world.object_keys() == [world.keys.lease_claim(JOB)]
    lease.release()
    assert world.object_keys() == []


def lease_near_its_end(world: World, line: Line, after: float) -> Lease:
    """A lease renewed 110 s before SQS's limit, `after` seconds later."""
    clock = 43200.0 - 110
    lease = lease_by_clock(world, line, 43200, lambda: clock)
    lease.claim_with(claim_on(world, world.aws.s3))
    assert lease.renew()
    assert len(line.calls) == 1
    clock += after
    return lease


def test_a_lease_is_claimed_some_seconds_before_sqs_ends_it(world: World, line: Line) -> None:
    lease = lease_near_its_end(world, line, 40)
    assert lease.renew()
    assert len(line.calls) == 1
    assert world.object_keys() != []


def test_a_lease_that_ran_out_while_its_worker_hung_is_not_claimed(
    world: World, line: Line
) -> None:
    lease = lease_near_its_end(world, line, 70)
    assert not lease.renew()
    assert "it ran out" in lease.lost
    assert world.object_keys() == []


def test_a_claim_that_was_not_written_for_the_time_of_a_lease_is_lost(
    world: World, line: Line
) -> None:
    clock = [0.0]
    lease = lease_by_clock(world, line, 60, lambda: clock[0])
    lease.claim_with(claim_on(world, world.aws.s3))
    for clock[0] in (50.0, 100.0):
        assert lease.renew()
    clock[0] = 161.0  # others have taken it for dead
    assert not lease.renew()


def test_a_claim_that_cannot_be_withdrawn_does_not_keep_a_lease_from_its_release(
    world: World, line: Line
) -> None:
    s3: Any = world.aws.session.client("s3", endpoint_url=world.simulator.endpoint_url)

    def cut(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="the line is cut")

    s3.meta.events.register("before-call.s3.DeleteObject", cut)
    message = take(world, 60)
    lease = Lease(line.client(), world.queue_url, message, 60, limit=30, on_lost=lambda: None)
    lease.claim_with(claim_on(world, s3))
    assert lease.renew()
    lease.release()
    assert world.object_keys() == [world.keys.lease_claim("0" * 20)]


def test_what_holds_a_lease_neither_waits_long_nor_tries_again() -> None:
    clients = make_clients("us-east-1")
    for client in (clients.lease_sqs, clients.lease_s3):
        config: Any = client.meta.config
        assert config.read_timeout == 5
        assert config.retries["total_max_attempts"] == 1
