"""What EC2's complaints about a fleet mean: will they pass, and what should be changed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

# The kinds of event that tell of one launch template in one zone, not of the whole fleet.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitor-spot-fleet-eventbridge.html
_OF_ONE_PLACE = ("launchSpecTemporarilyBlacklisted", "launchSpecUnusable")
_OF_ALL_PLACES = "allLaunchSpecsTemporarilyBlacklisted"


@dataclass(frozen=True)
class Verdict:
    """What to make of a complaint; `lasting` if the same request meets it for ever."""

    lasting: bool
    advice: str  # goes on after "so" or a semicolon
    kind: str = "fleet refused"  # a word or two for it


_PRICE = Verdict(
    False, "MACHINE_PRICE is below what the machines cost now: raise it, or take it out", "price"
)
_QUOTA = Verdict(
    False,
    "the account's quota of spot vCPUs is used up: lower CLUSTER_MACHINES, or ask for a higher "
    "quota in the Service Quotas console",
    "quota",
)
_CAPACITY = Verdict(
    False,
    "AWS has none of these machines there now: name more machine types in MACHINE_TYPE, or more "
    "subnets in the fleet file",
    "no capacity",
)
# By EC2's own words and error codes, which say more than the kind of an event.
_BY_WORDS = tuple(
    (re.compile(pattern, re.IGNORECASE), verdict)
    for pattern, verdict in (
        (
            r"service.linked role|ServiceLinkedRole",
            Verdict(
                True,
                "AWS's own role for spot machines is missing and you may not create it: ask "
                "someone who may to run `python setup_AWS.py` once",
                "wrong role",
            ),
        ),
        (
            r"OptInRequired|accept (the )?terms",
            Verdict(
                True,
                "the image is an AWS Marketplace image: accept its terms at the address above, or "
                "delete ImageId from the fleet file",
            ),
        ),
        (
            r"InvalidKeyPair|key pair .* does not exist",
            Verdict(True, "correct KeyName in the fleet file, or delete it"),
        ),
        (r"InvalidAMIID|InvalidBlockDevice", Verdict(True, "correct ImageId in the fleet file")),
        (
            r"iamInstanceProfile|instance profile",
            Verdict(True, "correct IamInstanceProfile in the fleet file (`python setup_AWS.py`)"),
        ),
        (r"MaxSpotInstanceCountExceeded|VcpuLimitExceeded", _QUOTA),
        (r"SpotMaxPriceTooLow|price.{0,40}(low|below)", _PRICE),
        (
            r"InsufficientInstanceCapacity|no Spot capacity|Insufficient.*capacity"
            r"|not have sufficient .{0,40}capacity",
            _CAPACITY,
        ),
        (
            r"UnauthorizedOperation|not authorized",
            Verdict(
                True,
                "a right is missing: `python setup_AWS.py --show` prints the policies that a "
                "person and the roles need",
            ),
        ),
        (
            r"belong to different networks|InvalidGroup|security group .{0,60}does not exist",
            Verdict(True, "name security groups of the subnet's own network in the fleet file"),
        ),
        (
            r"InvalidSubnet|subnet ID .{0,60}does not exist",
            Verdict(True, "correct SubnetId in the fleet file"),
        ),
        (
            r"Unsupported",
            Verdict(True, "choose another MACHINE_TYPE, or a subnet in a zone that has this one"),
        ),
    )
)
_BY_KIND = {
    "spotFleetRequestConfigurationInvalid": Verdict(
        True, "correct what it names in the fleet file or in MACHINE_TYPE and MACHINE_PRICE"
    ),
    "iamFleetRoleInvalid": Verdict(
        True,
        "IamFleetRole in the fleet file must be a role that EC2 Spot Fleet may assume, such as "
        "aws-ec2-spot-fleet-tagging-role, which `python setup_AWS.py` makes",
        "wrong role",
    ),
    "spotInstanceCountLimitExceeded": _QUOTA,
    "launchSpecUnusable": _PRICE,
    _OF_ALL_PLACES: Verdict(
        False,
        "EC2 could not start any of the machine types: name more of them in MACHINE_TYPE, or more "
        "subnets in the fleet file",
        "no capacity",
    ),
}
_UNKNOWN = Verdict(False, "EC2 keeps trying", "")


def judge(kind: str, words: str) -> Verdict:
    """What to make of an event's or error's kind and words."""
    by_kind = _BY_KIND.get(kind)
    for pattern, verdict in _BY_WORDS:
        if pattern.search(words) or pattern.search(kind):
            # Want of capacity passes, even where EC2 calls the whole request invalid for it:
            # https://github.com/hashicorp/terraform-provider-aws/pull/26493
            if verdict is _CAPACITY or by_kind is None or not by_kind.lasting:
                return verdict
            # Words tell the advice; that a whole request is invalid its kind alone can tell.
            return replace(verdict, lasting=True)
    return by_kind or _UNKNOWN


def why_never(events: Iterable[tuple[str, str]]) -> Verdict | None:
    """The reason why a fleet without a machine can never get one, from (kind, words) of its events.

    None while some place may still give one. The words go in front of the advice.
    """
    told = list(events)
    places = [(kind, words) for kind, words in told if kind in _OF_ONE_PLACE]
    for kind, words in told:
        verdict = judge(kind, words)
        if verdict.lasting and kind not in (*_OF_ONE_PLACE, _OF_ALL_PLACES):
            return _with_words(words, verdict)
    all_given_up = any(kind == _OF_ALL_PLACES for kind, _ in told)
    if all_given_up and places and all(judge(*place).lasting for place in places):
        return _with_words(places[-1][1], judge(*places[-1]))
    return None


def _with_words(words: str, verdict: Verdict) -> Verdict:
    return replace(verdict, lasting=True, advice=f"{words.rstrip('.')}. So {verdict.advice}.")
