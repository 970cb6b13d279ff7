"""What a copy of this process says of its case is heard, and its silence is no good news."""

from __future__ import annotations

import os

from .forks import try_each


def _speak(case: str) -> str:
    if case == "dies":
        os._exit(0)
    if case == "cannot write":
        return "\udc80"  # which no encoding takes
    if case == "raises":
        raise ValueError("of no use")
    return "" if case == "well" else case


def test_only_a_copy_that_says_so_was_well() -> None:
    said = dict(try_each(["well", "bad", "raises", "dies", "cannot write"], _speak))
    assert (said["well"], said["bad"]) == ("", "bad")
    assert "ValueError: of no use" in said["raises"]
    assert said["dies"] == said["cannot write"] == "ended with status 0 and said nothing"
