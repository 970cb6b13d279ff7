"""Make, find and delete the Lambda that watches runs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import DistributedSomethingError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

logger = logging.getLogger(__name__)

# IAM tells all of AWS of a new role within seconds; until then Lambda cannot take it.
_SETTLE_SECONDS = 3.0
_SETTLE_TRIES = 20


def find_function(lambdas: LambdaClient, name: str, tags: Mapping[str, str]) -> str | None:
    """The function's ARN; None if there is none or it is not ours.

    Raises DistributedSomethingError if its tags cannot be read.
    """
    found = _find(lambdas, name)
    return found["Configuration"]["FunctionArn"] if found and _is_ours(found, tags) else None


def ensure_function(
    lambdas: LambdaClient,
    request: Mapping[str, Any],
    code: bytes,
    tags: Mapping[str, str],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make the function, or bring its code and configuration up to date.

    Raises DistributedSomethingError if one of this name, which is not ours, is in the way.
    """
    name = request["FunctionName"]
    found = _find(lambdas, name)
    if found is None and _create(
        lambdas, {**request, "Code": {"ZipFile": code}, "Tags": dict(tags)}, sleep
    ):
        lambdas.get_waiter("function_active_v2").wait(FunctionName=name)
        logger.info("Created the Lambda %s.", name)
        return
    found = found or _find(lambdas, name)
    if not _is_ours(found, tags):
        raise DistributedSomethingError(
            f"A Lambda named {name} already exists in this account and is not ours: rename or "
            "delete it."
        )
    configuration: Mapping[str, Any] = found["Configuration"]
    if configuration["CodeSha256"] != base64.b64encode(hashlib.sha256(code).digest()).decode():
        lambdas.update_function_code(FunctionName=name, ZipFile=code)
        lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)
        logger.info("Updated the Lambda %s.", name)
    if any(configuration.get(key) != value for key, value in request.items()):
        lambdas.update_function_configuration(**request)
        lambdas.get_waiter("function_updated_v2").wait(FunctionName=name)


def delete_function(lambdas: LambdaClient, name: str, tags: Mapping[str, str]) -> bool:
    """Delete the function; False if there is none or it is not ours."""
    if find_function(lambdas, name, tags) is None:
        return False
    with contextlib.suppress(lambdas.exceptions.ResourceNotFoundException):
        lambdas.delete_function(FunctionName=name)
    logger.info("Deleted the Lambda %s.", name)
    return True


def _create(
    lambdas: LambdaClient, request: Mapping[str, Any], sleep: Callable[[float], None]
) -> bool:
    """Make the function; False if it is there after all: a first answer may have been lost."""
    whole: Any = dict(request)
    for tried in range(_SETTLE_TRIES):
        try:
            lambdas.create_function(**whole)
            return True
        except lambdas.exceptions.ResourceConflictException:
            break
        except lambdas.exceptions.InvalidParameterValueException as error:
            is_new_role = "cannot be assumed" in error.response["Error"].get("Message", "")
            if not is_new_role or tried == _SETTLE_TRIES - 1:
                raise
            logger.info("The role of the Lambda is not known everywhere yet; waiting.")
            sleep(_SETTLE_SECONDS)
    return False


def _find(lambdas: LambdaClient, name: str) -> Any:
    try:
        return lambdas.get_function(FunctionName=name)
    except lambdas.exceptions.ResourceNotFoundException:
        return None


def _is_ours(found: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    """Whether it carries our tags, which GetFunction shows only with the right lambda:ListTags."""
    if found.get("TagsError"):
        raise DistributedSomethingError(
            f"Lambda does not show the tags of {found['Configuration']['FunctionName']}: "
            f"{found['TagsError'].get('Message', '')} Without the right lambda:ListTags, "
            "its owner is unknown (`python setup_AWS.py --show` prints the rights)."
        )
    return all(found.get("Tags", {}).get(key) == value for key, value in tags.items())
