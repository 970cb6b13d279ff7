"""The simulated SQS: leases, counts, dead letters and the minute after a deletion."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.session import Aws
from tests.clock import Clock


def make_queue(aws: Aws, name: str = "Jobs", **attributes: str) -> str:
    given: Any = {"VisibilityTimeout": "30", **attributes}
    return aws.sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]


def counts(aws: Aws, url: str) -> tuple[int, int, int]:
    """Waiting, in flight and delayed."""
    names: Any = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    found: Any = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]]), int(found[names[2]])


def receive(aws: Aws, url: str, **request: Any) -> list[Any]:
    answer = aws.sqs.receive_message(
        QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], **request
    )
    return list(answer.get("Messages", []))


def test_messages_come_in_order_with_their_attributes(aws: Aws) -> None:
    url = make_queue(aws)
    attributes: Any = {"RunId": {"DataType": "String", "StringValue": "run-1"}}
    for body in ("one", "two"):
        aws.sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    first, second = (receive(aws, url)[0] for _ in range(2))
    assert (first["Body"], second["Body"]) == ("one", "two")
    assert first["MessageAttributes"]["RunId"]["StringValue"] == "run-1"
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_message_is_waiting_then_in_flight_then_gone(aws: Aws) -> None:
    url = make_queue(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    assert counts(aws, url) == (1, 0, 0)
    (message,) = receive(aws, url)
    assert counts(aws, url) == (0, 1, 0)
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert counts(aws, url) == (0, 0, 0)


def test_a_delayed_message_is_counted_as_such_until_its_time(aws: Aws, clock: Clock) -> None:
    url = make_queue(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=60)
    assert counts(aws, url) == (0, 0, 1)
    assert receive(aws, url) == []
    clock.time += 61
    assert counts(aws, url) == (1, 0, 0)


def test_a_message_comes_back_when_its_lease_ends_and_not_before(aws: Aws, clock: Clock) -> None:
    url = make_queue(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    receive(aws, url)
    clock.time += 29
    assert receive(aws, url) == []
    clock.time += 2
    assert receive(aws, url)[0]["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_renewed_lease_lasts_longer(aws: Aws, clock: Clock) -> None:
    url = make_queue(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(aws, url)
    clock.time += 20
    aws.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=30
    )
    clock.time += 25
    assert receive(aws, url) == []
    clock.time += 6
    assert len(receive(aws, url)) == 1


def test_a_lease_that_has_ended_cannot_be_renewed(aws: Aws, clock: Clock) -> None:
    url = make_queue(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(aws, url)
    clock.time += 31
    with pytest.raises(aws.sqs.exceptions.MessageNotInflight):
        aws.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=30
        )
    assert len(receive(aws, url)) == 1


def test_a_lease_that_somebody_else_holds_can_be_neither_renewed_nor_deleted(
    aws: Aws, clock: Clock
) -> None:
    url = make_queue(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    (mine,) = receive(aws, url)
    clock.time += 31
    receive(aws, url)
    with pytest.raises(aws.sqs.exceptions.MessageNotInflight):
        aws.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=mine["ReceiptHandle"], VisibilityTimeout=0
        )
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=mine["ReceiptHandle"])
    assert counts(aws, url) == (0, 1, 0)


def test_a_lease_ends_twelve_hours_after_it_began_whatever_is_asked(aws: Aws, clock: Clock) -> None:
    url = make_queue(aws, VisibilityTimeout="43200")
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    clock.time += 100_000  # the wait before does not count
    (message,) = receive(aws, url)
    clock.time += 40_000
    lease = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    with pytest.raises(ClientError, match="43200"):
        aws.sqs.change_message_visibility(**lease, VisibilityTimeout=3_201)
    aws.sqs.change_message_visibility(**lease, VisibilityTimeout=3_199)


def test_giving_a_message_back_makes_it_wait_again_at_once(aws: Aws) -> None:
    url = make_queue(aws)
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(aws, url)
    aws.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    assert counts(aws, url) == (1, 0, 0)


def test_a_message_received_too_often_goes_to_the_dead_letters(aws: Aws, clock: Clock) -> None:
    dead = make_queue(aws, "Dead")
    arn: Any = aws.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": "2"}
    url = make_queue(aws, RedrivePolicy=json.dumps(policy))
    aws.sqs.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        assert len(receive(aws, url)) == 1
        clock.time += 31
    assert receive(aws, url) == []
    assert [message["Body"] for message in receive(aws, dead)] == ["poison"]


def test_the_name_of_a_deleted_queue_cannot_be_used_for_a_minute(aws: Aws, clock: Clock) -> None:
    url = make_queue(aws)
    aws.sqs.delete_queue(QueueUrl=url)
    clock.time += 59
    with pytest.raises(aws.sqs.exceptions.QueueDeletedRecently):
        make_queue(aws)
    clock.time += 1
    assert make_queue(aws) == url


def test_what_is_sent_to_a_deleted_queue_is_swallowed_for_a_minute(aws: Aws, clock: Clock) -> None:
    url = make_queue(aws)
    aws.sqs.delete_queue(QueueUrl=url)
    aws.sqs.send_message(QueueUrl=url, MessageBody="lost")
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.get_queue_url(QueueName="Jobs")
    clock.time += 61
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.send_message(QueueUrl=url, MessageBody="refused")
    assert counts(aws, make_queue(aws)) == (0, 0, 0)


def test_a_message_above_the_queues_limit_is_refused(aws: Aws) -> None:
    url = make_queue(aws, MaximumMessageSize="2048")
    with pytest.raises(ClientError, match="2048"):
        aws.sqs.send_message(QueueUrl=url, MessageBody="x" * 2049)
