"""The verb `init`: a few questions, then a config and a job file."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import click

from ...command_lines import use_config
from ..options import PATH
from ..people import next_step, offer, say

_EXAMPLE = "sort -u -o {output_dir}/{list}.txt {input_dir}/{list}.txt"


@click.command()
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--name", metavar="NAME", help="APP_NAME; default: the folder's name.")
@click.option("--command", metavar="LINE", help=f"One job's command, such as '{_EXAMPLE}'.")
@click.option("--files", metavar="PATTERN", help="The files of a job, such as 'lists/{list}.txt'.")
@click.option("--image", metavar="NAME", help="The image to build and push, such as lab/sort:1.0.")
@click.option("--bucket", metavar="NAME", help="The bucket of inputs and results.")
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="USD",
    help="Where a run stops; default: 10.",
)
def init(
    folder: Path,
    name: str | None,
    command: str | None,
    files: str | None,
    image: str | None,
    bucket: str | None,
    max_cost: float | None,
) -> None:
    """Write DIR/config.py and DIR/job.json for your tool, from a few answers.

    Asks for what no option gives.  Files that are there already are not changed.

    Example: python run.py init sorting
    """
    from ...commands.submitting.first_files import Answers, write_first_files

    word = re.sub(r"[^A-Za-z0-9]", "", folder.resolve().name.title()) or "MyApp"
    tool = re.sub(r"[^a-z0-9]", "", word.lower())
    _refuse_to_guess({"--command": command, "--files": files, "--bucket": bucket})
    answers = Answers(
        name=_ask("Name of the app", name, word),
        command=_ask(f"Command of one job (such as {_EXAMPLE})", command),
        files=_ask("Files of a job, with {fields} that differ between jobs", files),
        image=_ask("Name of the image to build and push", image, f"lab/{tool}:1.0"),
        bucket=_ask("Bucket for inputs and results", bucket),
        max_cost=max_cost or float(_ask("Stop a run at how many US dollars", None, "10")),
    )
    config, jobs = write_first_files(folder, answers)
    say(f"Wrote {config} and {jobs}.", style="green")
    use_config(config)
    next_step(f"rehearse {shlex.quote(str(jobs))} --data DIR --jobs 5")
    offer("Your tool as an image", "build --base your/tool:TAG")


def _refuse_to_guess(given: dict[str, str | None]) -> None:
    """Without a terminal every answer without a default must be an option."""
    lacking = [option for option, value in given.items() if not value]
    if lacking and not sys.stdin.isatty():
        raise click.UsageError(f"Not a terminal: pass {', '.join(lacking)}.")


def _ask(question: str, given: str | None, default: str | None = None) -> str:
    """The answer of an option, or of a person; the default where no one can answer."""
    if given is not None:
        return given
    if default is not None and not sys.stdin.isatty():
        return default
    answer: str = click.prompt(question, default=default, err=True)
    return answer
