"""What others wrote is shown as text, on every screen and in every pipe."""

from __future__ import annotations

import io

import pytest
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from distributed_something.cli import people
from distributed_something.commands.reading.report import _cell
from distributed_something.words import visible

HOSTILE = "P1\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\r\udc80[red]x[/red] :boom:"
SHOWN = r"P1\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\r\udc80[red]x[/red] :boom:"


def shown(monkeypatch: pytest.MonkeyPatch, thing: object) -> str:
    """What a terminal gets of something that is printed there."""
    terminal = io.StringIO()
    monkeypatch.setattr(people.people(), "_file", terminal)
    monkeypatch.setattr(people.people(), "_force_terminal", True)
    monkeypatch.setattr(people.people(), "_width", 200)
    people.people().print(thing, highlight=False)
    return terminal.getvalue()


def test_escapes_controls_and_halves_are_shown_by_their_codes() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible(visible(HOSTILE)) == SHOWN
    assert visible("a\tb\r\nc\nÄ日") == "a\tb\nc\nÄ日"


def test_a_screen_shows_text_of_others_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table("name")
    table.add_row(HOSTILE)
    for thing in (HOSTILE, table):
        assert SHOWN in shown(monkeypatch, thing), thing
    # Texts of rich's have lost bells and carriage returns already.
    for text in (Text(HOSTILE), Panel(Text(HOSTILE))):
        assert SHOWN.replace(r"\r", "").replace(r"\x07", "") in shown(monkeypatch, text), text


def test_a_sentence_shows_it_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    people.say(HOSTILE)
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_a_pipe_gets_it_escaped_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", pipe)
    people.put(f"{HOSTILE} 日")
    pipe.flush()
    content = pipe.buffer.getvalue()
    assert b"\x1b" not in content and b"\x9b" not in content
    assert content.decode(encoding).startswith(r"P1\x1b[2J")


def test_no_cell_is_a_formula() -> None:
    assert [_cell(one) for one in ("=1+1", "+1", "-1", "@x", "\t=1")] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\t=1",
    ]  # fmt: skip
    assert [_cell(one) for one in ("a=1", -9, None, 1.5)] == ["a=1", -9, "", 1.5]


def test_a_name_in_a_next_line_is_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    people.next_step("logs", "P1'; rm -rf ~ #")
    assert capsys.readouterr().err == "Next: python run.py logs 'P1'\"'\"'; rm -rf ~ #'\n"
    people.next_step("monitor")
    assert capsys.readouterr().err == "Next: python run.py monitor\n"
