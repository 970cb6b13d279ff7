"""The errors a user can meet; `cli.py` alone turns them into a message and an exit code."""

from __future__ import annotations


class DistributedSomethingError(Exception):
    """Something failed: the message says what happened, why, and the next step. Exit code 1."""

    exit_code = 1


class UsageError(DistributedSomethingError):
    """What the user gave cannot be used: arguments, config, job file or fleet file. Exit code 2."""

    exit_code = 2


class NotFound(DistributedSomethingError):
    """A thing that an earlier verb makes does not exist; the message names that verb."""


class TeardownIncomplete(DistributedSomethingError):
    """Steps of a teardown failed: the message says what is left; the same command tries again."""
