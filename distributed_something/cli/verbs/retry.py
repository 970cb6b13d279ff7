"""The verb `retry`: queue a run's jobs again."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from ...words import count_of
from ..options import FILES, run_option
from ..people import say
from ..type_runs import for_each_run

if TYPE_CHECKING:
    from ...commands.reading.retry import Retried, RetryPlan
    from ...inputs.settings import Settings


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--reason", metavar="TEXT", help="Only jobs that were given up for a reason that contains TEXT."
)
@run_option
@click.option("--yes", is_flag=True, help="Queue without asking.")
@click.option("--json", "as_json", is_flag=True, help="What was queued as JSON on stdout.")
@for_each_run(goes_on=True)
def retry(
    settings: Settings,
    names: tuple[str, ...],
    reason: str | None,
    run_id: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Queue the run's jobs again, in the same run: all that are neither done nor running, or NAMES.

    Names are those of the job file's jobs, or their ids. Their messages are deleted from the
    dead-letter queue. Waiting jobs are not queued again unless you name them; if the run was
    stopped, it continues.

    Example: python run.py retry --reason "exit code 137"
    """
    from ...aws.compute.registry import image_labels
    from ...commands.reading.retry import retry as queue_again
    from ...commands.setting_up.setup import setup as set_up_run
    from ..advice import show_next
    from ..connection import connect, is_simulated
    from ..screens.progress import sending_progress

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Not a terminal: pass --yes to queue the jobs again.")
    aws = connect(settings)
    # In a rehearsal no machine fetches the image.
    labels_of = None if is_simulated() else partial(image_labels, aws)
    with sending_progress() as on_progress:
        retried = queue_again(
            aws,
            settings,
            folder=FILES,
            names=names,
            reason=reason,
            run_id=run_id,
            confirm=_show_plan if yes else _ask,
            set_up=partial(set_up_run, aws, settings, labels_of=labels_of),
            on_progress=on_progress,
        )
    _show_retried(retried)
    if as_json:
        _print_retried(retried)
    if retried.sent or retried.plan.lets_go_on:
        show_next(aws, settings)


def _show_plan(plan: RetryPlan) -> bool:
    """What will be queued again; always goes on."""
    _say_passed_over(plan)
    more = plan.count - len(plan.names)
    names = ", ".join(plan.names) + (f" and {more:,} more" if more else "")
    run = f"run {plan.run_id} of {plan.app_name}"
    if plan.count:
        say(f"To be queued again in {run}: {count_of(plan.count, 'job')} ({names}).")
    if plan.given_up:
        say(f"Given up, and deleted from the dead-letter queue: {plan.given_up:,}.")
    if plan.stopped:
        say(f"The run was stopped, and continues: {plan.stopped}", style="yellow")
    if plan.reopens:
        say("The run had ended, and continues.", style="yellow")
    if plan.sets_up:
        say("Its queue, cluster, task definition and service are made again first.")
    return True


def _ask(plan: RetryPlan) -> bool:
    """Show the same, then ask."""
    _show_plan(plan)
    question = "Queue them again?" if plan.count else "Continue the run?"
    return click.confirm(question, default=False, err=True)


def _show_retried(retried: Retried) -> None:
    """What was queued again, or why nothing was."""
    plan = retried.plan
    if retried.other_reasons:
        say("No job was given up for a reason with these words. The reasons are:")
        for reason in retried.other_reasons:
            say(f"  {reason}", style="red")
    if plan.lets_go_on:
        waiting = "1 job waits" if plan.waiting == 1 else f"{plan.waiting:,} jobs wait"
        say(f"The run continues; {waiting}.", style="green")
        if not plan.count:
            return
    if not plan.count:
        _say_passed_over(plan)
        say(f"There is nothing to queue again in run {plan.run_id} of {plan.app_name}.")
        return
    say(f"Queued {count_of(retried.sent, 'job')} again (run {plan.run_id}).", style="green")
    if plan.given_up or retried.letters:
        say(f"Deleted {count_of(retried.letters, 'message')} from the dead-letter queue.")


def _print_retried(retried: Retried) -> None:
    """The same as one JSON object on stdout."""
    click.echo(json.dumps(asdict(retried), default=sorted))  # sets of job ids as lists


def _say_passed_over(plan: RetryPlan) -> None:
    for count, words in (
        (plan.done, "done"),
        (plan.running, "running"),
        (plan.waiting, "waiting in the queue"),
    ):
        if count:
            say(f"Not queued again: {count_of(count, 'job')} {words}.")
