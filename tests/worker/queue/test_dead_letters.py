"""Every job that is given up becomes one dead letter, however large its message is."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from distributed_something.protocol.jobs import (
    ATTRIBUTE_BYTES,
    JOB_ID_ATTRIBUTE,
    MESSAGE_BYTES,
    REASON_ATTRIBUTE,
    REASON_BYTES,
    RUN_ID_ATTRIBUTE,
)
from distributed_something.protocol.ledger.attempts import Attempt
from distributed_something.protocol.ledger.facts import GivenUp
from worker.queue import job_queue
from worker.queue.job_queue import Message, receive, send_to_dead_letters

from ..world import RUN_ID, World

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


def given_up(world: World, body: dict[str, object], reason: str, letter_sent: bool) -> str:
    """A job whose worker died while it gave it up, before or after its letter was sent."""
    job = world.send(body)
    message = receive(world.aws.sqs, world.queue_url, 60, 5)
    assert message is not None
    world.ledger.write_given_up(GivenUp(job, reason, message.message_id, letter_sent))
    job_queue.give_back(world.aws.sqs, world.queue_url, message, 0)
    return job


BODIES: list[dict[str, object]] = [{"command": "true", "group": {"plate": "P1"}}, {"group": 1}]


@pytest.mark.parametrize("body", BODIES)
def test_a_given_up_job_whose_message_comes_back_is_neither_run_nor_given_up_again(
    world: World, body: dict[str, object]
) -> None:
    job = given_up(world, body, "It failed.", letter_sent=True)
    world.start_worker()
    world.until_empty()
    world.stop()
    assert "was already given up" in world.worker_log()
    assert world.attempts(job) == []
    assert world.dead_letters() == []


@pytest.mark.parametrize("body", BODIES)
def test_a_letter_that_may_not_have_been_sent_is_sent_and_says_that_it_may_be_a_second_one(
    world: World, body: dict[str, object]
) -> None:
    job = given_up(world, body, "It failed.", letter_sent=False)
    world.start_worker()
    world.until_empty()
    world.stop()
    assert world.attempts(job) == []
    ((letter, reason),) = world.dead_letters()
    assert json.loads(letter) == body
    assert "there may be two copies" in reason and reason.endswith("It failed.")
    told = json.loads(world.read(world.keys.dead(job)))
    assert (told["reason"], told["is_sent"]) == ("It failed.", True)


def test_a_job_that_is_sent_anew_after_it_was_given_up_is_run_though_received_twice(
    world: World,
) -> None:
    job = given_up(world, BODIES[0], "It failed.", letter_sent=True)
    old = receive(world.aws.sqs, world.queue_url, 60, 5)
    assert old is not None
    job_queue.delete(world.aws.sqs, world.queue_url, old)
    world.send(BODIES[0])
    message = receive(world.aws.sqs, world.queue_url, 60, 5)
    assert message is not None
    job_queue.give_back(world.aws.sqs, world.queue_url, message, 0)
    world.start_worker()
    world.until_empty()
    world.stop()
    assert world.done() == [job]


def test_one_worker_alone_begins_to_give_up_a_message_and_a_later_message_may_be_given_up_too(
    world: World,
) -> None:
    ledger = world.ledger
    first = GivenUp("0" * 20, "It failed.", "message-1")
    assert ledger.begin_giving_up(first)
    assert not ledger.begin_giving_up(replace(first, reason="It vanished."))
    assert ledger.find_given_up(first.job_id, "message-1") == first
    later = replace(first, message_id="message-2", reason="It failed again.")
    assert ledger.begin_giving_up(later)
    assert ledger.find_given_up(first.job_id, "message-2") == later
    assert ledger.find_given_up(first.job_id, "message-1") is None


def test_a_job_is_said_to_vanish_only_if_an_attempt_has_no_end(world: World) -> None:
    ledger, job = world.ledger, "1" * 20

    def begin(number: int) -> Attempt:
        name = f"{number:013d}-abcdef"
        one = Attempt(job, "P1", name, number, "started", "i-1", "0-0", float(number))
        ledger.write_attempt(one)
        return one

    def reason() -> str:
        history = ledger.history(job, 0.0)
        return f"{history.attempts}: {ledger.why_failed(history)}"

    for number in (1, 2, 3):
        ended = replace(begin(number), state="failed", reason=f"exit code {number}")
        ledger.write_attempt(ended)
    assert reason() == "3: 3 attempts failed; the last one: exit code 3"
    begin(4)
    assert reason().startswith("4: 4 attempts failed or disappeared, 1 of them disappeared: ")
