"""What the queues are made with."""

from __future__ import annotations

import json

from distributed_something.definitions.queue import dead_letter_attributes, queue_attributes
from tests.builders import settings

TWO_WEEKS = "1209600"


def test_the_queue_keeps_jobs_two_weeks_and_takes_the_largest_messages() -> None:
    attributes = queue_attributes(settings(), "arn:aws:sqs:us-east-1:1:dead")
    assert attributes["MessageRetentionPeriod"] == TWO_WEEKS
    assert attributes["MaximumMessageSize"] == str(2**20)


def test_dead_letters_are_kept_as_long_as_jobs() -> None:
    assert dead_letter_attributes()["MessageRetentionPeriod"] == TWO_WEEKS


def test_the_visibility_timeout_is_the_configs() -> None:
    attributes = queue_attributes(settings(SQS_MESSAGE_VISIBILITY=7200), "arn:dead")
    assert attributes["VisibilityTimeout"] == "7200"


def test_sqs_itself_gives_a_job_up_only_after_a_thousand_receives() -> None:
    attributes = queue_attributes(settings(JOB_RETRIES=3), "arn:dead")
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive == {"deadLetterTargetArn": "arn:dead", "maxReceiveCount": "1000"}


def test_every_attribute_is_text_as_sqs_wants_it() -> None:
    attributes = {**queue_attributes(settings(), "arn:dead"), **dead_letter_attributes()}
    assert all(isinstance(value, str) for value in attributes.values())
