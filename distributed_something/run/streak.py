"""How long something has been so without a break: what is seen once may be a moment's error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Streak:
    """In how many snapshots in a row it was so, and since when (seconds since 1970)."""

    count: int = 0
    since: float | None = None

    def __bool__(self) -> bool:
        return self.count > 0

    def after(self, is_so: bool, now: float) -> Streak:
        """The streak after a snapshot that saw whether it is so."""
        if not is_so:
            return Streak()
        return Streak(self.count + 1, now if self.since is None else self.since)

    def lasts(self, count: int, seconds: float, now: float) -> bool:
        """Whether it was so in `count` snapshots at least, the first of them `seconds` ago."""
        return self.count >= count and self.seconds(now) >= seconds

    def seconds(self, now: float) -> float:
        """For how long it has been so."""
        return 0.0 if self.since is None else now - self.since


NO_STREAK = Streak()
