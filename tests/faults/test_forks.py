"""What a copy of this process says of its case is heard, and its silence is no good news."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident

import pytest

from .forks import Copies, in_one_thread


def _speak(case: str) -> str:
    if case == "dies":
        os._exit(0)
    if case == "cannot write":
        return "\udc80"  # which no encoding takes
    if case == "raises":
        raise ValueError("of no use")
    return "" if case == "well" else case


def _say_each(copies: Copies[str], *cases: str) -> str:
    for case in cases:
        if copies.start(case):
            return _speak(case)
    return ""


def test_only_a_copy_that_says_so_was_well() -> None:
    copies: Copies[str] = Copies()
    cases = ("well", "bad", "raises", "dies", "cannot write")
    said = copies.follow(lambda: _say_each(copies, *cases))
    assert (said["well"], said["bad"]) == ("", "bad")
    assert "ValueError: of no use" in said["raises"]
    assert said["dies"] == said["cannot write"] == "ended early, with status 0"


def test_a_copy_goes_on_from_where_it_was_started() -> None:
    copies: Copies[int] = Copies()
    seen: list[int] = []

    def count() -> str:
        for number in range(4):
            seen.append(number)
            if copies.start(number):
                seen.append(-1)
        return str(seen)

    said = copies.follow(count)
    assert said[1] == "[0, 1, -1, 2, 3]"
    assert seen == [0, 1, 2, 3]


def test_what_this_process_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="of no use"):
        Copies[str]().follow(lambda: _speak("raises"))


def test_a_pool_works_in_this_thread_and_hands_on_what_is_raised() -> None:
    with in_one_thread(), ThreadPoolExecutor(2) as pool:
        assert set(pool.map(lambda _: get_ident(), range(3))) == {get_ident()}
        with pytest.raises(ValueError, match="of no use"):
            pool.submit(_speak, "raises").result()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(get_ident).result() != get_ident()
