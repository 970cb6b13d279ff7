"""A misspelt region is told with the one that was meant; a new one is nobody's slip."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.regions import known_regions, meant_region
from distributed_something.cli.connection import connect
from distributed_something.cli.faults import explain
from distributed_something.commands.check import State, check
from distributed_something.errors import UsageError
from tests.builders import settings


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("us-esat-1", "us-east-1"), ("eu-wets-2", "eu-west-2"), ("ap-souhteast-2", "ap-southeast-2"),
     ("eu-cental-1", "eu-central-1"), ("us-gvo-west-1", "us-gov-west-1")],
)  # fmt: skip
def test_a_misspelt_region_is_refused_with_the_one_that_was_meant(slip: str, meant: str) -> None:
    assert meant_region(slip) == meant
    with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
        connect(settings(AWS_REGION=slip))
    found = [one for one in check(None, settings(AWS_REGION=slip)).findings if meant in one.text]
    assert [one.state for one in found] == [State.MISSING]


@pytest.mark.parametrize("new", ["eu-west-9", "sa-west-1", "eu-southeast-1", "us-gov-north-1"])
def test_a_region_that_may_be_newer_than_the_list_is_only_warned_of(new: str) -> None:
    assert new not in known_regions() and meant_region(new) == ""
    assert connect(settings(AWS_REGION=new)).region == new
    found = [one for one in check(None, settings(AWS_REGION=new)).findings if new in one.text]
    assert [one.state for one in found] == [State.WARNING]


def test_no_known_region_is_a_slip() -> None:
    assert {"us-east-1", "cn-north-1", "us-gov-west-1"} <= known_regions()
    assert not [one for one in known_regions() if meant_region(one)]


def test_an_answer_that_is_a_web_page_is_told_in_a_line() -> None:
    page = "<!doctype html>\n<html lang=en><title>500 Internal Server Error</title>"
    answer = ClientError({"Error": {"Code": "500", "Message": page}}, "GetQueueUrl")
    told = explain(answer)
    assert told is not None and "<" not in told[0] and "GetQueueUrl got" in told[0]
