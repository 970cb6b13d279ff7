"""The verb `monitor`: watch a run, and have everything removed at its end."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...command_lines import run_line
from ...errors import NotFound
from ...words import count_of
from ..context import EXIT_FAILED, Program, pass_program
from ..options import FILES, PATH
from ..people import next_step, offer, say
from ..stopping import told_if_stopped
from ..type_runs import code_of, end_with, show_fault
from .report import leave_report

if TYPE_CHECKING:
    from ...commands.watching.monitor import MonitorOutcome, RunProgress
    from ...commands.watching.watch_all import Sleep
    from ...inputs.settings import Settings


@click.command()
@click.argument("record_file", type=PATH, required=False)
@click.argument("cheapest_word", required=False, metavar="[True]")
@click.option("--cheapest", is_flag=True, help="Keep only one machine after 15 minutes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per step, on stdout.")
@pass_program
def monitor(
    program: Program,
    record_file: Path | None,
    cheapest_word: str | None,
    cheapest: bool,
    as_json: bool,
) -> None:
    """Watch the run to its end, release idle machines, then remove everything.

    You can stop and restart it at any time, on any computer.  RECORD_FILE is the monitor
    file that startCluster wrote; without it, the app's run is found in the bucket.

    Example: python run.py monitor files/MyAppSpotFleetRequestId.json
    """
    cheapest = cheapest or _is_true(cheapest_word)
    settings = program.load_settings()
    if settings.run_per_machine_type and record_file is None:
        watch = partial(_watch_type, cheapest=cheapest, as_json=as_json)
        end_with(watch_types(settings, watch, as_json))
    else:
        end_with([_watch(settings, record_file, cheapest=cheapest, as_json=as_json)])


def _watch(settings: Settings, record_file: Path | None, *, cheapest: bool, as_json: bool) -> int:
    """Watch one run; the exit code."""
    from ...commands.watching.monitor import find_watched
    from ...commands.watching.monitor import monitor as watch_run
    from ...protocol.ledger.record import read_record_file
    from ..connection import connect, monitor_pace
    from ..screens.monitor_lines import live_line, progress_printer

    aws = connect(settings)
    again = partial(connect, settings)
    found = read_record_file(record_file) if record_file else None
    record = found or find_watched(aws, settings, folder=FILES, reconnect=again)
    words = f"monitor {shlex.quote(str(record_file))}" if record_file else "monitor"
    show_progress = progress_printer(as_json)
    looks: list[RunProgress] = []

    def has_machines() -> bool:
        return not looks or bool(looks[0].machines or looks[0].target)

    stopping = told_if_stopped(words, bool(record.schedule), has_machines=has_machines)
    with stopping, live_line() as show_line:

        def show(look: RunProgress) -> None:
            looks[:] = [look]
            show_progress(look)
            show_line(look)

        outcome = watch_run(
            aws,
            record,
            folder=FILES,
            cheapest=cheapest,
            pace=monitor_pace(),
            clean_dashboard=settings.clean_dashboard,
            on_progress=show,
            reconnect=again,
        )
    return _show_end(settings, outcome, as_json)


def _watch_type(
    settings: Settings, sleep: Sleep, *, cheapest: bool, as_json: bool
) -> MonitorOutcome:
    """Watch the run of one machine type, among those of others."""
    from ...commands.watching.monitor import find_watched
    from ...commands.watching.monitor import monitor as watch_run
    from ..connection import connect, monitor_pace
    from ..screens.monitor_lines import progress_printer

    aws = connect(settings)
    again = partial(connect, settings)
    return watch_run(
        aws,
        find_watched(aws, settings, reconnect=again, sleep=sleep),
        folder=FILES,
        cheapest=cheapest,
        pace=monitor_pace(),
        clean_dashboard=settings.clean_dashboard,
        on_progress=progress_printer(as_json, settings.app_name),
        reconnect=again,
        sleep=sleep,
    )


def watch_types(
    settings: Settings,
    watch: Callable[[Settings, Sleep], MonitorOutcome],
    as_json: bool,
    *,
    sleep: Sleep = time.sleep,
) -> list[int]:
    """Watch the runs of all machine types at once, each with `watch`; their exit codes.

    Once they have ended, what `setup` made for a type that had none is removed too.
    """
    from ...commands.watching.watch_all import watch_all
    from ...inputs.type_runs import type_settings

    runs = type_settings(settings)
    began = time.time()
    with told_if_stopped("monitor", by_itself=settings.auto_monitor):
        ends = watch_all([partial(watch, own) for own in runs])
    ended = list(zip(runs, ends, strict=True))
    if all(isinstance(end, NotFound) for end in ends):
        raise NotFound(
            f"No type of {settings.app_name} has a run: run `{run_line('submitJob JOBS.csv')}` "
            "first."
        )
    codes = [_show_type_end(own, end, as_json) for own, end in ended]
    unused = [own for own, end in ended if _is_unused(end, began)]
    if any(_is_failure(end) for end in ends) or len(unused) == len(runs):
        if unused:
            line = run_line("cancel")
            say(f"What `setup` created for types without jobs is removed by `{line}`.")
        return codes
    return [*codes, *(code_of(partial(_remove_unused, own, sleep)) for own in unused)]


def _is_failure(end: MonitorOutcome | Exception) -> bool:
    """Whether a watch broke off, so that its run may not be over."""
    return isinstance(end, Exception) and not isinstance(end, NotFound)


def _is_unused(end: MonitorOutcome | Exception, began: float) -> bool:
    """Whether a type had no run while it was watched: one that had ended before counts as none."""
    if isinstance(end, Exception):
        return isinstance(end, NotFound)
    return end.record.ended is not None and end.record.ended < began


def _show_type_end(own: Settings, end: MonitorOutcome | Exception, as_json: bool) -> int:
    """How the watch of a type's run ended; the exit code."""
    say(f"{own.machine_type[0]}:", style="bold")
    if isinstance(end, NotFound):
        say(f"No run of {own.app_name}: no job names this type.")
        return 0
    if isinstance(end, Exception):
        code = show_fault(end)
        if code is None:
            raise end
        return code
    return _show_end(own, end, as_json)


def _show_end(settings: Settings, outcome: MonitorOutcome, as_json: bool) -> int:
    """How a run ended, its report, and the next verb; the exit code."""
    from ..connection import connect
    from ..screens.monitor_lines import show_outcome

    show_outcome(outcome, as_json)
    leave_report(connect(settings), outcome.record)
    if outcome.record.run_id and outcome.summary.done:  # upstream's workers list no results
        if outcome.summary.dead or outcome.unfinished.count:
            offer("Results of the jobs that are done", "download")
        else:
            next_step("download")
    return 0 if outcome.is_complete else EXIT_FAILED


def _remove_unused(own: Settings, sleep: Sleep) -> None:
    """Remove what is there of a type without a run."""
    from ...commands.cancelling.cancel import remove_unused
    from ..connection import connect

    removed = remove_unused(connect(own), own, folder=FILES, sleep=sleep)
    if removed:
        say(f"Removed {count_of(len(removed), 'thing')} of {own.app_name}, which had no jobs.")


def _is_true(word: str | None) -> bool:
    """Upstream's fourth word: True starts the cheapest mode; only True and False are taken."""
    if word is None or word.lower() in ("true", "false"):
        return word is not None and word.lower() == "true"
    raise click.UsageError(f"The word after the monitor file is True or False, not {word}.")
