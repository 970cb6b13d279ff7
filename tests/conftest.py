"""Begin with the tests that take longest, and say at the end how much was tried.

Tests say the latter by their property `tried`. Those that took long and are not marked so are
named, too.
"""

from __future__ import annotations

import os
from itertools import groupby

import pytest

LONG = 10.0  # seconds; a test that takes so long on a quiet machine should be marked slow


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the slow tests out: each of xdist's processes, which get equal parts, begins with some.

    One that is through with its part takes over from the end of another's, where the quick ones
    are.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    hands: list[list[pytest.Item]] = [[] for _ in range(processes)]
    slow = [one for one in items if one.get_closest_marker("slow")]
    for number, (_, together) in enumerate(groupby(slow, _belongs_to)):
        hands[number % processes] += together
    quick = [one for one in items if not one.get_closest_marker("slow")]
    left = len(items)
    for number, hand in enumerate(hands):
        part = left // (processes - number)
        hand += (quick.pop(0) for _ in range(min(len(quick), part - len(hand))))
        left -= part
    items[:] = [one for hand in hands for one in hand] + quick


def _belongs_to(item: pytest.Item) -> str:
    """A file's tests share what it sets up; those that may take very long go alone."""
    return item.nodeid if item.get_closest_marker("timeout") else item.nodeid.split("::")[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        one for outcome in ("passed", "failed") for one in _reports(terminalreporter, outcome)
    ]
    for report in reports:
        for name, value in report.user_properties:
            if name == "tried":
                terminalreporter.write_line(f"Tried in {report.location[0]}: {value}.")
    for report in reports:
        if report.duration > LONG and "slow" not in report.keywords:
            line = f"{report.nodeid} took {report.duration:.0f} s and is not marked slow."
            terminalreporter.write_line(line)


def _reports(terminalreporter: pytest.TerminalReporter, outcome: str) -> list[pytest.TestReport]:
    found = terminalreporter.getreports(outcome)
    return [one for one in found if isinstance(one, pytest.TestReport) and one.when == "call"]
