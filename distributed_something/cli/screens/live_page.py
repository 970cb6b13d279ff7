"""Show a run's live page until it is stopped: the address goes to stdout, and to a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import TYPE_CHECKING

import click
from botocore.exceptions import BotoCoreError, ClientError

from ...commands.reading.live.run import LiveRun, Look
from ...commands.reading.live.server import PageServer
from ..people import people, say

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...protocol.ledger.record import RunRecord


def show_live_page(aws: Aws, record: RunRecord, *, every: float, port: int) -> None:
    """Look every so many seconds until the run has ended; serve until Ctrl-C or a click on Stop."""
    run = LiveRun(aws, record)
    title = f"{record.app_name}, run {record.run_id}"
    server = PageServer(title, run.pictures.read, port=port)
    server.look = run.look()
    with server.serving():
        say("The report of the run, live until Ctrl-C. Only this computer can open it:")
        click.echo(server.address)
        _open(server.address)
        try:
            while not server.stopped.wait(every):
                if not server.look.is_over:
                    server.look = _look(run, server.look)
        except KeyboardInterrupt:
            pass  # that is how it ends
    say("The page is no longer served; the run is as it was.")


def _look(run: LiveRun, last: Look) -> Look:
    """The next look; the last once more if AWS does not answer for a while."""
    try:
        return run.look()
    except (ClientError, BotoCoreError) as error:
        say(f"Could not read the run; retrying: {error}", "yellow")
        return last


def _open(address: str) -> None:
    """Open a browser where a person sits at a screen; elsewhere it might be one of text."""
    has_screen = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if people().is_terminal and has_screen:
        webbrowser.open(address)
