"""Fill an account's number into a fleet file that lacks it: role ARNs with a placeholder."""

from __future__ import annotations

import re

# `arn:aws:iam::XXXXXXXXXXXX:role/...`; what is not 12 digits, or 12 of the same, is no account.
_ARN = re.compile(rb"arn:aws[a-z-]*:iam::(?!\d{12}:)[^:\"\\\s]*:|arn:aws[a-z-]*:iam::(\d)\1{11}:")


def lacks_account(content: bytes) -> bool:
    """Whether a fleet file has a role ARN without an account's number."""
    return bool(_ARN.search(content))


def fill_account(content: bytes, account: str, partition: str) -> bytes:
    """The content of a UTF-8 fleet file with the account's number in each role ARN without one."""
    return _ARN.sub(f"arn:{partition}:iam::{account}:".encode(), content)
