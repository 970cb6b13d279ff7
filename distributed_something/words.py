"""Say how many there are of something, as a person would, and show texts of others as text."""

from __future__ import annotations

import re
import signal
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

# C0 and C1 controls, of which ESC and CSI steer terminals; what turns the direction of writing; and
# halves of characters, which no encoding has. Tabs and line ends stay.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with what would steer a terminal shown as an escape: ESC as the four signs \\x1b."""
    return _UNSEEN.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def count_of(number: int, thing: str, several: str = "") -> str:
    """Such as `1 machine` or `2,000 machines`; `several` is a plural that has more than an s."""
    return f"1 {thing}" if number == 1 else f"{number:,} {several or thing + 's'}"


def sentence(words: str) -> str:
    """Words with a capital, to begin a sentence with."""
    return words[:1].upper() + words[1:]


def of_target(machines: int, target: int) -> str:
    """How many machines there are of how many are asked for, also while some are given back."""
    if machines <= target:
        return f"{machines:,} of {target:,}"
    return f"{machines:,}, going down to {target:,}"


def dollars(amount: float) -> str:
    """An amount with its cents and every digit beyond them, such as `$0.10` or `$0.0464`."""
    exact = Decimal(repr(amount))
    return f"${exact:,.2f}" if exact == round(exact, 2) else f"${exact:,f}"


def usd(amount: float, places: int = 2) -> str:
    """An amount that was added up or expected, such as `$1,234.50`; what is too small, as less."""
    smallest = 10.0**-places
    if 0 < amount < smallest / 2:
        return f"< ${smallest:.{places}f}"
    return f"${amount:,.{places if amount else 2}f}"


# The names of what are times wherever a value is printed as JSON or CSV.
TIMES = frozenset(
    ["began", "ended", "ends", "ends_by", "launched", "made", "now", "since", "started", "time"]
)


def iso_time(seconds: float) -> str:
    """A time in seconds since 1970 as ISO 8601 has it, in UTC and to the millisecond."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def with_iso_times(value: Any, *, is_time: bool = False) -> Any:
    """Values for a program's JSON, in which what is a time by its name is ISO 8601."""
    if isinstance(value, dict):
        return {k: with_iso_times(v, is_time=k in TIMES) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_iso_times(one, is_time=is_time) for one in value]
    if is_time and isinstance(value, (int, float)):
        return iso_time(value)
    return value


def exit_words(code: int | None) -> str:
    """How a program ended: its exit code, or the name of the signal that ended it."""
    if code is None or code >= 0:
        return "" if code is None else str(code)
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
