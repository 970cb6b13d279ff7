"""Check who is asking, the region, and what `setup_AWS.py` makes once for an account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from ...aws.account import lambdas, rights
from ...aws.account.identity import who_calls
from ...aws.clock import says_off
from ...aws.messaging import topics
from ...aws.regions import known_regions, meant_region
from ...command_lines import run_line
from ...definitions.account import ACCOUNT_TAGS, FLEET_ROLE, FUNCTION, INSTANCE_ROLE, TASK_ROLE
from ..watching.notices import topic_arn, topic_name
from .findings import Finding, is_forbidden, missing, ok, warning

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings

_LOG_IN = "run `aws configure` (or `aws sso login`), or set AWS_PROFILE in config.py"
_CONNECT = "check the network; `--offline` checks what needs none"
_SET_CLOCK = "set this computer's clock (it is often wrong after sleep)"
_SETUP_AWS = "run `python setup_AWS.py`"
_TRUSTS = {
    FLEET_ROLE: "spotfleet.amazonaws.com",
    INSTANCE_ROLE: "ec2.amazonaws.com",
    TASK_ROLE: "ecs-tasks.amazonaws.com",
}
_NO_KEYS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
    TokenRetrievalError,
)


def credentials(aws: Aws) -> Finding:
    """Whose credentials these are, or why there are none that AWS knows."""
    try:
        who = who_calls(aws.sts)
    except _NO_KEYS as error:
        return missing("credentials", str(error).rstrip("."), _LOG_IN)
    except ClientError as error:
        if is_forbidden(error):
            return ok("credentials", "recognised by AWS, but their owner may not be read")
        if off := says_off(error):
            return missing("clock", off.partition(":")[0], _SET_CLOCK)
        return missing("credentials", f"AWS does not accept them ({error})", _LOG_IN)
    except BotoCoreError as error:
        return missing("credentials", f"no answer came from AWS ({error})", _CONNECT)
    return ok("credentials", f"{who.arn.split(':', 5)[-1]} of account {who.account}")


def region(name: str) -> Iterator[Finding]:
    """Whether there is such a region, by botocore's list."""
    if name in known_regions():
        yield ok("region", name)
    elif meant := meant_region(name):
        text = f"{name} is no region of AWS (AWS_REGION); did you mean {meant}?"
        yield missing("region", text, f"set AWS_REGION = {meant!r}")
    else:
        fix = "correct AWS_REGION in config.py, or update boto3 if the region is new"
        yield warning("region", f"{name} is not among the regions that boto3 knows", fix)


def roles(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """The three roles that a run hands on, and whom they trust."""
    for name in (FLEET_ROLE, INSTANCE_ROLE):
        yield _role(name, _TRUSTS[name], rights.who_may_assume(aws.iam, name))
    own = settings.task_role_arn.rsplit("/", 1)[-1]
    name, trusted = own or TASK_ROLE, rights.who_may_assume(aws.iam, own or TASK_ROLE)
    if trusted is None and not own:
        text = "is not in this account: workers have only the rights of their machines"
        yield warning(f"role {name}", text, f"{_SETUP_AWS}, then setup")
    else:
        yield _role(name, _TRUSTS[TASK_ROLE], trusted)


def _role(name: str, service: str, trusted: set[str] | None) -> Finding:
    if trusted is None:
        return missing(f"role {name}", "is not in this account", _SETUP_AWS)
    if service not in trusted:
        why = f"does not trust {service}, which therefore cannot use it"
        return missing(f"role {name}", why, f"let it trust {service}, or name another role")
    return ok(f"role {name}", f"trusts {service}")


def profile(aws: Aws) -> Iterator[Finding]:
    """The instance profile, which a role of the same name does not replace."""
    subject = f"profile {INSTANCE_ROLE}"
    found = rights.roles_of_profile(aws.iam, INSTANCE_ROLE)
    if found is None:
        why = "no such instance profile; a role of that name is not enough"
        yield missing(subject, why, _SETUP_AWS)
    elif not found:
        yield missing(subject, "has no role", f"{_SETUP_AWS}, which adds one")
    else:
        yield ok(subject, f"has the role {found[0]}")


def notices(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Whether the one who is to be told of runs has said yes to it."""
    address = settings.notify_email
    if not address:
        return
    topic = topic_arn(aws, topic_name(settings.app_name))
    known = topics.find_subscription(aws.sns, topic, address)
    if known is None:
        yield warning(
            "notices", f"{address} was not asked to confirm yet", f"run `{run_line('setup')}`"
        )
    elif not known:
        fix = f"click the link in AWS's mail; `{run_line('setup')}` requests it again after 3 days"
        yield warning("notices", f"{address} is not confirmed: it would get no mail", fix)
    else:
        yield ok("notices", f"{address} gets a mail when a run has ended")


def watcher(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """The Lambda that ends a run when nobody watches it, where the config asks for one."""
    if not settings.auto_monitor:
        text = "AUTO_MONITOR is off: keep `monitor` running until the run has ended"
        yield warning("watcher", text, "set AUTO_MONITOR = 'True' to have a Lambda watch too")
    elif lambdas.find_function(aws.lambdas, FUNCTION, ACCOUNT_TAGS) is None:
        yield missing(
            "watcher", f"AUTO_MONITOR is on, and there is no Lambda {FUNCTION}", _SETUP_AWS
        )
    else:
        yield ok("watcher", f"the Lambda {FUNCTION}")
