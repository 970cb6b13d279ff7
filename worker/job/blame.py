"""Decide whose fault it is that a command cannot be started: the command's, or this machine's."""

from __future__ import annotations

import errno

from distributed_something.protocol.ledger.run_ledger import RunLedger

from .outcomes import Ended, Hopeless, Suspicion

# What the command is, not how this machine stands at the moment: memory or processes may run out.
PERMANENT_ERRORS = frozenset(
    {errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
    | {errno.ENAMETOOLONG, errno.EPERM}
)
# How a shell says that it found a program but could not run it, or found none.
# https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html
SHELL_CANNOT_START = frozenset({126, 127})


def blame(ledger: RunLedger, program: str, instance_id: str, reason: str, *, enough: int) -> Ended:
    """The end of an attempt whose program cannot be started here, as this machine now notes.

    Once `enough` machines of the run have seen it, no retry can help. Until then this machine may
    be broken, and another one is to try.
    """
    seen = ledger.machines.note_not_started(program, instance_id, enough=enough)
    if seen < enough:
        return Suspicion(f"{reason} Another machine will try it.")
    return Hopeless(f"{reason} {seen} machines saw it." if enough > 1 else reason)
