"""What a person sees of a rehearsal: its steps, then the table and the inventory's verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table

from ..words import count_of
from .monitor_screen import progress_printer
from .purchase_screen import show_capacity
from .screens import people, run_line, say

if TYPE_CHECKING:
    from ..local.report import RehearsalReport, Suggestion
    from ..local.serving import Served
    from ..local.stage import Listener
    from .submit_screen import JobBar

_SHOWN = 5  # failures, of what may be thousands


def rehearsal_listener(bar: JobBar | None = None) -> Listener:
    """A listener that tells each step as it comes, with a bar while jobs are queued."""
    from ..local.stage import Listener

    def on_step(sentence: str) -> None:
        if bar:
            bar.pause()  # it belongs to the step that is over
        say(sentence, style="bold")

    return Listener(
        on_runtime=lambda name, reason: say(f"Workers run as {_RUNTIMES[name]}: {reason}"),
        on_step=on_step,
        on_jobs=bar or (lambda _done, _total: None),
        on_capacity=show_capacity,
        on_progress=progress_printer(as_json=False),
    )


@contextmanager
def told_of_serving() -> Iterator[Callable[[Served], None]]:
    """What to call when a simulated account is up; its end is told too, however it comes."""
    up: list[Served] = []

    def on_ready(served: Served) -> None:
        show_served(served)
        up.append(served)

    try:
        yield on_ready
    finally:
        for served in up:
            show_serving_ended(served)


def show_served(served: Served) -> None:
    """The line for another terminal goes to stdout; how to use it, to people."""
    say("A simulated AWS is up until Ctrl-C. In another terminal, first:")
    click.echo(served.line)
    say(f"A fleet file that works there: {served.fleet_file}")
    say(f"Then the verbs as usual: {run_line('setup')}")


def show_serving_ended(served: Served) -> None:
    """What went with a simulated account, what did not, and what other terminals still have."""
    say(
        "The simulated AWS is gone, with its machines, queues and buckets and all that was in them."
    )
    say(
        f"What stays: what you downloaded, reports/ and files/, and what workers printed in "
        f"{served.logs}/."
    )
    say("Other terminals still look for it there: close them, or first")
    say(f"  unset {' '.join(served.names)}")


def show_rehearsal(report: RehearsalReport) -> None:
    """How it went, in one table; failures before it, the inventory's verdict last."""
    for failure in report.failures[:_SHOWN]:
        say(f"{failure.name}, attempt {failure.number}: {failure.reason}", style="red")
        if failure.log_tail:
            say("\n".join(f"    {line}" for line in failure.log_tail.splitlines()[-5:]))
    more = report.summary.failed - min(_SHOWN, len(report.failures))
    if more > 0:
        attempts = count_of(more, "more failed attempt")
        say(f"And {attempts}: by reason in {report.page}, each log in {report.logs}/.", "red")
    people.print(_table(report))
    say(f"Results: {count_of(len(report.results), 'file')} in {report.directory}/", style="bold")
    say(f"The report is {report.page}", style="bold")
    _show_verdict(report)
    _say_next(report)


def print_rehearsal(report: RehearsalReport) -> None:
    """How it went as JSON on stdout: all that the table is made of, times and sizes as there."""
    told = {**asdict(report), "removed": report.removed, "succeeded": report.succeeded}
    click.echo(json.dumps(told, default=str))  # paths as their names
    _say_next(report)


def _say_next(report: RehearsalReport) -> None:
    if report.all_done:
        say(f"Next: the same run for real, {run_line('setup')}", style="bold")
    else:
        say(f"Next: read the workers' logs in {report.logs}/, mend, rehearse again.", style="bold")


_RUNTIMES = {"docker": "containers", "process": "processes"}


def _table(report: RehearsalReport) -> Table:
    summary = report.summary
    table = Table(title=f"Rehearsal of {report.app_name}", title_justify="left", show_header=False)
    jobs = f"{summary.done:,} of {summary.submitted:,} done"
    if summary.dead:
        jobs += f", {summary.dead:,} in the dead-letter queue"
    table.add_row("jobs", jobs)
    table.add_row(
        "attempts",
        f"{summary.attempts:,}: {summary.failed:,} failed, {summary.interrupted:,} interrupted",
    )
    table.add_row("whole run", f"{report.seconds:.1f} s")
    if times := report.job_times:
        table.add_row(
            "a job takes",
            f"{times.median:.1f} s (from {times.shortest:.1f} to {times.longest:.1f})",
        )
    memory = f"{report.peak_memory:,.0f} MiB memory"
    if not report.peak_memory:
        memory = "memory not seen (too short to measure)"
    table.add_row("a job's peak", f"{memory}, {report.peak_disk:,.1f} MiB disk")
    if fit := report.suggestion:
        table.add_row("suggested", _constants(fit))
    machines = f"{len(report.machines)} ({', '.join(sorted({t for _, t in report.machines}))})"
    if report.interrupted_machines:
        machines += f", {report.interrupted_machines} taken away"
    table.add_row("machines", machines)
    table.add_row("created", _created(report))
    table.add_row("removed", f"{len(report.removed)} of them")
    if report.stays:
        table.add_row("stays on purpose", ", ".join(report.stays))
    return table


def _constants(fit: Suggestion) -> str:
    """The suggested constants as config.py has them; none of memory where it was not seen."""
    seen = {
        "DOCKER_CORES": fit.docker_cores,
        "MEMORY": fit.memory,
        "EBS_VOL_SIZE": fit.ebs_vol_size,
    }
    shown = [f"{name} = {value}" for name, value in seen.items() if value is not None]
    return f"{', '.join(shown)} on {fit.machine_type}"


def _created(report: RehearsalReport) -> str:
    """Such as `3 things: 2 machines, 1 queue`, and how many machines came later."""
    kinds = Counter(thing.rsplit(" ", 1)[0] for thing in report.created)
    shown = ", ".join(count_of(kinds[kind], kind) for kind in sorted(kinds)) or "none"
    text = f"{count_of(len(report.created), 'thing')}: {shown}"
    later = {f"machine {machine}" for machine, _ in report.machines} - {*report.created}
    if later and kinds["machine"]:
        text += f"; later {count_of(len(later), 'machine')} in place of others, with what is theirs"
    return text


def _show_verdict(report: RehearsalReport) -> None:
    if report.left_over:
        say("Inventory: left over: " + ", ".join(report.left_over), style="red")
    else:
        say("Inventory: nothing left over.", style="green")
