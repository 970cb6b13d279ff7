"""What `monitor` shows: each look that differs from the last one, and how the run ended."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

import click
from rich.live import Live
from rich.text import Text

from ...commands.watching.failing import Failing
from ...commands.watching.monitor import MonitorOutcome, RunProgress
from ...protocol.ledger.record import RunRecord
from ...resources.table import staying_kinds
from ...words import count_of, of_target, sentence, with_iso_times
from ..advice import show_unfinished, try_again
from ..people import next_steps, people, say
from .failure_lines import say_failures


def progress_printer(as_json: bool, app_name: str = "") -> Callable[[RunProgress], None]:
    """A printer of looks: a line for people when something changed, or a JSON line for each.

    With `app_name` each says whose look it is, where several runs are watched.
    """
    return partial(_print_json, app_name) if as_json else _ChangePrinter(app_name)


def show_outcome(outcome: MonitorOutcome, as_json: bool = False) -> None:
    """How the run ended, why if it was stopped, and what to do about jobs that are not done."""
    summary, record = outcome.summary, outcome.record
    if as_json:
        _print_end(outcome)
    if outcome.stopped:
        say(f"The run was stopped: {outcome.stopped}", style="red")
    say(
        f"{sentence(record.title)} is over: {_counts(outcome)}. "
        f"Everything it created was removed, except {_stays(record)}.",
        style="green" if outcome.is_complete and not summary.dead else "yellow",
    )
    _show_given_up(outcome)
    show_unfinished(outcome.unfinished, record.region, is_told=bool(summary.dead))


def _counts(outcome: MonitorOutcome) -> str:
    """How many jobs ended how, as far as that is known."""
    summary = outcome.summary
    if not outcome.is_counted:
        return "its queue was empty, so its jobs could not be counted"
    return (
        f"{summary.done:,} done, {summary.dead:,} in the dead-letter queue, "
        f"{outcome.unfinished.count:,} not done, of {count_of(summary.submitted, 'job')}"
    )


def _print_end(outcome: MonitorOutcome) -> None:
    """The last line of `monitor --json`: how many jobs ended how."""
    summary = outcome.summary
    line = {
        "over": True,
        "run_id": outcome.record.run_id,
        "submitted": summary.submitted if outcome.is_counted else None,
        "done": summary.done if outcome.is_counted else None,
        "dead": summary.dead if outcome.is_counted else None,
        "unfinished": outcome.unfinished.count,
        "stopped": outcome.stopped,
    }
    click.echo(json.dumps(line))


def _show_given_up(outcome: MonitorOutcome) -> None:
    """Which jobs were given up and why, and how to try them again."""
    dead = outcome.summary.dead
    if not dead or not outcome.failures:  # other workers than ours leave no reasons
        return
    say_failures(outcome.failures)
    say("Each is in the dead-letter queue with its reason. Find the cause, fix it, and retry:")
    next_steps("logs --failed", *try_again(outcome.record.region))


def _stays(record: RunRecord) -> str:
    """What a teardown keeps on purpose, in words."""
    names = [
        f"its {kind.name}{'s' if len(tuple(kind.staying(record))) > 1 else ''}"
        for kind in staying_kinds(record)
    ]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _clock(seconds: float) -> str:
    """The time of day with its zone."""
    return time.strftime("%H:%M:%S %Z", time.localtime(seconds))


class _LiveLine:
    """How the run stood at the last look, and how long ago that was, as it is drawn."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._began = now()
        self._look: RunProgress | None = None

    def __call__(self, look: RunProgress) -> None:
        self._look = look

    def __rich__(self) -> Text:
        look = self._look
        if look is None:
            words = f"First look at the run: {self._now() - self._began:.0f} s ..."
        else:
            words = (
                f"{look.finished:,} of {look.submitted:,} ended, {look.in_flight:,} running, "
                f"seen {max(0.0, self._now() - look.time):.0f} s ago. Ctrl-C: the run goes on."
            )
        return Text(words, style="dim", no_wrap=True, overflow="ellipsis")


@contextmanager
def live_line() -> Iterator[Callable[[RunProgress], None]]:
    """A line below all others that lives between two looks; on a terminal only."""
    line = _LiveLine()
    if not people().is_terminal:
        yield line
        return
    with Live(line, console=people(), transient=True, refresh_per_second=2):
        yield line


def show_capacity(machines: int, target: int) -> None:
    """How many machines are there of how many."""
    say(f"{machines} of {count_of(target, 'machine')} {'is' if target == 1 else 'are'} up.")


class _ChangePrinter:
    """Prints a look when its numbers or its note differ from the last one's."""

    def __init__(self, app_name: str = "") -> None:
        self._app = f"{app_name}  " if app_name else ""
        self._last: tuple[object, ...] = ()
        self._failing: Failing | None = None

    def __call__(self, look: RunProgress) -> None:
        numbers = (look.waiting + look.delayed, look.in_flight, look.finished)
        seen = (*numbers, look.given_up, look.machines, look.target, look.note)
        if seen != self._last:
            self._say(look, numbers)
        if look.failing and look.failing != self._failing:
            moment = _clock(look.time)
            say(f"{moment}  {self._app}{look.failing.sentence()}", style="yellow")
        self._last, self._failing = seen, look.failing

    def _say(self, look: RunProgress, numbers: tuple[int, int, int]) -> None:
        waiting, running, finished = numbers
        given_up = f" ({look.given_up:,} given up)" if look.given_up else ""
        line = (
            f"{_clock(look.time)}  {self._app}"
            f"waiting {waiting:,}  running {running:,}  ended {finished:,} of "
            f"{look.submitted:,}{given_up}  machines {of_target(look.machines, look.target)}"
        )
        say(f"{line}  {look.note}" if look.note else line)


def _print_json(app_name: str, look: RunProgress) -> None:
    whose = {"app_name": app_name} if app_name else {}
    line = {**whose, **with_iso_times(asdict(look)), "finished": look.finished}
    sys.stdout.write(json.dumps(line) + "\n")  # one write: other runs are watched beside this one
    sys.stdout.flush()
