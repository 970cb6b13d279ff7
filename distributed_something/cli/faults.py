"""Turn an error into what a person reads and the exit code a program reads."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping
from typing import Any

from botocore import exceptions

from ..aws.clock import says_off
from ..command_lines import run_line
from ..errors import DistributedSomethingError
from ..local import REFUSED_CODE
from .context import EXIT_FAILED, EXIT_USAGE

_CREDENTIALS = "run `aws configure` (or `aws sso login`), or set AWS_PROFILE in config.py"

# What botocore reads a profile's name from, where config.py leaves the choice to it.
_PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_PAGE = re.compile(r"<\s*(!doctype|html)\b", re.IGNORECASE)
_NO_ADDRESS = "Invalid endpoint: "  # botocore has no class for it

# Answers of AWS that a person can fix without reading ours.
_REFUSALS = {
    "ExpiredToken": f"The credentials have expired: {_CREDENTIALS}.",
    "ExpiredTokenException": f"The credentials have expired: {_CREDENTIALS}.",
    "InvalidClientTokenId": f"AWS does not recognise these credentials: {_CREDENTIALS}.",
    "UnrecognizedClientException": f"AWS does not recognise these credentials: {_CREDENTIALS}.",
    "AuthFailure": f"AWS does not accept these credentials: {_CREDENTIALS}.",
    "InvalidAccessKeyId": f"AWS does not recognise these credentials: {_CREDENTIALS}.",
    "SignatureDoesNotMatch": f"The secret key does not match its access key: {_CREDENTIALS}.",
}

_WAYS = {
    "CreateRole": "Where new roles need a permissions boundary, give `--permissions-boundary ARN`; "
    "else ask for the right, or have an administrator make the roles that `python setup_AWS.py "
    "--show` prints: roles of these names are used as they are.",
}


def explain(error: Exception) -> tuple[str, int] | None:
    """The message and exit code of an error that a user can meet; None for a bug of ours."""
    if isinstance(error, DistributedSomethingError):
        return str(error), error.exit_code
    if isinstance(error, exceptions.ClientError):
        return _refusal(error), EXIT_FAILED
    if isinstance(error, exceptions.ProfileNotFound):
        return _no_profile(str(error.kwargs["profile"])), EXIT_USAGE
    for kind, message in _MENDS.items():
        if isinstance(error, kind):
            facts = {
                "error": error,
                "rehearse": run_line("rehearse JOBS.json"),
                **getattr(error, "kwargs", {}),
            }
            return _filled(message, facts), EXIT_FAILED
    if isinstance(error, ValueError) and str(error).startswith(_NO_ADDRESS):
        return _bad_endpoint(str(error).removeprefix(_NO_ADDRESS)), EXIT_USAGE
    if isinstance(error, exceptions.ParamValidationError):
        return None
    if isinstance(error, exceptions.BotoCoreError):
        return f"The library that talks to AWS gave up: {_line(error)}.", EXIT_FAILED
    if _is_of_credentials(error):
        facts = {"provider": "their source", "error_msg": error}
        return _filled(_NO_CREDENTIALS_FROM, facts), EXIT_FAILED
    return None


def _filled(message: str, facts: Mapping[str, object]) -> str:
    return message.format(**{name: _line(fact) for name, fact in facts.items()})


def _line(fact: object) -> str:
    """What an error says, such as all that another program printed, as part of a sentence."""
    return " ".join(str(fact).split()).rstrip(".")


def _is_of_credentials(error: Exception) -> bool:
    """Whether it came up while botocore got credentials, whose own errors are not all that may.

    A credential_process that does not exist, or prints no JSON, ends in Python's errors.
    """
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == "botocore.credentials" for frame, _ in frames)


def _no_profile(name: str) -> str:
    """Which profile is missing, and who named it: the config's is asked for in its own name."""
    setters = [variable for variable in _PROFILE_VARIABLES if os.environ.get(variable) == name]
    if setters:
        fix = f"correct or unset {setters[0]} in the environment"
    else:
        fix = "correct AWS_PROFILE in config.py"
    return (
        f"No profile named {name} in the AWS configuration: {fix}, or run "
        f"`aws configure --profile {name}`."
    )


def _bad_endpoint(address: str) -> str:
    """An address that botocore refuses, with the variables that may have named it."""
    setters = [name for name, value in os.environ.items() if value == address]
    setters = sorted(name for name in setters if name.startswith("AWS_ENDPOINT_URL"))
    return (
        f"{address!r} is not the address of an AWS endpoint: correct "
        f"{' and '.join(setters) or 'endpoint_url in ~/.aws/config'}, for example "
        "http://127.0.0.1:5000, or unset it to use AWS itself."
    )


def _refusal(error: exceptions.ClientError) -> str:
    """What AWS answered, the operation it refused, and the way out where one is known."""
    answer: Mapping[str, Any] = error.response.get("Error", {})
    code, text = answer.get("Code", ""), answer.get("Message", "")
    if off := says_off(error):
        return off
    if code in _REFUSALS:
        return _REFUSALS[code]
    if code == REFUSED_CODE:
        return str(text)
    operation = error.operation_name
    if code in ("NoSuchBucket", "404") and "BucketName" in answer:
        return (
            f"No bucket named {answer['BucketName']}: create it, or correct AWS_BUCKET in "
            "config.py."
        )
    if "Denied" in code or "Unauthorized" in code:
        way = _WAYS.get(operation, "Ask for the right, then try again.")
        return f"AWS does not allow {operation}: {text} ({code}). {way}"
    if _PAGE.search(text):
        return (
            f"{operation} got a web page as its answer, which never comes from AWS ({code}): check "
            "AWS_REGION in config.py, AWS_ENDPOINT_URL and any proxy."
        )
    return f"AWS refused {operation}: {text} ({code})."


_NO_CREDENTIALS_FROM = (
    "No AWS credentials came from {provider} ({error_msg}): correct their entry in ~/.aws/config, "
    f"such as credential_process, or {_CREDENTIALS}."
)
_SIGN_IN = "The sign-in has expired: run `aws sso login`."

_MENDS: dict[type[Exception], str] = {
    exceptions.NoCredentialsError: f"No AWS credentials found: {_CREDENTIALS}; "
    "or rehearse the run on this computer first: `{rehearse}`.",
    exceptions.PartialCredentialsError: f"Half of the AWS credentials are missing: {_CREDENTIALS}.",
    exceptions.CredentialRetrievalError: _NO_CREDENTIALS_FROM,
    exceptions.MetadataRetrievalError: "This machine's role gave no AWS credentials ({error_msg}): "
    f"try again, or {_CREDENTIALS}.",
    exceptions.InvalidConfigError: "The AWS configuration cannot be used ({error}): "
    "correct ~/.aws/config, or set AWS_PROFILE in config.py.",
    exceptions.ConfigParseError: "The AWS configuration cannot be read ({error}): correct {path}.",
    exceptions.TokenRetrievalError: _SIGN_IN,
    exceptions.SSOError: _SIGN_IN,
    exceptions.EndpointConnectionError: "Nothing answers at {endpoint_url}: "
    "check the network, AWS_REGION in config.py and AWS_ENDPOINT_URL.",
    exceptions.ConnectionError: "The connection to AWS failed ({error}): "
    "check the network, a proxy and AWS_ENDPOINT_URL, then try again.",
    exceptions.HTTPClientError: "The connection to AWS failed ({error}): "
    "check the network, then try again.",
}
if hasattr(exceptions, "LoginError"):  # of `aws login`, which older releases of botocore lack
    _MENDS[exceptions.LoginError] = "The sign-in cannot be used ({error}): run `aws login`."
