"""What was made a moment ago is not seen at once, as AWS's services are eventually consistent."""

from __future__ import annotations

import threading

from .. import rules

_here = threading.local()  # the request that this thread answers


def begin_request() -> None:
    """A request comes: moto may look a thing up several times for it, which is one use."""
    _here.request = object()


class Newness:
    """Which of a service's things are too new to be seen, by name."""

    def __init__(self) -> None:
        self._made: dict[str, float] = {}
        self._uses: dict[str, int] = {}
        self._hidden_from: dict[str, object] = {}  # the last request that did not see it

    def note(self, name: str) -> None:
        """A thing of this name was made just now."""
        self._made[name] = rules.current().clock()
        self._uses[name] = 0

    def forget(self, name: str) -> None:
        """The thing is gone, or need not be seen any more."""
        self._made.pop(name, None)
        self._uses.pop(name, None)
        self._hidden_from.pop(name, None)

    def hides(self, name: str) -> bool:
        """Whether this use of a thing comes too soon after it was made."""
        if name not in self._made:
            return False
        request = getattr(_here, "request", None)
        if request is not None and self._hidden_from.get(name) is request:
            return True
        self._hidden_from[name] = request
        age = rules.current().clock() - self._made[name]
        self._uses[name] += 1
        if self._uses[name] <= rules.current().unseen_uses:
            return True
        if age < rules.current().unseen_seconds:
            return True
        self.forget(name)
        return False
