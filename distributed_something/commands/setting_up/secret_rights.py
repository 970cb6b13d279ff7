"""Find the role with which ECS fetches the secrets that a config refers to, and what it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ...aws.account import roles as account
from ...aws.faults import error_code
from ...definitions.account import EXECUTION_ROLE, POLICY
from ...definitions.policies.scope import secret_arns, secrets_of
from ...errors import UsageError

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings


def find_execution_role(aws: Aws, settings: Settings) -> str:
    """The role that fetches the config's secrets, or '' where it refers to none.

    Raises UsageError for those that it may not read: no container would start.
    """
    if not settings.secrets:
        return ""
    if lacking := secrets_out_of_reach(aws, settings):
        raise UsageError(
            f"ECS may not fetch {', '.join(lacking)} for the workers: the role {EXECUTION_ROLE} "
            "does not name it, or does not exist. Run `python setup_AWS.py` with this config file, "
            "then setup again."
        )
    return EXECUTION_ROLE


def secrets_out_of_reach(aws: Aws, settings: Settings) -> list[str]:
    """The constants whose secrets the execution role may not read, as far as may be looked up."""
    try:
        policy = account.find_role_policy(aws.iam, EXECUTION_ROLE, POLICY)
    except ClientError as error:
        if error_code(error) != "AccessDenied":
            raise
        return []  # who may not look may still hand it on; ECS says what is wrong
    known = secrets_of(policy) if policy else ()
    return [name for name, arn in settings.secrets.items() if secret_arns([arn])[0] not in known]
