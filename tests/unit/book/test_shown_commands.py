"""Every command of ours that README, book or an example shows is one that its parser takes."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from distributed_something.cli.app import verbs
from distributed_something.cli.context import Program
from distributed_something.cli.verbs.setup_account import account

CLONE = Path(__file__).parents[3]
EXAMPLES = sorted(CLONE.glob("examples/*/README.md"))
PAGES = [CLONE / "README.md", *sorted(CLONE.glob("documentation/*.md")), *EXAMPLES]
GENERATOR = "examples/cellprofiler/run_batch_general.py"
_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OURS = re.compile(rf"python (run\.py|setup_AWS\.py|{re.escape(GENERATOR)})(?: ([^`]*))?")


def shown(page: Path) -> list[tuple[str, str]]:
    """The program and the words of each command of ours in a page's blocks."""
    text = page.read_text().replace("\\\n", " ")
    lines = (line for block in _FENCE.findall(text) for line in block.splitlines())
    found = (_OURS.match(line) for line in lines)
    return [(one[1], one[2] or "") for one in found if one]


def generator() -> click.Command:
    sys.path.insert(0, str((CLONE / GENERATOR).parent))
    try:
        command = importlib.import_module(Path(GENERATOR).stem).run_batch_general
    finally:
        sys.path.pop(0)
    assert isinstance(command, click.Command)
    return command


def read(program: str, words: list[str]) -> dict[str, object]:
    """What a program's parser makes of a command's words; nothing is run. Raises UsageError."""
    if program != "run.py":
        command = account if program == "setup_AWS.py" else generator()
        return command.make_context(program, words).params
    group = verbs.make_context(program, words.copy(), obj=Program())
    rest = words[2:] if words[0] == "--config" else words
    name, verb, rest = verbs.resolve_command(group, rest)
    assert verb is not None
    return group.params | verb.make_context(name, rest, parent=group).params


def test_every_command_that_is_shown_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its arguments and values; folders that a reader has made are there."""
    monkeypatch.chdir(tmp_path)
    strange = []
    for page in PAGES:
        for program, text in shown(page):
            words = shlex.split(text, comments=True)
            if "--data" in words:
                Path(words[words.index("--data") + 1]).mkdir(parents=True, exist_ok=True)
            try:
                given = map(str, read(program, words).values())
            except click.UsageError as error:
                strange.append(f"{page.name}: {program} {text}: {error.format_message()}")
                continue
            own = [one for one in given if one.startswith(("examples/", "files/example"))]
            strange += [f"{page.name}: {one}" for one in own if not (CLONE / one).exists()]
    assert strange == []


def test_every_example_shows_commands() -> None:
    assert [page for page in EXAMPLES if not shown(page)] == []


@pytest.mark.parametrize(
    "words", ["submitJob a.json --tag-offset three", "watch", "build --base", "startCluster"]
)
def test_a_command_that_nobody_could_type_would_be_seen(words: str) -> None:
    with pytest.raises(click.UsageError):
        read("run.py", words.split())
