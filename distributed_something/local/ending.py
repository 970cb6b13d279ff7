"""Let every ordinary way of ending this process unwind it, so that nothing it started is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Ending:
    """The signal that ends this process; it waits while something is made and noted."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._waits = False

    def come(self, number: int) -> None:
        """A signal has come: raise what it means, or let it wait."""
        self._number = number
        if not self._waits:
            self._end(number)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let a signal wait until this is left: what is made here is then known to be removed."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False
        if self._number is not None:
            self._end(self._number)

    def _end(self, number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


@contextmanager
def unwinding() -> Iterator[Ending]:
    """Turn TERM and HUP into SystemExit, as Ctrl-C is an exception already; main thread only.

    Once one has come, further ones are ignored: what follows is the cleaning up.
    """
    before = {number: signal.getsignal(number) for number in (*_SIGNALS, signal.SIGINT)}
    ending = Ending()

    def end(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        ending.come(number)

    for number, handler in before.items():
        # nohup ignores HUP on purpose; INT is ignored by whatever a script starts with `&`, and
        # whoever sends it all the same means it.
        if number != signal.SIGHUP or handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def without_real_account() -> Iterator[None]:
    """Take every AWS setting out of this process's environment for a while."""
    kept = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(isolation(kept))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def isolation(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that keep botocore from the user's files, the cloud's metadata and a proxy."""
    direct = ",".join(filter(None, [environment.get("NO_PROXY", ""), "127.0.0.1"]))
    return {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
