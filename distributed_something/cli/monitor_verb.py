"""The verb `monitor`: watch a run, and have everything removed at its end."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..aws.session import Aws
from ..commands.cancelling.cancel import remove_unused
from ..commands.watching.monitor import MonitorOutcome, RunProgress, find_watched
from ..commands.watching.monitor import monitor as watch_run
from ..commands.watching.watch_all import Sleep
from ..inputs.settings import Settings, load_settings
from ..protocol.ledger.record import read_record_file
from . import monitor_screen, screens
from .connection import connect, monitor_pace
from .faults import EXIT_FAILED
from .options import FILES, PATH
from .report_verb import leave_report
from .stopping import told_if_stopped
from .type_runs import monitor_each


@click.command()
@click.argument("record_file", type=PATH, required=False)
@click.argument("cheapest_word", required=False, metavar="[True]")
@click.option("--cheapest", is_flag=True, help="After 15 minutes keep one machine only.")
@click.option("--json", "as_json", is_flag=True, help="A JSON line on stdout for each look.")
@click.pass_obj
def monitor(
    obj: dict[str, Any],
    record_file: Path | None,
    cheapest_word: str | None,
    cheapest: bool,
    as_json: bool,
) -> None:
    """Watch the run until all is done, give idle machines back, then remove everything.

    Can be stopped and started again at any time, on any computer.  RECORD_FILE is the monitor
    file that startCluster wrote; without it the app's run is found in the bucket.

    Example: python run.py monitor files/MyAppSpotFleetRequestId.json
    """
    settings = load_settings(obj["config"])
    cheapest = cheapest or _is_true(cheapest_word)
    if settings.run_per_machine_type and record_file is None:
        watch = partial(_watch, cheapest=cheapest, as_json=as_json)
        monitor_each(
            settings,
            watch,
            as_json,
            lambda own, end: _leave(connect(own), end),
            lambda own: len(remove_unused(connect(own), own, folder=FILES)),
        )
        return
    aws = connect(settings)
    again = partial(connect, settings)
    found = read_record_file(record_file) if record_file else None
    record = found or find_watched(aws, settings, reconnect=again)
    words = f"monitor {shlex.quote(str(record_file))}" if record_file else "monitor"
    tell = monitor_screen.progress_printer(as_json)
    looks: list[RunProgress] = []

    def show(look: RunProgress) -> None:
        looks[:] = [look]
        tell(look)

    def has_machines() -> bool:
        return not looks or bool(looks[0].machines or looks[0].target)

    with told_if_stopped(words, bool(record.schedule), has_machines=has_machines):
        outcome = watch_run(
            aws,
            record,
            folder=FILES,
            cheapest=cheapest,
            pace=monitor_pace(),
            on_progress=show,
            reconnect=again,
        )
    monitor_screen.show_outcome(outcome, as_json)
    _leave(aws, outcome)
    if not outcome.is_complete:
        raise click.exceptions.Exit(EXIT_FAILED)


def _leave(aws: Aws, outcome: MonitorOutcome) -> None:
    """What comes after the end of a run: its page, and the next verb."""
    leave_report(aws, outcome.record)
    if not outcome.summary.done:
        return
    if outcome.summary.dead or outcome.unfinished.count:
        screens.besides("Results of the jobs that are done", "download")
    else:
        screens.next_step("download")


def _watch(settings: Settings, sleep: Sleep, *, cheapest: bool, as_json: bool) -> MonitorOutcome:
    """Watch the run of one machine type, among those of others."""
    aws = connect(settings)
    again = partial(connect, settings)
    return watch_run(
        aws,
        find_watched(aws, settings, reconnect=again, sleep=sleep),
        folder=FILES,
        cheapest=cheapest,
        pace=monitor_pace(),
        on_progress=monitor_screen.progress_printer(as_json, settings.app_name),
        reconnect=again,
        sleep=sleep,
    )


def _is_true(word: str | None) -> bool:
    """Upstream's fourth word: True starts the cheapest mode; only True and False are taken."""
    if word is None or word.lower() in ("true", "false"):
        return word is not None and word.lower() == "true"
    raise click.UsageError(f"The word after the monitor file is True or False, not {word}.")
