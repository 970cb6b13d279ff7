"""AWS's refusals for the clock are read as such, by date, message or code."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.clock import is_of_clock, says_off
from distributed_something.aws.faults import may_pass
from distributed_something.aws.session import Aws, make_session
from distributed_something.aws.storage import check_bucket
from distributed_something.cli.faults import explain
from distributed_something.commands.check import account
from distributed_something.commands.runs.connection import may_be_the_network
from tests.gateway import Answer, Request, gateway, s3_error

EXPIRED = (
    "Signature expired: 20261201T080139Z is now earlier than 20261201T085247Z "
    "(20261201T090747Z - 15 min.)"
)
EARLY = (
    "Signature not yet current: 20261201T100747Z is still later than 20261201T091247Z "
    "(20261201T090747Z + 5 min.)"
)


def refusal(code: str, message: str, when: float | None = None) -> ClientError:
    headers = {"date": formatdate(when, usegmt=True)} if when else {}
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPHeaders": headers},
    }
    return ClientError(answer, "HeadBucket")


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("InvalidSignatureException", EXPIRED, "66 minutes slow"),
        ("SignatureDoesNotMatch", EXPIRED, "66 minutes slow"),
        ("SignatureDoesNotMatch", EARLY, "60 minutes fast"),
        ("RequestTimeTooSkewed", "The difference is too large.", "is off, so AWS refuses"),
        ("RequestExpired", "Request has expired.", "If it is right, the credentials have expired"),
        ("SignatureDoesNotMatch", "The signature we calculated does not match.", ""),
        ("AuthFailure", "AWS was not able to validate the access credentials.", ""),
        ("AccessDenied", "Access Denied", ""),
        ("403", "Forbidden", ""),
        ("NoSuchBucket", EXPIRED, ""),
    ],
)
@pytest.mark.parametrize("has_date", [False, True])
def test_a_clock_is_blamed_where_the_answer_says_so(
    code: str, message: str, words: str, has_date: bool
) -> None:
    said = says_off(refusal(code, message, time.time() if has_date else None))
    assert words in said
    assert bool(said) == bool(words)
    assert not said or said.startswith("The clock of this computer is ")


def skewed(request: Request) -> Answer:
    """What AWS answers a computer whose clock is an hour slow; this server's own date is right."""
    headers = {"Content-Type": "text/xml"}
    if request.service == "s3":
        return s3_error(403, "RequestTimeTooSkewed", "The difference is too large.")
    if "x-amz-target" in request.headers:
        body = f'{{"__type": "InvalidSignatureException", "message": "{EXPIRED}"}}'
        return Answer(400, body.encode(), {"Content-Type": "application/x-amz-json-1.1"})
    if request.service == "ec2":
        error = "<Error><Code>RequestExpired</Code><Message>Request has expired.</Message></Error>"
        return Answer(400, f"<Response><Errors>{error}</Errors></Response>".encode(), headers)
    error = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{EXPIRED}</Message></Error>"
    return Answer(403, f"<ErrorResponse>{error}</ErrorResponse>".encode(), headers)


def test_every_service_s_refusal_names_the_clock_and_is_waited_for_as_the_network_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    with gateway("http://127.0.0.1:1", skewed) as way:
        aws = Aws(make_session("us-east-1"), way.url)
        for ask in (
            lambda: check_bucket(aws.s3, "lab-data"),
            lambda: aws.s3.get_object(Bucket="lab-data", Key="a"),
            lambda: aws.sqs.get_queue_url(QueueName="AQueue"),
            lambda: aws.ecs.describe_clusters(),
            lambda: aws.ec2.describe_instances(),
            lambda: aws.iam.get_role(RoleName="role"),
            lambda: aws.sts.get_caller_identity(),
            lambda: aws.cloudwatch.describe_alarms(),
            lambda: aws.scheduler.list_schedules(),
        ):
            with pytest.raises(ClientError) as met:
                ask()
            assert is_of_clock(met.value)
            assert may_pass(met.value)
            assert may_be_the_network(met.value, 10.0)
            told = explain(met.value)
            assert told is not None and told[0].startswith("The clock of this computer is ")
            assert "aws configure" not in told[0] and "AWS_BUCKET" not in told[0]
        found = account.credentials(aws)
        assert (found.subject, found.fix) == ("clock", account._SET_CLOCK)
