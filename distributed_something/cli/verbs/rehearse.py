"""The verb `rehearse`: a whole run on this computer, or the simulated account it takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...command_lines import run_line
from ...words import count_of
from ..context import EXIT_FAILED, EXIT_STOPPED, Program, pass_program
from ..options import PATH, REHEARSALS, family_option
from ..people import draw, say

if TYPE_CHECKING:
    from rich.table import Table

    from ...commands.watching.monitor import RunProgress
    from ...inputs.settings import Settings
    from ...local.report import RehearsalReport, Suggestion
    from ...local.serving import Served
    from ...local.stage import Listener
    from ..screens.progress import JobBar

_SHOWN = 5  # failures, of what may be thousands


@click.command()
@click.argument("job_file", type=PATH, required=False)
@click.option("--jobs", type=click.IntRange(min=1), help="Run only the first N jobs.")
@family_option
@click.option(
    "--data",
    multiple=True,
    metavar="[BUCKET=]DIR",
    help="The folder with the files of every bucket, or of one bucket.",
)
@click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process"]),
    default="auto",
    show_default=True,
    help="Run workers as containers or processes; auto says which and why.",
)
@click.option(
    "--interrupt",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Interrupt each machine with this probability, from 0 to 1.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    metavar="N",
    help="Try a failed job at most N times, and no more than JOB_RETRIES.",
)
@click.option("--something", type=PATH, help="A file to use instead of worker/something.py.")
@click.option("--serve", is_flag=True, help="Serve the simulated AWS until Ctrl-C instead.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port, with --serve.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
@pass_program
def rehearse(
    program: Program,
    job_file: Path | None,
    jobs: int | None,
    family: str | None,
    data: tuple[str, ...],
    runtime: str,
    interrupt: float,
    retries: int,
    something: Path | None,
    serve: bool,
    port: int,
    as_json: bool,
) -> None:
    """Rehearse a complete run of JOB_FILE on this computer: a simulated AWS, real workers.

    Needs no account. Jobs with `inputs` read them from --data. Results are written
    to rehearsal/<APP_NAME>/ and replace the last rehearsal's.

    Example: python run.py rehearse examples/helloworld/job.json --jobs 2
    """
    if serve and as_json:
        raise click.UsageError("--json prints a rehearsal's result: leave out --serve.")
    if serve:
        _serve(program.load_settings(), port, _folders(data), runtime, something)
        return
    if job_file is None:
        raise click.UsageError("Name the job file to rehearse, or give --serve.")
    rehearse_all = partial(
        _rehearse,
        job_file=job_file,
        jobs=jobs,
        family=family,
        data=_folders(data),
        runtime=runtime,
        interrupt=interrupt,
        retries=retries,
        something=something,
    )
    if not rehearse_all(program.load_settings(), as_json=as_json):
        raise click.exceptions.Exit(EXIT_FAILED)


def _rehearse(
    settings: Settings, *, job_file: Path, family: str | None, as_json: bool, **options: Any
) -> bool:
    """Rehearse each run that the jobs belong to; whether all of it went well."""
    from ...commands.submitting.type_plan import runs_of_jobs
    from ...local.data import keys_of_folders
    from ...local.rehearsal import rehearse
    from ..screens.progress import job_progress

    show = _print_rehearsal if as_json else show_rehearsal
    reports = []
    keys = keys_of_folders(settings, options["data"])
    for own in runs_of_jobs(None, settings, job_file, family, list_keys=keys):
        logs = REHEARSALS / own.app_name / "worker_logs"
        with job_progress() as bar, _told_if_stopped(rehearsal_listener(bar), logs) as listener:
            report = rehearse(own, job_file, family=family, listener=listener, **options)
        show(report)
        reports.append(report)
    return all(report.succeeded for report in reports)


@contextmanager
def _told_if_stopped(listener: Listener, logs: Path) -> Iterator[Listener]:
    """A listener that knows how far the rehearsal was when Ctrl-C ends it, which is then said."""
    looks: list[RunProgress] = []

    def on_progress(look: RunProgress) -> None:
        looks[:] = [look]
        listener.on_progress(look)

    try:
        yield replace(listener, on_progress=on_progress)
    except KeyboardInterrupt:
        say("Stopped. The simulated account and its machines are removed.", "yellow")
        for look in looks:
            ended = f"{look.finished:,} of {count_of(look.submitted, 'job')} had ended"
            given_up = f", {look.given_up:,} of them given up" if look.given_up else ""
            say(f"{ended}{given_up}; {look.in_flight:,} were running.")
        if looks:
            say(f"The workers' logs are in {logs}/. Results of a stopped rehearsal are not kept.")
        raise click.exceptions.Exit(EXIT_STOPPED) from None


def _folders(data: Sequence[str]) -> dict[str, Path] | None:
    """The folders of --data by bucket, '' for all others; None without any. Raises UsageError."""
    folders: dict[str, Path] = {}
    for word in data:
        bucket, _, folder = ("", "", word) if Path(word).exists() else word.rpartition("=")
        if bucket in folders:
            whose = f"the bucket {bucket}" if bucket else "all buckets"
            raise click.UsageError(f"--data names two folders for {whose}: leave one out.")
        folders[bucket] = Path(folder).expanduser()
    return folders or None


def _serve(
    settings: Settings,
    port: int,
    data: Mapping[str, Path] | None,
    runtime: str,
    something: Path | None,
) -> None:
    from ...local.serving import serve

    with _told_of_serving() as on_ready:
        serve(
            settings,
            port=port,
            data=data,
            runtime=runtime,
            something=something,
            on_ready=on_ready,
            listener=rehearsal_listener(),
        )


def rehearsal_listener(bar: JobBar | None = None) -> Listener:
    """A listener that tells each step as it comes, with a bar while jobs are queued."""
    from ...local.stage import Listener
    from ..screens.monitor_lines import progress_printer, show_capacity
    from ..screens.progress import ByteBar

    data_bar = ByteBar("Reading --data")

    def on_step(sentence: str) -> None:
        if bar:
            bar.pause()  # it belongs to the step that is over
        data_bar.stop()
        say(sentence, style="bold")

    def on_data(done: int, total: int | None) -> None:
        if bar:
            bar.pause()
        data_bar(done, total)

    return Listener(
        on_runtime=lambda name, reason: say(f"Workers run as {_RUNTIMES[name]}: {reason}"),
        on_step=on_step,
        on_data=on_data,
        on_jobs=bar or (lambda _done, _total: None),
        on_capacity=show_capacity,
        on_progress=progress_printer(as_json=False),
    )


@contextmanager
def _told_of_serving() -> Iterator[Callable[[Served], None]]:
    """What to call when a simulated account is up; its end is told too, however it comes."""
    up: list[Served] = []

    def on_ready(served: Served) -> None:
        _show_served(served)
        up.append(served)

    try:
        yield on_ready
    finally:
        for served in up:
            _show_serving_ended(served)


def _show_served(served: Served) -> None:
    """The line for another terminal goes to stdout; how to use it, to people."""
    say("A simulated AWS runs until Ctrl-C. In another terminal, first paste:")
    click.echo(served.line)
    say(f"A fleet file for it: {served.fleet_file}")
    say(f"Then the verbs as usual: {run_line('setup')}")


def _show_serving_ended(served: Served) -> None:
    """What went with a simulated account, what did not, and what other terminals still have."""
    say("The simulated AWS has ended, with its machines, queues, and buckets and their contents.")
    say(
        f"What stays: your downloads, reports/ and files/, and the workers' output in "
        f"{served.logs}/."
    )
    say("Close terminals that use it, or run there")
    say(f"  unset {' '.join(served.names)}")


def show_rehearsal(report: RehearsalReport) -> None:
    """How it went: failed attempts, one table, what failed by kind, and the inventory last."""
    from ..screens.failure_lines import say_failures

    for failure in report.failures[:_SHOWN]:
        say(f"{failure.name}, attempt {failure.number}: {failure.reason}", style="red")
        if failure.log_tail:
            say("\n".join(f"    {line}" for line in failure.log_tail.splitlines()[-5:]))
    more = report.summary.failed - min(_SHOWN, len(report.failures))
    if more > 0:
        attempts = count_of(more, "more failed attempt")
        say(f"And {attempts}: by reason in {report.page}, each log in {report.logs}/.", "red")
    draw(_table(report))
    if report.stopped:
        say(f"It ended early: {report.stopped}", style="red")
    say_failures(report.failure_groups)
    say(f"Results: {count_of(len(report.results), 'file')} in {report.directory}/", style="bold")
    say(f"The report is {report.page}", style="bold")
    _show_verdict(report)
    _say_next(report)


def _print_rehearsal(report: RehearsalReport) -> None:
    """How it went as JSON on stdout: all that the table is made of, times and sizes as there."""
    told = {**asdict(report), "removed": report.removed, "succeeded": report.succeeded}
    click.echo(json.dumps(told, default=str))  # paths as their names
    _say_next(report)


def _say_next(report: RehearsalReport) -> None:
    if report.all_done:
        say(f"Next: the same run for real, {run_line('setup')}", style="bold")
    else:
        say(
            f"Next: read the workers' logs in {report.logs}/, fix the cause, and rehearse again.",
            style="bold",
        )


_RUNTIMES = {"docker": "containers", "process": "processes"}


def _table(report: RehearsalReport) -> Table:
    from ..screens.tables import facts_table

    summary = report.summary
    jobs = f"{summary.done:,} of {summary.submitted:,} done"
    if summary.dead:
        jobs += f", {summary.dead:,} in the dead-letter queue"
    rows = [("jobs", jobs)]
    ended = f"{summary.failed:,} failed, {summary.interrupted:,} interrupted"
    rows.append(("attempts", f"{summary.attempts:,}: {ended}"))
    rows.append(("whole run", f"{report.seconds:.1f} s"))
    if times := report.job_times:
        span = f"from {times.shortest:.1f} to {times.longest:.1f}"
        rows.append(("a job takes", f"{times.median:.1f} s ({span})"))
    memory = f"{report.peak_memory:,.0f} MiB memory"
    if not report.peak_memory:
        memory = "memory not measured (too short)"
    rows.append(("a job's peak", f"{memory}, {report.peak_disk:,.1f} MiB disk"))
    if fit := report.suggestion:
        rows.append(("suggested", _constants(fit)))
    machines = f"{len(report.machines)} ({', '.join(sorted({t for _, t in report.machines}))})"
    if report.interrupted_machines:
        machines += f", {report.interrupted_machines} interrupted"
    rows.append(("machines", machines))
    rows.append(("created", _created(report)))
    rows.append(("removed", f"{len(report.removed)} of them"))
    if report.stays:
        rows.append(("stays on purpose", ", ".join(report.stays)))
    return facts_table(f"Rehearsal of {report.app_name}", rows)


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
        text += f"; {count_of(len(later), 'machine')} more replaced others"
    return text


def _show_verdict(report: RehearsalReport) -> None:
    if report.left_over:
        say("Inventory: left over: " + ", ".join(report.left_over), style="red")
    else:
        say("Inventory: nothing left over.", style="green")
