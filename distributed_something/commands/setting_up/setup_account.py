"""What `setup_AWS.py` does: make once, or remove, what all runs of an account share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws import storage
from ...aws.account import lambdas, schedules
from ...aws.account import roles as account
from ...aws.account.identity import who_calls
from ...aws.monitoring import logs
from ...definitions.account import (
    ACCOUNT_TAGS,
    EXECUTION_ROLE,
    FUNCTION,
    FUNCTION_LOG_GROUP,
    INSTANCE_ROLE,
    POLICY,
    SCHEDULE_GROUP,
    SERVICE_LINKED_ROLES,
    TASK_ROLE,
    Role,
    function_request,
    roles,
)
from ...definitions.logs import RETENTION_DAYS
from ...definitions.policies.bucket import log_export_policy, with_statements, without_statements
from ...definitions.policies.scope import Scope, scope_of, secret_arns, secrets_of
from ...errors import DistributedSomethingError, UsageError
from .lambda_package import lambda_package

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

_HANDLER_MODULE = f"{__package__.rpartition('.')[0]}.watching.auto_monitor"
PLACEHOLDER = "your-bucket-name"  # what config.py says before anybody has edited it
# What a step may meet: AWS refuses, AWS cannot be reached, or it cannot be done now.
_FAULTS = (ClientError, BotoCoreError, DistributedSomethingError)


def scope_of_account(
    aws: Aws,
    settings: Settings,
    buckets: Sequence[str],
    apps: Sequence[str],
    *,
    otherwise: Sequence[str] | None = None,
) -> Scope:
    """What the rights are to be limited to: what the config names, and `buckets` besides.

    `apps` are patterns of app names; none: every app's. Where no bucket is named at all it is
    `otherwise`; raises UsageError if that is None.
    """
    named = (
        settings.aws_bucket,
        settings.source_bucket,
        settings.workspace_bucket,
        settings.destination_bucket,
        *buckets,
    )
    wanted = tuple(dict.fromkeys(bucket for bucket in named if bucket and bucket != PLACEHOLDER))
    if not wanted and otherwise is None:
        raise UsageError(
            "Roles are created for specific buckets: set AWS_BUCKET in the config file, or pass "
            "--bucket NAME."
        )
    caller = who_calls(aws.sts)
    inputs = {settings.source_bucket, settings.workspace_bucket}
    inputs -= {settings.aws_bucket, settings.destination_bucket, *buckets}
    scope = Scope(
        account=caller.account,
        partition=caller.partition,
        regions=(aws.region,),
        buckets=wanted or tuple(otherwise or ()),
        apps=tuple(apps) or ("*",),
        read_only=tuple(name for name in wanted if name in inputs),
        secrets=secret_arns(settings.secrets.values()),
    )
    names = (settings.sqs_queue_name, settings.sqs_dead_letter_queue)
    return replace(scope, queues=scope.queues_beyond(names))


def setup_account(
    aws: Aws,
    scope: Scope,
    new_buckets: Sequence[str] = (),
    *,
    boundary: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Scope:
    """Make or bring up to date what is ours, and leave alone what is not; safe to repeat.

    `new_buckets` are made if they are not there, and open to the export of logs. `boundary` is the
    ARN of a policy that no role may go beyond, which many accounts ask of new roles. Returns the
    scope that the rights have now: what earlier calls allowed is not taken back.
    """
    for bucket in new_buckets:
        _ensure_bucket(aws, scope, bucket)
    for service in SERVICE_LINKED_ROLES:
        account.ensure_service_linked_role(aws.iam, service)
    whole = scope.merged(earlier) if (earlier := _earlier(aws)) else scope
    _ensure_roles(aws, roles(whole), boundary)
    account.ensure_instance_profile(aws.iam, INSTANCE_ROLE, INSTANCE_ROLE, ACCOUNT_TAGS)
    logs.ensure_log_group(aws.logs, FUNCTION_LOG_GROUP, RETENTION_DAYS, ACCOUNT_TAGS)
    lambdas.ensure_function(
        aws.lambdas,
        function_request(scope.account, f"{_HANDLER_MODULE}.handler", scope.partition),
        lambda_package(_HANDLER_MODULE),
        ACCOUNT_TAGS,
        sleep=sleep,
    )
    schedules.ensure_group(aws.scheduler, SCHEDULE_GROUP, ACCOUNT_TAGS)
    return whole


def destroy_account(aws: Aws, scope: Scope, buckets: Sequence[str] = ()) -> list[str]:
    """Remove what `setup_account` made in this region; returns a sentence for each failure.

    The roles go with the last region that uses them. AWS's own roles stay, and so do buckets with
    all that is in them; `buckets` lose the statements that let CloudWatch export logs to them.
    """
    failures: list[str] = []
    for name, remove in _removals(aws, scope, buckets):
        try:
            remove()
        except _FAULTS as error:
            failures.append(f"Could not delete {name}: {error}")
    return failures


def watched_runs(aws: Aws) -> list[str]:
    """The schedules of runs that the Lambda still watches, which would go with it."""
    return sorted(schedules.schedule_names(aws.scheduler, SCHEDULE_GROUP))


def _removals(
    aws: Aws, scope: Scope, buckets: Sequence[str]
) -> list[tuple[str, Callable[[], object]]]:
    """What goes, that which uses another first."""
    earlier = _earlier(aws)
    regions = tuple(r for r in (earlier.regions if earlier else ()) if r not in scope.regions)
    removals: list[tuple[str, Callable[[], object]]] = [
        (
            f"the group of schedules {SCHEDULE_GROUP}",
            partial(schedules.delete_group, aws.scheduler, SCHEDULE_GROUP, ACCOUNT_TAGS),
        ),
        (
            f"the Lambda {FUNCTION}",
            partial(lambdas.delete_function, aws.lambdas, FUNCTION, ACCOUNT_TAGS),
        ),
        (
            f"the log group {FUNCTION_LOG_GROUP}",
            partial(logs.delete_log_group, aws.logs, FUNCTION_LOG_GROUP, ACCOUNT_TAGS),
        ),
    ]
    removals += [
        (f"the export of logs to {bucket}", partial(_close_bucket, aws, scope, bucket))
        for bucket in buckets
    ]
    if earlier and regions:
        logger.info("The roles stay: %s uses them too.", " and ".join(regions))
        rest = roles(replace(earlier, regions=regions))
        return [*removals, ("this region's rights", partial(_ensure_roles, aws, rest))]
    removals.append(
        (
            f"the instance profile {INSTANCE_ROLE}",
            partial(account.delete_instance_profile, aws.iam, INSTANCE_ROLE, ACCOUNT_TAGS),
        )
    )
    # The task role is the last: the regions and buckets that we know of are read from it.
    names = {EXECUTION_ROLE, *(role.name for role in roles(scope))}
    return removals + [
        (f"the role {name}", partial(account.delete_role, aws.iam, name, ACCOUNT_TAGS))
        for name in sorted(names, key=lambda name: (name == TASK_ROLE, name))
    ]


def _ensure_roles(aws: Aws, wanted: Sequence[Role], boundary: str = "") -> None:
    """Make the roles; without a boundary given, within that of earlier calls."""
    names = [role.name for role in wanted]
    boundary = boundary or account.boundary_of(aws.iam, names, ACCOUNT_TAGS)
    for role in wanted:
        account.ensure_role(
            aws.iam,
            role.name,
            description=role.description,
            trust=role.trust,
            policy_name=POLICY,
            policy=role.policy,
            tags=ACCOUNT_TAGS,
            boundary=boundary,
        )


def _earlier(aws: Aws) -> Scope | None:
    """What earlier calls limited the rights to."""
    policy = account.find_role_policy(aws.iam, TASK_ROLE, POLICY)
    scope = scope_of(policy) if policy else None
    if scope is None:
        return None
    execution = account.find_role_policy(aws.iam, EXECUTION_ROLE, POLICY)
    return replace(scope, secrets=secrets_of(execution) if execution else ())


def _ensure_bucket(aws: Aws, scope: Scope, bucket: str) -> None:
    """Make the bucket unless it is there, and let CloudWatch export logs to it."""
    storage.ensure_bucket(aws.s3, bucket, aws.region, ACCOUNT_TAGS)
    policy = storage.find_policy(aws.s3, bucket)
    storage.put_policy(aws.s3, bucket, with_statements(policy, log_export_policy(scope, bucket)))


def _close_bucket(aws: Aws, scope: Scope, bucket: str) -> None:
    policy = storage.find_policy(aws.s3, bucket)
    if policy is not None:
        left = without_statements(policy, log_export_policy(scope, bucket))
        storage.put_policy(aws.s3, bucket, left)
