"""Ask AWS again and again until a failure that passes has passed, with new clients each time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.clock import is_of_clock
from ...aws.faults import is_offline, is_throttled, may_pass
from ...command_lines import run_line
from ...errors import DistributedSomethingError

if TYPE_CHECKING:
    from ...aws.session import Aws

logger = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_ANSWER_SECONDS = 45.0  # an address that has not answered by then is likely a wrong one


def may_be_the_network(error: Exception, silent: float) -> bool:
    """Whether a first look that failed is worth another: a wrong address never answers either.

    The clock of a computer that slept is set once the network is back.
    """
    return (is_offline(error) or is_of_clock(error)) and silent < FIRST_ANSWER_SECONDS


@dataclass
class Connection:
    """The clients in use; made anew after a failure, for clients keep credentials that ran out."""

    aws: Aws
    reconnect: Callable[[], Aws] | None
    patience: float  # seconds
    look_every: float  # seconds

    def renew(self) -> None:
        if self.reconnect:
            try:
                self.aws = self.reconnect()
            except BotoCoreError as error:
                logger.warning("New clients cannot be created yet: %s", error)

    def say_or_give_up(self, error: Exception, silent: float) -> None:
        """Say that it will be tried again; raises DistributedSomethingError after the patience."""
        if silent > self.patience:
            raise DistributedSomethingError(
                f"AWS has not answered for {silent / 3600:.1f} hours ({error}). Nothing is lost: "
                f"run `{run_line('monitor')}` again when AWS can be reached."
            ) from error
        logger.warning("This step failed and will be retried: %s", error)

    def ask(
        self,
        question: Callable[[Aws], T],
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> T:
        """The answer, however long AWS cannot give it within our patience."""
        began = now()
        while True:
            try:
                return question(self.aws)
            except (ClientError, BotoCoreError) as error:
                if not may_pass(error):
                    raise
                self.say_or_give_up(error, now() - began)
            sleep(self.look_every)
            self.renew()

    def ask_first(
        self,
        question: Callable[[Aws], T],
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> T:
        """The answer to what is asked before all else: throttling is waited out, and the network
        for about a minute; what is wrong with account or right is raised at once."""
        began = now()
        while True:
            try:
                return question(self.aws)
            except (ClientError, BotoCoreError) as error:
                silent = now() - began
                if not (is_throttled(error) or may_be_the_network(error, silent)):
                    raise
                self.say_or_give_up(error, silent)
            sleep(self.look_every)
            self.renew()
