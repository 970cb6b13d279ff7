"""Try something in copies of this process, each with its own copy of the simulated account."""

from __future__ import annotations

import gc
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Case = TypeVar("Case")

_WELL = "ok"  # said aloud, for silence is what is left of a process that could not speak


def try_each(
    cases: Iterable[Case], attempt: Callable[[Case], str], at_once: int = 2
) -> Iterator[tuple[Case, str]]:
    """What `attempt` says of each case, made in a process of its own; '' where all was well.

    Whatever it raises is said as well. This process and what it holds stay as they are.
    """
    gc.freeze()  # or the first collection in each copy would copy all memory
    running: dict[int, tuple[int, Case]] = {}
    try:
        for case in cases:
            if len(running) == at_once:
                yield _wait(running)
            process, pipe = _fork(case, attempt)
            running[process] = (pipe, case)
        while running:
            yield _wait(running)
    finally:
        for process in running:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _fork(case: Case, attempt: Callable[[Case], str]) -> tuple[int, int]:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of other threads: here it is the simulator's server, which holds no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    try:
        os.close(reading)
        with os.fdopen(writing, "w") as file:
            file.write(_told(case, attempt) or _WELL)
    finally:
        os._exit(0)  # nothing of pytest's may run twice


def _told(case: Case, attempt: Callable[[Case], str]) -> str:
    try:
        return attempt(case)
    except BaseException:  # noqa: BLE001 - the process that waits must hear of anything
        return traceback.format_exc()


def _wait(running: dict[int, tuple[int, Case]]) -> tuple[Case, str]:
    """What the process that has run longest has to say."""
    process, (pipe, case) = next(iter(running.items()))
    with os.fdopen(pipe) as file:
        said = file.read()
    _, status = os.waitpid(process, 0)
    del running[process]
    if status or not said:
        return case, said or f"ended with status {status} and said nothing"
    return case, "" if said == _WELL else said
