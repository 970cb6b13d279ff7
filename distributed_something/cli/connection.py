"""Make the clients for a config: the one place that knows which account a verb talks to."""

from __future__ import annotations

import os

from ..aws.session import Aws, make_session
from ..settings import Settings


def connect(settings: Settings) -> Aws:
    """The clients for a config; botocore reads AWS_ENDPOINT_URL, which can point them elsewhere."""
    return Aws(make_session(settings.aws_region, settings.aws_profile))


def is_simulated() -> bool:
    """Whether the account is a rehearsal's, in which no machine fetches an image."""
    return bool(os.environ.get("AWS_ENDPOINT_URL"))
