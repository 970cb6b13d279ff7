"""EC2's complaints about a fleet are told apart, each with what to change."""

from __future__ import annotations

import pytest

from distributed_something.run.fleet_troubles import judge, why_never

ALL = ("allLaunchSpecsTemporarilyBlacklisted", "Several attempts to launch instances have failed.")
_PLACE = "m5.xlarge, ami-1, Linux/UNIX, us-east-1a while launching spot instance. Error message: "


def place(words: str) -> tuple[str, str]:
    return "launchSpecTemporarilyBlacklisted", f"{_PLACE}{words}"


@pytest.mark.parametrize(
    ("kind", "text", "lasting", "change"),
    [
        ("spotInstanceCountLimitExceeded", "Max spot instance count exceeded", False, "quota"),
        ("iamFleetRoleInvalid", "The role is wrong", True, "IamFleetRole"),
        ("spotFleetRequestConfigurationInvalid", "Something is odd", True, "MACHINE_TYPE"),
        (
            "spotFleetRequestConfigurationInvalid",
            "Security group sg-1 and subnet subnet-1 belong to different networks.",
            True,
            "security groups",
        ),
        (
            "spotFleetRequestConfigurationInvalid",
            "Your price is too low",
            True,
            "MACHINE_PRICE",
        ),
        ("launchSpecUnusable", "The price is not valid", False, "MACHINE_PRICE"),
        (*place("There is no Spot capacity available"), False, "MACHINE_TYPE"),
        (*place("(Error Code: InvalidKeyPair.NotFound)"), True, "KeyName"),
        (
            *place("In order to use this product you must accept terms (OptInRequired)"),
            True,
            "terms",
        ),
        (*place("(Error Code: Unsupported) in your Availability Zone"), True, "zone"),
        (*place("(Error Code: VcpuLimitExceeded)"), False, "quota"),
        (
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            "The provided credentials do not have permission to create the service-linked role",
            True,
            "setup_AWS.py",
        ),
        ("somethingNew", "Nobody knows", False, "keeps trying"),
    ],
)
def test_a_complaint_says_what_to_change_and_whether_waiting_helps(
    kind: str, text: str, lasting: bool, change: str
) -> None:
    verdict = judge(kind, text)
    assert (verdict.lasting, change in verdict.advice) == (lasting, True)


def test_a_fleet_is_given_up_when_every_place_has_a_lasting_fault() -> None:
    never = why_never([place("(InvalidKeyPair.NotFound)"), place("(InvalidKeyPair.NotFound)"), ALL])
    assert never is not None and "InvalidKeyPair" in never.advice and "KeyName" in never.advice


@pytest.mark.parametrize(
    "events",
    [
        [],
        [ALL],
        [place("(InvalidKeyPair.NotFound)")],
        [place("(InvalidKeyPair.NotFound)"), place("There is no Spot capacity available"), ALL],
        [("spotInstanceCountLimitExceeded", "Max spot instance count exceeded")],
    ],
)
def test_a_fleet_that_may_still_get_a_machine_is_not_given_up(
    events: list[tuple[str, str]],
) -> None:
    assert why_never(events) is None


@pytest.mark.parametrize(
    "words",
    [
        "There is no Spot capacity available in subnet subnet-1.",
        "Insufficient capacity of m5.large in the zone of subnet-1.",
    ],
)
def test_want_of_capacity_passes_though_the_words_name_a_subnet(words: str) -> None:
    verdict = judge("launchSpecTemporarilyBlacklisted", words)
    assert not verdict.lasting
    assert "MACHINE_TYPE" in verdict.advice
    assert why_never([("launchSpecTemporarilyBlacklisted", words)]) is None


def test_a_missing_right_is_told_as_such_though_the_words_name_a_security_group() -> None:
    words = "You are not authorized to perform this on arn:aws:ec2:us-east-1:1:security-group/sg-1"
    assert "a right is missing" in judge("UnauthorizedOperation", words).advice
