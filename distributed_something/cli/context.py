"""What a verb is given: the config file of its program, and the settings in that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..command_lines import DEFAULT_CONFIG

if TYPE_CHECKING:
    from ..inputs.settings import Settings

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_STOPPED = 130  # by Ctrl-C, as shells have it


@dataclass(frozen=True)
class Program:
    """A program of this project, as it was called."""

    cheat_sheet: str = ""
    config: Path = DEFAULT_CONFIG

    def load_settings(self) -> Settings:
        """The settings of the config file; raises UsageError with a line for every fault."""
        from ..inputs.settings import load_settings

        return load_settings(self.config)


pass_program = click.make_pass_decorator(Program)
