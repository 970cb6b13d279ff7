"""Ask what spot machines cost just now, and how many of them an account may have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .prices import spot_prices

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_service_quotas import ServiceQuotasClient

# Quotas count vCPUs of running spot machines, by groups of families:
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html
_STANDARD = "L-34B43A08"  # A, C, D, H, I, M, R, T and Z
_STANDARD_LETTERS = frozenset("acdhimrtz")
_QUOTAS = {"g": "L-3819A6DF", "gr": "L-3819A6DF", "vt": "L-3819A6DF", "p": "L-7212CCBC"}
_OTHERS = ("dl", "hpc", "inf", "mac", "trn")  # which begin like standard ones, and are none


def spot_prices_now(
    ec2: EC2Client, types: Iterable[str], now: float
) -> dict[str, dict[str, float]]:
    """USD an hour by machine type and zone; `now` in seconds since 1970.

    A type that no zone has is left out.
    """
    prices: dict[str, dict[str, float]] = {}
    for (machine, zone), changes in sorted(spot_prices(ec2, set(types), now).items()):
        prices.setdefault(machine, {})[zone] = changes[-1].price
    return prices


def spot_quota(quotas: ServiceQuotasClient, code: str) -> int | None:
    """The most vCPUs of running spot machines of a group; None if AWS tells of none."""
    try:
        found = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]
    except quotas.exceptions.NoSuchResourceException:
        return None
    return int(found["Value"])


def quota_of(machine: str) -> str:
    """The code of the quota that counts a machine type; '' where that is not known here."""
    family = machine.partition(".")[0]
    letters = ""
    for character in family:
        if not character.isalpha():
            break
        letters += character
    if letters in _QUOTAS:
        return _QUOTAS[letters]
    is_standard = letters[:1] in _STANDARD_LETTERS and letters not in _OTHERS
    return _STANDARD if is_standard else ""


def running_spot_vcpus(ec2: EC2Client, code: str) -> int:
    """The vCPUs of the spot machines that the account has now and that a quota counts."""
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    return sum(
        _vcpus(instance.get("CpuOptions", {}))
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if instance.get("InstanceLifecycle") == "spot"
        and quota_of(instance["InstanceType"]) == code
    )


def _vcpus(options: Any) -> int:
    return int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 1))
