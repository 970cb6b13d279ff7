"""Make the clients for a config: the one place that knows which account a verb talks to."""

from __future__ import annotations

import os

from ..aws.regions import meant_region
from ..aws.session import Aws, make_session
from ..errors import UsageError
from ..settings import Settings


def connect(settings: Settings) -> Aws:
    """The clients for a config; botocore reads AWS_ENDPOINT_URL, which can point them elsewhere.

    Raises UsageError for a region that is likely a slip for another.
    """
    if meant := meant_region(settings.aws_region):
        raise UsageError(
            f"AWS_REGION = {settings.aws_region!r} in the config is no region of AWS: did you mean "
            f"{meant!r}?"
        )
    return Aws(make_session(settings.aws_region, settings.aws_profile))


def is_simulated() -> bool:
    """Whether the account is a rehearsal's, in which no machine fetches an image."""
    return bool(os.environ.get("AWS_ENDPOINT_URL"))
