"""Let every call of some doing fail in turn, each in a copy of this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .forks import try_each
from .stage import outcome_of
from .wire import Fault, Wire

READING = ("Describe", "Get", "List", "Head")


@dataclass(frozen=True)
class Trial:
    """A fault at one call of what is tried, its place counted from 0."""

    place: int
    call: str
    fault: Fault

    def __str__(self) -> str:
        return f"call {self.place} ({self.call}): {self.fault.value}"


def trials(wire: Wire, act: Callable[[], object]) -> Iterator[Trial]:
    """All faults at all calls that `act` makes when all goes well."""

    def calls(_: str) -> str:
        wire.mend()
        act()
        return json.dumps(wire.calls)

    ((_, text),) = try_each(["well"], calls)
    made = json.loads(text)
    yield Trial(len(made), "every call", Fault.THROTTLED)
    for place, call in enumerate(made):
        for fault in Fault:
            if fault is Fault.THROTTLED:
                continue
            if fault is Fault.UNHEARD and call.startswith(READING):
                continue  # a call that only reads takes no effect: THROTTLED has the same for it
            yield Trial(place, call, fault)


def meet(
    wire: Wire, trial: Trial, act: Callable[[], object]
) -> tuple[BaseException | None, list[str]]:
    """Act with the fault, and mend it; what it ended with, and what is wrong with that."""
    wire.fail(trial.place, trial.fault)
    error = outcome_of(act)
    met = wire.calls[trial.place : trial.place + 1]
    wire.mend()
    wrong = []
    if trial.fault is not Fault.THROTTLED and met != [trial.call]:
        wrong.append(f"this call was {met}")
    if trial.fault in (Fault.THROTTLED, Fault.UNHEARD) and error:
        wrong.append(f"the SDK's retries did not help: {error!r}")
    return error, wrong


def tried(name: str, said: Iterable[Trial]) -> str:
    """How much was tried, for the end of the tests' report."""
    some = list(said)
    places = len({one.place for one in some if one.fault is not Fault.THROTTLED})
    return f"{name}: {len(some)} faults at {places} calls"


def complaint(said: dict[Trial, str]) -> str:
    """All that went wrong, in words; empty if nothing did."""
    wrong = [f"{trial}\n{text}" for trial, text in said.items() if text]
    return "\n\n".join([f"{len(wrong)} of {len(said)} faults", *wrong]) if wrong else ""
