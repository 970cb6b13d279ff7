"""Let every call of some doing fail in turn, and end once what ends alike."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .forks import Copies, in_one_thread
from .stage import outcome_of
from .states import hash_of
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


class EndsAlike(Exception):
    """Another copy goes on from the same state, and what it finds holds for this one too."""


@dataclass
class Meeting:
    """What came of a fault, and what is wrong with it."""

    trial: Trial
    made: tuple[str, ...]  # the calls before it
    error: BaseException | None  # what the doing ended with
    states: Path  # a file for each state that a copy has gone on from
    wrong: list[str] = field(default_factory=list)
    gone_on_from: list[str] = field(default_factory=list)
    ends_as: str = ""

    def go_on(self, step: str, state: str) -> None:
        """Go on with a step, from a state from which no other copy does; else raises EndsAlike."""
        name = hash_of(f"{step}\n{state}")
        try:
            os.close(os.open(self.states / name, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            self.ends_as = name
            raise EndsAlike from None
        self.gone_on_from.append(name)

    def to_json(self) -> str:
        if self.wrong:
            self.wrong.append(f"it had ended with: {self.error!r}")
        return json.dumps(asdict(_Heard(self.wrong, self.gone_on_from, self.ends_as)))


@dataclass(frozen=True)
class Report:
    """What came of all faults at all calls."""

    name: str
    wrong: dict[Trial, str]  # in words; '' for all that was well
    endings: int  # how many of the trials went on to the end, for all that end alike

    @property
    def calls(self) -> set[str]:
        return {trial.call for trial in self.wrong}

    @property
    def places(self) -> int:
        return len({one.place for one in self.wrong if one.fault is not Fault.THROTTLED})

    @property
    def complaint(self) -> str:
        """All that went wrong; empty if nothing did."""
        wrong = [f"{trial}\n{text}" for trial, text in self.wrong.items() if text]
        head = f"{self.name}: {len(wrong)} of {len(self.wrong)} faults"
        return "\n\n".join([head, *wrong]) if wrong else ""

    def __str__(self) -> str:
        faults = f"{len(self.wrong)} faults at {self.places} calls"
        return f"{self.name}: {faults}, with {self.endings} different endings"


def try_every_call(
    name: str,
    wire: Wire,
    act: Callable[[], object],
    finish: Callable[[Meeting], None],
    *,
    states: Path,
    on_copy: Callable[[], None] = lambda: None,
) -> Report:
    """Let `act` meet every fault at every call that it makes, and `finish` what is left then.

    `finish` adds what is wrong to its meeting, and asks it before each step that depends on
    nothing but the state that it gives. `states` is an empty folder.
    """
    copies: Copies[Trial] = Copies()
    mine: list[Trial] = []

    def meet(call: str) -> None:
        for trial in _trials(len(wire.calls), call):
            if copies.start(trial):
                mine.append(trial)
                wire.before_each(lambda _: None)
                wire.fail(trial.fault)
                on_copy()
                return

    def live() -> str:
        error = outcome_of(act)
        if not mine:
            return ""
        meeting = Meeting(mine[0], tuple(wire.calls[: mine[0].place]), error, states)
        wire.restore()
        if mine[0].fault in (Fault.THROTTLED, Fault.UNHEARD) and error:
            meeting.wrong.append("the SDK's retries did not help")
        try:
            finish(meeting)
        except EndsAlike:
            assert meeting.ends_as
        return meeting.to_json()

    wire.restore()
    wire.before_each(meet)
    with in_one_thread():
        said = copies.follow(live)
    return _report(name, said)


def _trials(place: int, call: str) -> Iterator[Trial]:
    if place == 0:
        yield Trial(place, "every call", Fault.THROTTLED)
    for fault in Fault:
        if fault is Fault.THROTTLED:
            continue
        if fault is Fault.UNHEARD and call.startswith(READING):
            continue  # a call that only reads takes no effect: THROTTLED has the same for it
        yield Trial(place, call, fault)


@dataclass(frozen=True)
class _Heard:
    """What a copy has said of its meeting."""

    wrong: list[str]
    gone_on_from: list[str]
    ends_as: str

    @classmethod
    def of(cls, text: str) -> _Heard:
        try:
            return cls(**json.loads(text))
        except ValueError:
            return cls([text], [], "")


def _report(name: str, said: dict[Trial, str]) -> Report:
    """Let what is wrong with an ending be wrong with all that end so."""
    heard = {trial: _Heard.of(text) for trial, text in said.items()}
    first = {state: trial for trial, one in heard.items() for state in one.gone_on_from}
    wrong = {}
    for trial, one in heard.items():
        texts, state = list(one.wrong), one.ends_as
        while state:
            if state not in first:
                texts.append("ends as a copy did that has not come to its end")
                break
            other = heard[first[state]]
            texts += [f"ends as {first[state]}"] if other.wrong else []
            state = other.ends_as
        wrong[trial] = "\n".join(texts)
    return Report(name, wrong, sum(not one.ends_as for one in heard.values()))
