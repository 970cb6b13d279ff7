"""`python -m worker` is the supervisor; it runs `python -m worker loop` for each slot."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stopping import Stopping

logger = logging.getLogger("worker")

USAGE = 2  # exit code

_CRASH = "the worker's first process was killed: by the command, or because memory ran out"


def main(arguments: list[str]) -> int:
    """Run what the arguments name; returns the exit code."""
    _log_to_stdout()
    try:
        if not arguments:
            return _supervise()
        if arguments[0] == "loop" and len(arguments) == 2:
            return _loop(int(arguments[1]))
    except KeyError as error:
        logger.error("The environment variable %s is missing.", error.args[0])
        return USAGE
    except ValueError as error:
        logger.error("%s", error)
        return USAGE
    logger.error("python -m worker takes no arguments.")
    return USAGE


def _supervise() -> int:
    from .supervisor import Supervisor

    return Supervisor(os.environ).run()


def _loop(parent: int) -> int:
    from .clients import make_clients
    from .environment import Place
    from .job.directories import remove
    from .job.log_stream import wait_until_sent
    from .job.outcomes import MachineFault
    from .job.processes import adopt_orphans, end_with_parent
    from .loop import Loop
    from .machine.faults import FAULT_EXIT, write_fault
    from .machine.heartbeat import Heart
    from .stopping import Stopping

    stopping = Stopping()
    place = Place.from_environment(os.environ)
    _listen(stopping, place.directory, parent)
    end_with_parent(parent, signal.SIGTERM)
    adopt_orphans()
    told = place.settings
    clients = make_clients(told.aws_region, requester_pays=told.requester_pays)
    heart = Heart(place)
    heart.start()
    try:
        Loop(clients, place, stopping, heart).run()
    except MachineFault as fault:
        logger.error("This machine cannot work: %s", fault)
        write_fault(place.directory.parent, str(fault))
        return FAULT_EXIT
    finally:
        wait_until_sent()
        heart.end()
        remove(place.directory)
    return 0


def _listen(stopping: Stopping, directory: Path, parent: int) -> None:
    """Ask a loop to stop or to save at a signal, with the reason as far as it can be seen."""
    from .job.processes import has_ended
    from .stopping import SAVE_SIGNAL, STOP_SIGNALS, listen, read_interruption

    def on_signal(number: signal.Signals) -> None:
        if number is SAVE_SIGNAL:
            stopping.save_wanted.set()
        elif reason := read_interruption(directory):
            stopping.ask(reason)
        elif has_ended(parent):
            stopping.ask(_CRASH, is_crash=True)
        else:
            stopping.ask(f"the worker was asked to stop ({number.name})")

    listen(on_signal, *STOP_SIGNALS, SAVE_SIGNAL)


def _log_to_stdout() -> None:
    """One line an event, with the slot; botocore's own logging stays off."""
    slot = os.environ.get("WORKER_SLOT", "supervisor")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(f"%(asctime)s {slot} %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
