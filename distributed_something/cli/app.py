"""The program: its verbs, their cheat sheet, and what an error becomes."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click

from .. import __version__
from ..command_lines import DEFAULT_CONFIG, use_config
from .context import EXIT_STOPPED, EXIT_USAGE, Program
from .options import PATH
from .people import say
from .type_runs import show_fault

# Each verb, in the order in which a run happens, with its module in `verbs`.
_MODULES = {
    "setup": "setup",
    "submitJob": "submit_job",
    "startCluster": "start_cluster",
    "monitor": "monitor",
    "run": "run",
    "init": "init",
    "upload": "upload",
    "build": "build",
    "rehearse": "rehearse",
    "check": "check",
    "status": "status",
    "runs": "runs",
    "logs": "logs",
    "retry": "retry",
    "download": "download",
    "report": "report",
    "cancel": "cancel",
    "completion": "completion",
}


def main(cheat_sheet: str) -> int:
    """Run one verb; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    return run_command(verbs, "run.py", cheat_sheet)


def run_command(command: click.Command, name: str, cheat_sheet: str = "") -> int:
    """Run a program's command; errors become a message and the exit code."""
    _show_log()
    try:
        # Click hands back the code of an Exit; it raises none here.
        code = command.main(obj=Program(cheat_sheet), prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        if isinstance(error, click.NoSuchOption) and error.option_name == "--config":
            click.echo(
                f"--config comes before the verb: python {name} --config FILE VERB", err=True
            )
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error.__context__, EOFError):
            say("The input ended before an answer came: pass --yes, or use a terminal.")
            return EXIT_USAGE
        say("Stopped.")
        return EXIT_STOPPED
    except Exception as error:
        code = show_fault(error)
        if code is None:
            raise
    finally:
        use_config(DEFAULT_CONFIG)
    return code if isinstance(code, int) else 0


class _Verbs(click.Group):
    """A group whose help is the cheat sheet, and which imports a verb when it is typed."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        program = ctx.find_object(Program)
        formatter.write(program.cheat_sheet if program else "")

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _MODULES:
            return None
        module = _MODULES[cmd_name]
        name = module.rpartition(".")[2]
        command = getattr(import_module(f".verbs.{module}", __package__), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Verbs, no_args_is_help=True)
@click.option("--config", "config", type=PATH, default=DEFAULT_CONFIG, show_default=True)
@click.version_option(__version__)
@click.pass_context
def verbs(ctx: click.Context, config: Path) -> None:
    """The group's help is the cheat sheet."""
    ctx.obj = replace(ctx.obj, config=config)
    use_config(config)


class _SentenceHandler(logging.Handler):
    """The package's log as plain sentences on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), "yellow" if record.levelno >= logging.WARNING else None)


def _show_log() -> None:
    package = logging.getLogger(__package__.split(".")[0])
    package.setLevel(logging.INFO)
    package.handlers = [_SentenceHandler()]
