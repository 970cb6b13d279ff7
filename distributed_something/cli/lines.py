"""Make the command lines in a text those that work for the config that is in use."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

DEFAULT_CONFIG = "config.py"
_RUN = re.compile(r"\bpython run\.py (?!--config\b)(?=[a-z])")
_BASE = re.compile(r"\bbuild --base your/tool:TAG\b(?! --something)")


def for_config(text: str, config: str) -> str:
    """The text with `--config` in each of its command lines, where the config is another.

    A tool whose Dockerfile, something.py or both stand beside its config, as in the examples, is
    built with them.
    """
    if config in ("", DEFAULT_CONFIG):
        return text
    dockerfile, something = (Path(config).parent / name for name in ("Dockerfile", "something.py"))
    build = "build --base your/tool:TAG"
    if dockerfile.is_file():
        build = f"build --file {shlex.quote(str(dockerfile))}"
    if something.is_file():
        build += f" --something {shlex.quote(str(something))}"
    text = _BASE.sub(lambda _: build, text)
    return _RUN.sub(lambda _: f"python run.py --config {shlex.quote(config)} ", text)
