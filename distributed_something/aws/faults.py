"""Tell an AWS error's code, and failures that pass from those that stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from ..errors import DistributedSomethingError

# What a step may meet: AWS refuses, AWS cannot be reached, or it cannot be done now.
FAULTS = (ClientError, BotoCoreError, DistributedSomethingError)

# The codes that botocore itself tries again, and those by which services say that they are unwell:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html#standard-retry-mode
_THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_EXPIRED = frozenset(
    # A computer that slept soon sets its clock.
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed"}
)
_NO_KEYS = (CredentialRetrievalError, NoCredentialsError, SSOError, TokenRetrievalError)


class PassingFault(DistributedSomethingError):
    """Several failures in one, of which one or more may pass."""


@dataclass(frozen=True)
class Failure:
    """What could not be done, as a sentence, and whether waiting may help."""

    sentence: str
    passes: bool = False

    @classmethod
    def of(cls, sentence: str, error: Exception) -> Failure:
        return cls(sentence, may_pass(error))

    def __str__(self) -> str:
        return self.sentence


def error_code(error: ClientError) -> str:
    """The code of an AWS error; EC2 models none of its errors as exceptions."""
    return error.response.get("Error", {}).get("Code", "")


def is_throttled(error: Exception) -> bool:
    """Whether AWS answered, and could not serve us for now."""
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _THROTTLES or status >= 500


def may_pass(error: Exception) -> bool:
    """Whether waiting helps: AWS cannot be reached, does not serve us now, or a token ran out."""
    if isinstance(error, ClientError):
        return is_throttled(error) or error_code(error) in _EXPIRED
    return is_offline(error) or isinstance(error, (PassingFault, *_NO_KEYS))


def is_offline(error: Exception) -> bool:
    """Whether no answer came at all."""
    return isinstance(error, (HTTPClientError, NoConnectionError))


def do_each(names: Iterable[str], act: Callable[[str], object]) -> None:
    """Act on every name however many fail; raises one error that names those."""
    problems: list[str] = []
    passes = False
    for name in names:
        try:
            act(name)
        except FAULTS as error:
            problems.append(f"{name}: {error}")
            passes = passes or may_pass(error)
    if problems:
        kind = PassingFault if passes else DistributedSomethingError
        raise kind("; ".join(problems))
