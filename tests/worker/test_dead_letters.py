"""Every job that is given up becomes one dead letter, however large its message is."""

from __future__ import annotations

import pytest

from distributed_something.protocol.jobs import (
    ATTRIBUTE_BYTES,
    JOB_ID_ATTRIBUTE,
    MESSAGE_BYTES,
    REASON_ATTRIBUTE,
    REASON_BYTES,
    RUN_ID_ATTRIBUTE,
)
from worker import job_queue, ledger
from worker.job_queue import Message, receive, send_to_dead_letters

from .world import RUN_ID, World, until

OURS = {RUN_ID_ATTRIBUTE: RUN_ID, JOB_ID_ATTRIBUTE: "0" * 20}
LONG_REASON = "\u00e9" * 1000


def letter(world: World, body: str, attributes: dict[str, str]) -> Message:
    """The dead letter that a message with this body and these attributes becomes."""
    message = Message(body, "receipt", 0.0, attributes=attributes)
    send_to_dead_letters(world.aws.sqs, world.dead_url, message, LONG_REASON)
    received = receive(world.aws.sqs, world.dead_url, 60, 5)
    assert received is not None
    assert received.body == body
    return received


def test_the_largest_message_that_is_submitted_has_room_for_a_reason(world: World) -> None:
    body = "x" * (MESSAGE_BYTES - ATTRIBUTE_BYTES)
    found = letter(world, body, OURS).attributes
    assert found == {**OURS, REASON_ATTRIBUTE: "\u00e9" * (REASON_BYTES // 2)}


def test_a_message_without_room_for_a_reason_becomes_a_dead_letter_without_one(
    world: World,
) -> None:
    used = sum(len(name + "String" + value) for name, value in OURS.items())
    assert letter(world, "x" * (MESSAGE_BYTES - used), OURS).attributes == OURS
    assert letter(world, "x" * MESSAGE_BYTES, {}).attributes == {}


def test_a_message_with_as_many_attributes_as_can_be_still_becomes_a_dead_letter(
    world: World,
) -> None:
    others = {f"other{n}": "x" for n in range(job_queue.MOST_ATTRIBUTES - len(OURS))}
    assert letter(world, "{}", {**OURS, **others}).attributes.keys() == {*OURS, REASON_ATTRIBUTE}


@pytest.mark.parametrize("body", [{"command": "true", "group": {"plate": "P1"}}, {"group": 1}])
def test_a_given_up_job_whose_message_comes_back_is_neither_run_nor_given_up_again(
    world: World, body: dict[str, object]
) -> None:
    job = world.send(body)
    message = receive(world.aws.sqs, world.queue_url, 60, 5)
    assert message is not None

    def given_up_later() -> bool:
        """LastModified is in whole seconds."""
        ledger.mark_dead(world.aws.s3, world.bucket, world.keys, job, "It failed.")
        return ledger.is_given_up(world.aws.s3, world.bucket, world.keys, job, message.sent)

    until(given_up_later, "the job is given up after it was sent")
    job_queue.give_back(world.aws.sqs, world.queue_url, message, 0)
    world.start_worker()
    world.until_empty()
    world.stop()
    assert "was given up already" in world.worker_log()
    assert world.attempts(job) == []
    assert world.dead_letters() == []


def test_a_job_that_is_sent_anew_after_it_was_given_up_is_run_though_received_twice(
    world: World,
) -> None:
    body = {"command": "true", "group": {"plate": "P1"}}
    job = world.send(body)
    old = receive(world.aws.sqs, world.queue_url, 60, 5)
    assert old is not None
    job_queue.delete(world.aws.sqs, world.queue_url, old)
    ledger.mark_dead(world.aws.s3, world.bucket, world.keys, job, "It failed.")
    world.send(body)
    message = receive(world.aws.sqs, world.queue_url, 60, 5)
    assert message is not None
    job_queue.give_back(world.aws.sqs, world.queue_url, message, 0)
    world.start_worker()
    world.until_empty()
    world.stop()
    assert world.done() == [job]
