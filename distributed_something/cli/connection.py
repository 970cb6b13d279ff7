"""Make the clients for a config: the one place that knows which account a verb talks to."""

from __future__ import annotations

import os
from dataclasses import replace

import click
from botocore.exceptions import BotoCoreError, ClientError

from ..aws.account.identity import who_calls
from ..aws.regions import meant_region
from ..aws.session import DEFAULT_PROFILE, Aws, make_session
from ..errors import UsageError
from ..inputs.settings import Settings
from ..local import FLEET_VARIABLE
from ..run.decisions import Pace
from .people import say

_SAID = f"{__name__}.said"  # in a command's context


def connect(settings: Settings) -> Aws:
    """The clients for a config; botocore reads AWS_ENDPOINT_URL, which can point them elsewhere.

    That an account is a served rehearsal's is said, once in a command. Raises UsageError for a
    region that is likely a slip for another.
    """
    if meant := meant_region(settings.aws_region):
        raise UsageError(
            f"AWS_REGION = {settings.aws_region!r} in the config is not an AWS region: did you "
            f"mean {meant!r}?"
        )
    if is_served():
        _say_served()
        profile = DEFAULT_PROFILE  # its keys are in the environment
    else:
        profile = settings.aws_profile
    pays = settings.pays_requests
    return Aws(make_session(settings.aws_region, profile, requester_pays=pays))


def account_words(aws: Aws) -> str:
    """The account whose bill it is, and where it is if that is not AWS; '' if nobody can say."""
    try:
        account = who_calls(aws.sts).account
    except (BotoCoreError, ClientError):  # who may buy need not be allowed to ask
        account = ""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    at = f"simulated at {endpoint}" if is_served() else f"at {endpoint}" if endpoint else ""
    return ", ".join(filter(None, (account, at)))


def is_simulated() -> bool:
    """Whether the account is a rehearsal's, in which no machine fetches an image."""
    return bool(os.environ.get("AWS_ENDPOINT_URL"))


def is_served() -> bool:
    """Whether it is surely one: the line of `rehearse --serve` names its fleet file too."""
    return is_simulated() and bool(os.environ.get(FLEET_VARIABLE))


def monitor_pace() -> Pace:
    """How often to look at a run: in a served rehearsal as often as in one of a single verb."""
    usual = Pace()
    if not is_served():
        return usual
    from ..local.pace import PACE

    return replace(PACE, export_seconds=usual.export_seconds)


def _say_served() -> None:
    context = click.get_current_context(silent=True)
    said = context.find_root().meta if context else {}
    if not said.get(_SAID):
        where = os.environ["AWS_ENDPOINT_URL"]
        say(f"Simulated AWS at {where}: no machine, bill or price here is real.", "yellow")
    said[_SAID] = True
