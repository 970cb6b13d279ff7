"""Turn an error into what a person reads and the exit code a program reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore import exceptions

from ..errors import DistributedSomethingError

EXIT_FAILED = 1
EXIT_USAGE = 2

_CREDENTIALS = "run `aws configure` (or `aws sso login`), or set AWS_PROFILE in config.py"

# Answers of AWS that a person can mend without reading ours.
_REFUSALS = {
    "ExpiredToken": f"The credentials have expired: {_CREDENTIALS}.",
    "ExpiredTokenException": f"The credentials have expired: {_CREDENTIALS}.",
    "RequestExpired": "The request's time is off: check this computer's clock.",
    "InvalidClientTokenId": f"AWS does not know these credentials: {_CREDENTIALS}.",
    "UnrecognizedClientException": f"AWS does not know these credentials: {_CREDENTIALS}.",
    "AuthFailure": f"AWS does not accept these credentials: {_CREDENTIALS}.",
    "InvalidAccessKeyId": f"AWS does not know these credentials: {_CREDENTIALS}.",
    "SignatureDoesNotMatch": f"The secret key does not fit its access key: {_CREDENTIALS}.",
}


def explain(error: Exception) -> tuple[str, int] | None:
    """The message and exit code of an error that a user can meet; None for a bug of ours."""
    if isinstance(error, DistributedSomethingError):
        return str(error), error.exit_code
    if isinstance(error, exceptions.ClientError):
        return _refusal(error), EXIT_FAILED
    for kind, message in _MENDS.items():
        if isinstance(error, kind):
            return message.format(**{"error": error, **getattr(error, "kwargs", {})}), EXIT_FAILED
    return None


def _refusal(error: exceptions.ClientError) -> str:
    """What AWS answered, the operation it refused, and the way out where one is known."""
    answer: Mapping[str, Any] = error.response.get("Error", {})
    code, text = answer.get("Code", ""), answer.get("Message", "")
    if code in _REFUSALS:
        return _REFUSALS[code]
    operation = error.operation_name
    if code in ("NoSuchBucket", "404") and "BucketName" in answer:
        return f"No bucket named {answer['BucketName']}: make it, or mend AWS_BUCKET in config.py."
    if "Denied" in code or "Unauthorized" in code:
        return (
            f"AWS does not allow {operation}: {text} ({code}). Ask for the right, then try again."
        )
    return f"AWS refused {operation}: {text} ({code})."


_MENDS: dict[type[Exception], str] = {
    exceptions.NoCredentialsError: f"No AWS credentials found: {_CREDENTIALS}; "
    "or try the run on this computer first: `python run.py rehearse JOBS.json`.",
    exceptions.PartialCredentialsError: f"Half of the AWS credentials are missing: {_CREDENTIALS}.",
    exceptions.ProfileNotFound: "No profile named {profile} in the AWS configuration: "
    "mend AWS_PROFILE in config.py, or run `aws configure --profile {profile}`.",
    exceptions.TokenRetrievalError: "The sign-in has expired: run `aws sso login`.",
    exceptions.SSOError: "The sign-in has expired: run `aws sso login`.",
    exceptions.EndpointConnectionError: "Nothing answers at {endpoint_url}: "
    "check the network, AWS_REGION in config.py and AWS_ENDPOINT_URL.",
    exceptions.ConnectionError: "The connection to AWS failed ({error}): "
    "check the network, a proxy and AWS_ENDPOINT_URL, then try again.",
    exceptions.HTTPClientError: "The connection to AWS failed ({error}): "
    "check the network, then try again.",
}
