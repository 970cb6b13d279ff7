"""Which jobs of a run are not done, and how to go on with them."""

from __future__ import annotations

from ..commands.removing.unfinished import Unfinished
from .fleet_hint import start_words
from .screens import besides, next_steps, say


def try_again(region: str) -> tuple[str, ...]:
    """The verbs that go on with a run that is over, and whose queue has gone with it."""
    return ("setup", "retry", start_words(region))


def show_unfinished(unfinished: Unfinished, region: str, *, is_told: bool = False) -> None:
    """Which jobs are neither done nor given up, and how to go on with their run in its region.

    With `is_told` what follows has been said already.
    """
    if not unfinished.count:
        return
    more = unfinished.count - len(unfinished.names)
    names = ", ".join(unfinished.names) + (f" and {more:,} more" if more else "")
    say(f"Not done: {names}.", style="yellow")
    if not is_told:
        next_steps(*try_again(region))
    if unfinished.path:
        besides("In a new run, in place of retry", f"submitJob {unfinished.path}")
