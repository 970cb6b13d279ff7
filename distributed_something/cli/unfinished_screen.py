"""Which jobs of a run are not done, and how to go on with them."""

from __future__ import annotations

from ..commands.unfinished import Unfinished
from .screens import besides, next_steps, say

# The queue goes with its run: whoever goes on with its jobs makes it again first.
TRY_AGAIN = ("setup", "retry", "startCluster FLEET.json")


def show_unfinished(unfinished: Unfinished, *, is_told: bool = False) -> None:
    """Which jobs are neither done nor given up, and how to go on with their run.

    With `is_told` what follows has been said already.
    """
    if not unfinished.count:
        return
    more = unfinished.count - len(unfinished.names)
    names = ", ".join(unfinished.names) + (f" and {more:,} more" if more else "")
    say(f"Not done: {names}.", style="yellow")
    if not is_told:
        next_steps(*TRY_AGAIN)
    if unfinished.path:
        besides("In a new run, in place of retry", f"submitJob {unfinished.path}")
