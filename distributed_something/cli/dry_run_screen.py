"""What a person sees of jobs that are not sent: a message, a few of them, what they come to."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.table import Table

from ..commands.submitting.dry_run import STARTING_MINUTES, DryRun, Estimate
from .again_screen import show_again
from .connection import is_served
from .screens import people, say


def show_dry_run(planned: DryRun, as_json: bool) -> None:
    """The whole of it; with `as_json` one JSON object on stdout."""
    if as_json:
        message = json.loads(planned.message)
        click.echo(json.dumps({**asdict(planned), "message": message}, indent=2))
        return
    say("The first message:", style="bold")
    say(json.dumps(json.loads(planned.message), indent=2, ensure_ascii=False))
    say(f"\n{len(planned.jobs)} of {planned.count:,} jobs:", style="bold")
    for job in planned.jobs:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("name", job.name)
        table.add_row("command", job.command or "none: worker/something.py says what to do")
        for place in job.inputs:
            table.add_row("input", place)
        table.add_row("output", job.output)
        people.print(table, highlight=False, markup=False)
        say("")
    _show_estimate(planned.count, planned.estimate)
    if planned.again:
        show_again(planned.again)
    say("Nothing was sent and nothing was made.")


def _show_estimate(count: int, estimate: Estimate) -> None:
    table = Table(title="What it could come to", title_justify="left", show_header=False)
    table.add_row("jobs", f"{count:,}, {estimate.side_by_side:,} at a time")
    table.add_row("a job takes", f"{_span(estimate.minutes)} ({estimate.source})")
    hours = f"{_span(estimate.hours * 60)}, and {STARTING_MINUTES:g} min each to start"
    table.add_row("machines", f"{estimate.machines} for {hours}")
    simulated = "simulated " if is_served() and estimate.low is not None else ""
    table.add_row("costs", f"{_cost(estimate)} ({simulated}{estimate.prices})")
    people.print(table, highlight=False)
    say(f"Disks and addresses are in it. Left out: {', '.join(estimate.left_out)}.")
    for limit in estimate.limits:
        say(limit, style="yellow")


def _cost(estimate: Estimate) -> str:
    low, high = estimate.low, estimate.high
    if high is None:
        return "not known: set MACHINE_PRICE to bound it"
    if low is None:
        return f"at most ${high:,.2f}"
    return f"${low:,.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"${low:,.2f} to ${high:,.2f}"


def _span(minutes: float) -> str:
    if minutes < 1:
        return f"{minutes * 60:.1f} s"
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:,.1f} h"
