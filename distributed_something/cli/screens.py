"""What a person sees: stdout carries what another program can use, stderr all the rest."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from ..commands.belongings import UNSEEN, Belonging
from ..commands.cancel import Cancelled
from ..commands.failing import Failing
from ..commands.monitor import MonitorOutcome, RunProgress
from ..commands.submit_job import Submitted
from ..commands.tear_down import STAYS
from ..commands.unfinished import Unfinished
from ..definitions.console import console_links
from ..definitions.policies import Scope
from ..record import RunRecord
from ..settings import Settings
from ..words import count_of, of_target
from .lines import for_config

_BORDERS = 13  # characters: of a table of four columns
_PIPE_WIDTH = 10_000  # characters: in a pipe or a file no name or reason is broken across lines
people = Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH)
# The queue goes with its run: whoever goes on with its jobs makes it again first.
TRY_AGAIN = ("setup", "retry", "startCluster FLEET.json")


def say(text: str, style: str | None = None) -> None:
    """One sentence for a person, as it stands: no markup, and no line broken for them."""
    text = for_config(text, config_in_use())
    people.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def next_step(words: str) -> None:
    """The verb that usually follows."""
    say(f"Next: {run_line(words)}", style="bold")


def next_steps(*verbs: str) -> None:
    """The verbs that follow, in their order: each needs what stands before it."""
    for number, words in enumerate(verbs):
        say(f"{'Then' if number else 'Next'}: {run_line(words)}", style="bold")


def besides(what: str, words: str) -> None:
    """A verb that can be run at any time, where others are to follow."""
    say(f"{what}: {run_line(words)}")


def run_line(words: str) -> str:
    """A command line with a verb, for the same config file as this one's."""
    return for_config(f"python run.py {words}", config_in_use())


def config_in_use() -> str:
    """The config file of the command that is being run."""
    context = click.get_current_context(silent=True)
    return str(context.find_root().params.get("config", "") if context else "")


class JobBar:
    """Shows jobs per second while they are checked (no total) and queued; on a terminal only."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._checking = bar.add_task("Checking jobs", total=None, rate="")
        self._sending = bar.add_task("Queueing jobs", total=None, rate="", visible=False)
        self._began = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        self._bar.start()
        if total is None:
            self._bar.update(self._checking, completed=done)
            return
        if not self._bar.tasks[1].visible:
            self._began = time.monotonic()
            self._bar.update(self._checking, visible=False)
        rate = f"{done / max(time.monotonic() - self._began, 1e-6):,.0f} jobs/s"
        self._bar.update(self._sending, completed=done, total=total, visible=True, rate=rate)

    def pause(self) -> None:
        """Leave the screen to a question until the next progress."""
        self._bar.stop()


@contextmanager
def job_progress() -> Iterator[JobBar]:
    """A bar for the jobs of a file."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=people, disable=not people.is_terminal, transient=True) as bar:
        yield JobBar(bar)


def show_submitted(submitted: Submitted) -> None:
    """How many jobs were queued; the run's id goes to stdout."""
    jobs = count_of(submitted.count, "job")
    say(f"Queued {jobs} in {submitted.queue_name} (run {submitted.run_id}).")
    if submitted.duplicates:
        say(
            f"Left out as equal to an earlier one: {count_of(submitted.duplicates, 'group')}.",
            style="yellow",
        )
    click.echo(submitted.run_id)


def show_capacity(machines: int, target: int) -> None:
    """How many machines are there of how many."""
    say(f"{machines} of {count_of(target, 'machine')} {'is' if target == 1 else 'are'} up.")


def show_console_links(settings: Settings) -> None:
    """The console's pages of a run, which are good to keep open."""
    say("Pages of the AWS console to keep open:")
    for title, address in console_links(
        settings.aws_region,
        settings.ecs_cluster,
        settings.sqs_queue_name,
        settings.aws_bucket,
        settings.app_name,
        settings.log_group_name,
    ):
        say(f"  {title:<11}{address}")


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
        f"Run {record.run_id or 'of upstream'} of {record.app_name} is over: "
        f"{summary.done:,} done, {summary.dead:,} in the dead-letter queue, "
        f"{outcome.unfinished.count:,} not done, of {count_of(summary.submitted, 'job')}. "
        f"All that it made was removed but {_stays(record)}.",
        style="green" if outcome.is_complete and not summary.dead else "yellow",
    )
    _show_given_up(outcome)
    show_unfinished(outcome.unfinished, is_told=bool(summary.dead))


def _print_end(outcome: MonitorOutcome) -> None:
    """The last line of `monitor --json`: how many jobs ended how."""
    summary = outcome.summary
    line = {
        "over": True,
        "run_id": outcome.record.run_id,
        "submitted": summary.submitted,
        "done": summary.done,
        "dead": summary.dead,
        "unfinished": outcome.unfinished.count,
        "stopped": outcome.stopped,
    }
    click.echo(json.dumps(line))


def _show_given_up(outcome: MonitorOutcome) -> None:
    """How many jobs failed for good, why the first of them did, and how to try them again."""
    dead = outcome.summary.dead
    if not dead:
        return
    say(f"{count_of(dead, 'job')} failed for good. The first reasons:", style="bold red")
    for reason in dict.fromkeys(one.reason for one in outcome.given_up):
        say(f"  {reason}", style="red")
    say("Each is in the dead-letter queue with its reason. See why, mend it, and try again:")
    next_steps("logs --failed", *TRY_AGAIN)


def _stays(record: RunRecord) -> str:
    """What a teardown leaves on purpose, in words."""
    names = [f"its {name}" for name, _ in STAYS]
    if record.dashboard and not record.clean_dashboard:
        names.append("its dashboard")
    if record.topic:
        names.append("the topic that tells of it")
    return f"{', '.join(names[:-1])} and {names[-1]}"


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


def show_belongings(app_name: str, found: Sequence[Belonging], as_json: bool) -> None:
    """What there is of an app: a table for people, or a JSON line for each thing."""
    if as_json:
        for one in found:
            click.echo(json.dumps(asdict(one)))
        return
    title = f"What there is of {app_name}"
    widest = [max(map(len, words)) for words in zip(*_rows(found), strict=True)]
    if sum(widest) + _BORDERS > people.width:  # a table would break every name
        say(f"{title}:")
        for row in _rows(found):
            say("  ".join(word for word in row if word))
        _say_if_nothing(app_name, found)
        return
    table = Table(title=title, title_justify="left")
    for column in ("what", "name", "", ""):
        table.add_column(column, overflow="fold")  # a name that is cut short is of no use
    for row in _rows(found):
        table.add_row(*row)
    people.print(table)
    _say_if_nothing(app_name, found)


def _rows(found: Sequence[Belonging]) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.name, one.detail, "stays" if one.stays else "") for one in found]


def _say_if_nothing(app_name: str, found: Sequence[Belonging]) -> None:
    if not any(not one.stays for one in found):
        say(f"There is nothing of {app_name} to remove.")


def show_due(found: Sequence[Belonging]) -> bool:
    """What will be removed; always goes on."""
    due = [one for one in found if not one.stays]
    counts = Counter(one.kind for one in due if one.name != UNSEEN)
    kinds = ", ".join(count_of(count, kind) for kind, count in counts.items())
    say(f"To be removed: {kinds}.")
    for one in due:
        if one.kind in ("spot fleet", "queue") or one.name == UNSEEN:
            say(f"  {one.kind} {one.name}: {one.detail}")
    return True


def ask_to_cancel(found: Sequence[Belonging]) -> bool:
    """Show the same, then ask."""
    show_due(found)
    return click.confirm("Stop and remove all of this?", default=False, err=True)


def show_cancelled(app_name: str, cancelled: Cancelled) -> None:
    """What went, what stays and why, and the jobs that did not run."""
    say(f"Removed {count_of(len(cancelled.removed), 'thing')} of {app_name}.", style="green")
    for one in cancelled.stays:
        say(f"Stays: {one.kind} {one.name}")
    show_unfinished(cancelled.unfinished)


def show_documents(documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Every policy document as JSON on stdout, one object that has each under what it is for."""
    click.echo(json.dumps(documents, indent=2))


def show_account(scope: Scope) -> None:
    """What the account is ready for."""
    apps = "apps of every name" if scope.apps == ("*",) else f"apps named {', '.join(scope.apps)}"
    say(
        f"Account {scope.account} is ready for {apps} in {', '.join(scope.regions)}, "
        f"with the buckets {', '.join(scope.buckets)}.",
        style="green",
    )


def show_destruction(watched: Sequence[str]) -> bool:
    """What goes with the roles; always goes on."""
    if watched:
        say(f"The Lambda still watches {', '.join(watched)}; nothing would.", style="yellow")
    say("Workers of this account that still run lose their rights.", style="yellow")
    return True


def ask_to_destroy(watched: Sequence[str]) -> bool:
    """Say the same, then ask."""
    show_destruction(watched)
    return click.confirm("Remove what setup_AWS.py made?", default=False, err=True)


def show_destroyed(failures: Sequence[str]) -> None:
    """What became of it."""
    for failure in failures:
        say(failure, style="red")
    if failures:
        say("Run `python setup_AWS.py destroy` again to try once more.")
    else:
        say("Removed what setup_AWS.py had made here. Buckets and AWS's own roles stay.")


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
            moment = time.strftime("%H:%M:%S", time.localtime(look.time))
            say(f"{moment}  {self._app}{look.failing.sentence()}", style="yellow")
        self._last, self._failing = seen, look.failing

    def _say(self, look: RunProgress, numbers: tuple[int, int, int]) -> None:
        waiting, running, finished = numbers
        given_up = f" ({look.given_up:,} given up)" if look.given_up else ""
        line = (
            f"{time.strftime('%H:%M:%S', time.localtime(look.time))}  {self._app}"
            f"waiting {waiting:,}  running {running:,}  finished {finished:,} of "
            f"{look.submitted:,}{given_up}  machines {of_target(look.machines, look.target)}"
        )
        say(f"{line}  {look.note}" if look.note else line)


def _print_json(app_name: str, look: RunProgress) -> None:
    whose = {"app_name": app_name} if app_name else {}
    line = {**whose, **asdict(look), "finished": look.finished}
    sys.stdout.write(json.dumps(line) + "\n")  # one write: other runs are watched beside this one
    sys.stdout.flush()
