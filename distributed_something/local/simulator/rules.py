"""The waiting times and limits of the simulated AWS, and its clock: every number has its source.

Refusals are always real. Times are short by default, so that a rehearsal costs a newcomer none of
them; `STRICT` has AWS's own, for tests on a clock that sleeping moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Rules:
    """How long the simulated AWS takes over what AWS takes time for; all times in seconds."""

    deleted_queue_seconds: float = 60.0  # a deleted queue's name cannot be used again so soon
    draining_seconds: float = 0.0  # a deleted service drains this long after its last task stopped
    refill_seconds: float = 0.0  # from a machine's end until its fleet has bought another
    # A new thing does not exist yet for its first so many uses, and for so long:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    # https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    unseen_uses: int = 1
    unseen_seconds: float = 0.0
    # From PutMetricData until alarms see the point, and from an alarm's making to its evaluation.
    ingestion_seconds: float = 0.0
    first_evaluation_seconds: float = 90.0
    # How many periods farther back than its own an alarm looks where points are missing.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    # A breaching alarm of 3 x 60 s was measured at 10.5 min.
    lookback_periods: int = 7
    modifying_seconds: float = 0.0  # a fleet is `modifying`, and shows its old target
    # A fleet's history is up to 30 s old:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotFleetRequestHistory.html
    history_lag_seconds: float = 0.0
    count_lag_seconds: float = 0.0  # SQS's counts are as old as this
    is_throttled: bool = True  # whether AWS's request rates hold, as `delays/throttle.py` has them
    clock: Callable[[], float] = time.time
    dates_objects: bool = (
        False  # whether S3's objects are dated by that clock, or by the computer's
    )


# AWS as it was measured, for a clock that sleeping moves.
STRICT = Rules(
    draining_seconds=30.0,
    refill_seconds=60.0,
    unseen_seconds=2.0,
    ingestion_seconds=60.0,
    modifying_seconds=20.0,
    history_lag_seconds=30.0,
    count_lag_seconds=60.0,
    dates_objects=True,
)


def strict(clock: Callable[[], float]) -> Rules:
    """AWS's own times by a test's clock."""
    return replace(STRICT, clock=clock)


_current = Rules()


def current() -> Rules:
    """The rules of the simulator that runs in this process."""
    return _current


def use(rules: Rules) -> None:
    """Set the rules; the simulator does so when it starts."""
    global _current
    _current = rules
