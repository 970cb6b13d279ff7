"""The clients of a config, and of a rehearsal's account whatever profile the config names."""

from __future__ import annotations

import pytest
from botocore.exceptions import ProfileNotFound

from distributed_something.cli.connection import connect
from distributed_something.local import FLEET_VARIABLE
from tests.builders import settings
from tests.gateway import Answer, Request, gateway


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


@pytest.mark.parametrize(
    ("changes", "pays"),
    [
        ({}, None),
        ({"REQUESTER_PAYS": "True"}, "requester"),
        ({"UPLOAD_FLAGS": "--request-payer requester"}, "requester"),
    ],
)
def test_every_verb_accepts_the_bill_of_a_bucket_where_the_config_does(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], pays: str | None
) -> None:
    asked: list[Request] = []

    def answers(request: Request) -> Answer:
        asked.append(request)
        return Answer(200)

    with gateway("http://127.0.0.1:1", answers) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", way.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
        s3 = connect(settings(**changes)).s3
        s3.head_bucket(Bucket="other-bucket")
        s3.head_object(Bucket="other-bucket", Key="a.tif")
        s3.get_object(Bucket="other-bucket", Key="a.tif")
    assert [request.headers.get("x-amz-request-payer") for request in asked] == [pays] * 3
