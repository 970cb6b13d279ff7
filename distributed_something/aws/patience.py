"""Ask again for what AWS does not know yet because it was made a moment ago."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

logger = logging.getLogger(__name__)

# EC2, IAM, SQS and ECS are eventually consistent, for a second or two as a rule:
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
KNOWN_AFTER = 30.0  # seconds in which everything new is known everywhere
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 3.0  # seconds; each pause is twice the one before

Answer = TypeVar("Answer")


def until_known(
    call: Callable[[], Answer],
    is_unknown: Callable[[ClientError], bool],
    *,
    sleep: Callable[[float], None],
    what: str,
) -> Answer:
    """The answer to a call that names something new; raises its error after KNOWN_AFTER seconds.

    `is_unknown` says of an error whether it is what AWS answers to a name that it does not know.
    """
    waited, pause = 0.0, _FIRST_PAUSE
    while True:
        try:
            return call()
        except ClientError as error:
            if not is_unknown(error) or waited >= KNOWN_AFTER:
                raise
        if not waited:
            logger.debug("AWS does not know %s everywhere yet; waiting.", what)
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, _LONGEST_PAUSE)
