"""Put jobs in the order in which they are best sent: a long one that begins last keeps a machine.

Pure: weights go in, an order comes out. SQS keeps a queue's order only roughly, which is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def longest_first(weights: Sequence[float | None]) -> list[int]:
    """The places of jobs, the heaviest first; a job of unknown weight counts as a median one."""
    known = [weight for weight in weights if weight is not None]
    if not known:
        return list(range(len(weights)))
    usual = median(known)
    filled = [usual if weight is None else weight for weight in weights]
    return sorted(range(len(filled)), key=lambda place: -filled[place])
