"""Write the command lines that messages tell a person to type, for the config file in use."""

from __future__ import annotations

import shlex
from pathlib import Path

DEFAULT_CONFIG = Path("config.py")
_PROGRAM = "python run.py"
# Of the process: a program runs one command, with one config file.
_config = DEFAULT_CONFIG


def use_config(path: Path) -> None:
    """Have all command lines from now on name this config file, unless it is the usual one."""
    global _config
    _config = path


def config_in_use() -> Path:
    """The config file that command lines are for."""
    return _config


def run_line(words: str) -> str:
    """The command line of a verb and its words, such as `python run.py --config lab.py setup`."""
    if _config == DEFAULT_CONFIG:
        return f"{_PROGRAM} {words}"
    return f"{_PROGRAM} --config {shlex.quote(str(_config))} {words}"


def build_line(base: str = "", options: str = "--push") -> str:
    """The command that makes the image from `base`, the repository of the tool's image.

    Without one, it uses the Dockerfile, something.py or both beside another config than the usual.
    """
    words = f"build --base {base or 'your/tool'}:TAG"
    if not base and _config != DEFAULT_CONFIG:
        dockerfile, something = (_config.parent / name for name in ("Dockerfile", "something.py"))
        if dockerfile.is_file():
            words = f"build --file {shlex.quote(str(dockerfile))}"
        if something.is_file():
            words += f" --something {shlex.quote(str(something))}"
    return run_line(f"{words} {options}".rstrip())
