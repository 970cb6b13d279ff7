"""What a person sees of a run's status: jobs, machines, money, and why nothing moves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...commands.reading.status import JobCounts, MachineRow, Money, RunningJob, Status
from ...protocol.ledger.attempts import Attempt
from ...words import count_of, exit_words, of_target, usd, with_iso_times
from .failure_lines import failure_lines
from .tables import indented, plain_table

MOST_MACHINES = 20  # rows; more machines are counted by type and zone
_LEAST_MACHINES = 3
_HEADS = 3  # lines: of the machines, of their table, and the last, where the cursor is
MOST_FAILED = 1000  # rows; of more jobs nobody reads a table
_BAR_WIDTH = 40
_STYLES = {
    "works": "green",
    "idle": "",
    "starts": "",
    "drained": "dim",
    "not joined": "bold red",
    "cannot work": "bold red",
}


def status_screen(status: Status) -> RenderableType:
    """The whole screen, what matters most first."""
    return Group(*_above_machines(status), *_machines(status, MOST_MACHINES))


def fitted_screen(status: Status, console: Console) -> RenderableType:
    """The same with no more machines than fit on the screen below the rest, for --watch."""
    above = _above_machines(status)
    used = len(console.render_lines(Group(*above), pad=False))
    room = console.height - used - _HEADS
    return Group(*above, *_machines(status, max(_LEAST_MACHINES, min(room, MOST_MACHINES))))


def _above_machines(status: Status) -> list[RenderableType]:
    """Jobs, why they do not go on, and money: in sight however many machines there are."""
    parts: list[RenderableType] = [_head(status), *_jobs(status), *_why(status)]
    if status.money:
        parts.append(_money(status.money, status.ended is not None))
    return [*parts, *(Text(one, style="yellow") for one in status.unseen)]


def status_json(status: Status) -> str:
    """The status as one line of JSON."""
    values = asdict(status)
    return json.dumps(with_iso_times({**values, "why": [_trouble(one) for one in values["why"]]}))


def running_screen(running: Sequence[RunningJob], now: float) -> RenderableType:
    """The jobs that run, those that run longest first."""
    table = plain_table("job", "for", "machine", "slot")
    for job in running:
        table.add_row(job.name, span(now - job.since), job.instance_id, job.slot)
    return table if running else Text("No job runs.")


def failed_screen(failed: Iterable[Attempt]) -> RenderableType:
    """The jobs that were given up and those that failed and are tried again, with the reason."""
    rows = list(failed)
    table = plain_table("job", "", "attempts", "exit", "reason")
    for one in rows:
        word = "given up" if one.state == "dead" else "tried again"
        table.add_row(one.name, word, str(one.number or ""), exit_words(one.exit_code), one.reason)
    return table if rows else Text("No job failed.")


def more_failed(shown: int, count: int) -> str:
    """How many jobs failed that are not in the table; empty if all are, or if there is none."""
    if not 0 < shown < count:
        return ""
    return f"And {count_of(count - shown, 'more job')}: `status --failed --json` lists all of them."


def attempts_screen(attempts: Sequence[Attempt], now: float) -> RenderableType:
    """The attempts at one job, with the last lines of the last."""
    table = plain_table("attempt", "state", "took", "machine", "exit", "memory", "reason")
    for one in attempts:
        table.add_row(
            str(one.number),
            one.state if one.state != "started" else "began",
            span((one.ended or now) - one.started),
            " ".join(part for part in (one.instance_id, one.instance_type) if part),
            exit_words(one.exit_code),
            f"{one.peak_memory_mib:,.0f} MiB" if one.peak_memory_mib else "",
            one.reason,
        )
    parts: list[RenderableType] = [table] if attempts else [Text("It has had no attempt yet.")]
    if attempts and attempts[-1].output and attempts[-1].state == "done":
        parts.append(Text(f"Output: {attempts[-1].output}"))
    if attempts and attempts[-1].log_tail:
        parts += [Text("Its last lines of output:"), indented(attempts[-1].log_tail)]
    return Group(*parts)


def span(seconds: float) -> str:
    """A time span in words of at most two units."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes and minutes < 10 else _short(minutes, rest)


def _short(minutes: int, seconds: int) -> str:
    return f"{minutes} min" if minutes else f"{seconds} s"


def _head(status: Status) -> Text:
    run = f"run {status.run_id} of {status.app_name}" if status.run_id else status.app_name
    head = Text(run[0].upper() + run[1:], style="bold")
    if status.ended is not None:
        head.append(f", ended; it took {span(status.ended - status.started)}", style="not bold")
    else:
        head.append(f", begun {span(status.now - status.started)} ago", style="not bold")
    return head


def _jobs(status: Status) -> list[RenderableType]:
    jobs = status.jobs
    bar = ProgressBar(total=max(jobs.submitted, 1), completed=jobs.done, width=_BAR_WIDTH)
    share = "no jobs"
    if jobs.submitted:  # rounded down: all but one is not 100 %
        share = f"{100 * jobs.done // jobs.submitted}% of {jobs.submitted:,}"
    line = _side_by_side([bar, Text(share), Text(_pace(status))], 2)
    failing = [Text(status.failing.sentence(), style="yellow")] if status.failing else []
    failed = [Text(line, style="red") for line in failure_lines(status.failures)]
    return [line, _counts(jobs, status.ended is not None), *failing, *failed]


def _side_by_side(parts: Iterable[RenderableType], gap: int) -> Columns:
    """Parts in a line, or in two where the screen is narrow; none is broken itself."""
    return Columns(parts, padding=(0, gap, 0, 0))


def _pace(status: Status) -> str:
    if status.rate is None or status.seconds_left is None:
        return ""
    return f"{status.rate:,.0f} jobs an hour, about {span(status.seconds_left)} left"


def _counts(jobs: JobCounts, is_over: bool) -> Columns:
    shown = {
        "waiting": ("left over" if is_over else "waiting", ""),
        "running": ("running", "green"),
        "done": ("done", "green"),
        "failed": ("failed" if is_over else "failed, will be retried", "yellow"),
        "interrupted": ("interrupted", "yellow"),
        "dead": ("given up", "red"),
    }
    cells = []
    for name, (words, style) in shown.items():
        count = getattr(jobs, name)
        cells.append(Text(f"{words} {count:,}", style=style if count else "dim"))
    return _side_by_side(cells, 3)


def _why(status: Status) -> list[RenderableType]:
    lines = []
    for one in status.why:
        text = Text("Why: ", style="bold yellow")
        text.append(one.cause.rstrip("."), style="not bold")
        text.append(f". → {one.fix.rstrip('.')}.", style="bold")
        lines.append(text)
    return [Padding(Group(*lines), (1, 0), expand=False)] if lines else [Text("")]


def _machines(status: Status, most: int) -> list[RenderableType]:
    """The machines in at most so many lines, below their head; nothing of a run that has ended."""
    if status.ended is not None:
        return []
    head = Text(f"Machines: {of_target(len(status.machines), status.target)}", style="bold")
    if not status.machines:
        return [head]
    if sum(max(1, len(one.jobs)) for one in status.machines) > most:
        return [head, _by_place(status.machines, most), *_consoles(status.machines)]
    table = plain_table("type", "zone", "machine", "up", "", "at")
    for one in status.machines:
        state = Text(one.state, style=_STYLES.get(one.state, ""))
        table.add_row(
            one.instance_type,
            one.zone,
            one.instance_id,
            span(status.now - one.since),
            state,
            _jobs_of(one, status.now),
        )
    return [head, table, *_logins(status.machines), *_consoles(status.machines)]


def _jobs_of(machine: MachineRow, now: float) -> str:
    return "\n".join(f"{job.name}, {span(now - job.since)}" for job in machine.jobs)


def _by_place(machines: Sequence[MachineRow], most: int) -> Table:
    """Machines by type, zone and what they do, where they are too many to name."""
    counts = Counter((one.instance_type, one.zone, one.state) for one in machines)
    table = plain_table("type", "zone", "machines", "")
    rows = sorted(counts.items())
    for (kind, zone, state), count in rows[:most]:
        table.add_row(kind, zone, f"{count:,}", Text(state, style=_STYLES.get(state, "")))
    if rest := sum(count for _, count in rows[most:]):
        table.add_row("others", "", f"{rest:,}", "")
    return table


def _logins(machines: Sequence[MachineRow]) -> list[RenderableType]:
    return [
        Text(f"{one.instance_id}: {one.ssh}", style="dim", no_wrap=True)
        for one in machines
        if one.ssh
    ]


def _consoles(machines: Sequence[MachineRow]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for one in machines:
        if one.console:
            parts.append(Text(f"The console of {one.instance_id} ends with:", style="yellow"))
            parts.append(indented(one.console, "dim"))
    return parts


def _money(money: Money, is_over: bool) -> Text:
    text = Text("Money: ", style="bold")
    text.append(f"{usd(money.so_far)} {'total' if is_over else 'so far'}", style="not bold")
    if not is_over:
        text.append(f", {usd(money.per_hour)} an hour now", style="not bold")
        if money.expected is not None:
            text.append(f", about {usd(money.expected)} in the end", style="not bold")
    if money.max_cost:
        text.append(f"; MAX_COST is {usd(money.max_cost)}", style="not bold")
    text.append(".", style="not bold")
    if money.capped:
        text.append(
            f" Of {count_of(money.capped, 'machine')} the maximum price is counted.",
            style="not bold",
        )
    if money.unpriced:
        text.append(f" Of {count_of(money.unpriced, 'machine')} no price is known.", style="yellow")
    text.append(f"\nNot included: {'; '.join(money.left_out)}.", style="dim")
    return text


def _trouble(values: dict[str, Any]) -> dict[str, str]:
    return {key: str(values[key]) for key in ("kind", "cause", "fix")}
