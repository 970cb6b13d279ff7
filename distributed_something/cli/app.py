"""The program: its verbs, their cheat sheet, and what an error becomes."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click

from .. import __version__
from . import screens
from .build_verb import build
from .check_verb import check
from .completion_verb import completion
from .faults import EXIT_STOPPED, EXIT_USAGE, explain
from .jobs_verbs import download, retry
from .lines import for_config
from .monitor_verb import monitor
from .options import PATH
from .rehearse_verb import rehearse
from .report_verb import report
from .run_verbs import cancel, setup, start_cluster, submit_job
from .watching_verbs import logs, status

_CHEAT_SHEET = "cheat sheet"
_VERBS = (
    *(setup, submit_job, start_cluster, monitor),
    *(build, rehearse, check),
    *(status, logs, retry, download, report, cancel),
    completion,
)


def main(cheat_sheet: str) -> int:
    """Run one verb; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    return run_command(verbs, "run.py", {_CHEAT_SHEET: cheat_sheet})


def run_command(command: click.Command, name: str, obj: dict[str, Any] | None = None) -> int:
    """Run a program's command; errors become a message and the exit code."""
    _show_log()
    try:
        # Click hands back the code of an Exit; it raises none here.
        code = command.main(obj=obj, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        if isinstance(error, click.NoSuchOption) and error.option_name == "--config":
            screens.say(f"--config stands before the verb: python {name} --config FILE VERB")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error.__context__, EOFError):
            screens.say("The input ended before an answer came: pass --yes, or use a terminal.")
            return EXIT_USAGE
        screens.say("Stopped.")
        return EXIT_STOPPED
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        # The command is over, and with it the context that `say` asks for its config.
        screens.say(for_config(explained[0], str((obj or {}).get("config", ""))), style="red")
        return explained[1]
    return code if isinstance(code, int) else 0


class _CheatSheet(click.Group):
    """A group whose help is the cheat sheet of `run.py`, in the order in which a run happens."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(ctx.obj[_CHEAT_SHEET])


@click.group(cls=_CheatSheet, no_args_is_help=True)
@click.option("--config", "config", type=PATH, default=Path("config.py"), show_default=True)
@click.version_option(__version__)
@click.pass_context
def verbs(ctx: click.Context, config: Path) -> None:
    """The group's help is the cheat sheet."""
    ctx.obj["config"] = config


for _verb in _VERBS:
    verbs.add_command(_verb)


class _SentenceHandler(logging.Handler):
    """The package's log as plain sentences on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        screens.say(record.getMessage(), style)


def _show_log() -> None:
    package = logging.getLogger(__package__.split(".")[0])
    package.setLevel(logging.INFO)
    package.handlers = [_SentenceHandler()]
