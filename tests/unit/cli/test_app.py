"""What the end of a program is to a shell."""

from __future__ import annotations

import io
import sys

import click
import pytest

from distributed_something.cli.app import run_command
from distributed_something.cli.context import EXIT_STOPPED, EXIT_USAGE


@click.command()
def ask() -> None:
    click.confirm("Sure?", err=True)


@click.command()
def stop() -> None:
    raise KeyboardInterrupt


def test_an_input_that_ends_before_an_answer_is_no_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run_command(ask, "run.py") == EXIT_USAGE
    assert "pass --yes" in capsys.readouterr().err
    assert run_command(stop, "run.py") == EXIT_STOPPED
    assert "Stopped." in capsys.readouterr().err
