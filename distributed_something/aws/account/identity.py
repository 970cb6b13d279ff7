"""Ask whose credentials these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_sts import STSClient


@dataclass(frozen=True)
class Identity:
    """Who calls AWS: the account's 12 digits, and the ARN of the user or role."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """The part of AWS that the account is in: aws, aws-cn or aws-us-gov."""
        return self.arn.split(":")[1]


def who_calls(sts: STSClient) -> Identity:
    """The caller's identity; raises what AWS answers to credentials that it does not know."""
    answer = sts.get_caller_identity()
    return Identity(answer["Account"], answer["Arn"])
